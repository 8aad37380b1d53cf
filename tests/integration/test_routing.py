"""Rules on real studies: what they change in the main job, and originals that reach DCMTK byte for byte."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydicom import dcmread

from deploy.routing import FileRouter
from deploy.rule_file import KnownNames, read_rules
from dicom_gateway.originals import DicomOriginalSender
from dicom_gateway.sender import DicomSender
from storage.incidents import IncidentReader
from storage.instances import list_instances
from tests.builders import MODEL, STUDY, an_analysis, an_instance
from tests.head_ct_files import write_head_ct
from tests.integration.test_sender import PATIENT, loopback, needs, storescp  # noqa: F401 (a fixture)
from tests.integration.test_workflow import ScriptedAnalyser, ScriptedSender, ScriptedWriter, jobs, receive
from tests.running import acuity, free_port
from triage.circuit_breaker import CircuitBreaker
from triage.errors import DestinationUnavailable
from triage.findings import AiState
from triage.forwarding import Forwarding
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority, TargetTimes
from triage.rules import Routing
from triage.study import StudyStatus
from triage.workflow import Delivery, Triage

NIGHT = """
[[rules]]
name = "night head CT"
when = { all = [ { tag = "Modality", equals = "ct" }, { orientation = "axial" }, { source_ae = ["STORESCU"] } ] }
then = { send_original = ["pacs"], priority_floor = "urgent" }
[[rules]]
name = "only breast"
when = { contrast = false }
then = { run_only = ["us-breast-lesion"] }
"""


@pytest.fixture
def received(start_receiver, dcmtk, tmp_path):
    """A head CT that a real scanner's tool has sent."""
    files = write_head_ct(tmp_path / "head", seed=3, bleed=False)
    running = start_receiver()
    sent = dcmtk("storescu", "-aec", "ACUITY", "127.0.0.1", running.port, *files)
    assert sent.returncode == 0, sent.stderr
    return StudyInstanceUid(dcmread(files[0]).StudyInstanceUID)


@pytest.fixture
def rules(tmp_path):
    def router(text: str) -> FileRouter:
        file = tmp_path / "rules.toml"
        file.write_text(text, encoding="utf-8")
        known = KnownNames({MODEL.name, "us-breast-lesion"}, {"pacs"})
        return FileRouter(read_rules(file, known), ZoneInfo("UTC"))

    return router


def closed(receiving, clock, router):
    clock.forward(seconds=10)
    return replace(receiving, router=router).close_quiet_studies()


def study_of(transactions, uid):
    with transactions.begin() as records:
        return records.studies.get(uid)


def test_rules_raise_the_study_keep_models_away_and_say_so_in_the_row(received, receiving, clock, transactions, rules):
    assert closed(receiving, clock, rules(NIGHT)) == (received,)
    complete = study_of(transactions, received)

    Triage(transactions, clock, ScriptedAnalyser([]), TargetTimes()).triage_study(received, 1)
    triaged = study_of(transactions, received)

    assert (complete.priority, complete.ai_state) == (Priority.URGENT, AiState.PENDING)
    assert complete.reason == "waiting for analysis; rule night head CT: at least urgent"
    assert (triaged.priority, triaged.ai_state) == (Priority.URGENT, AiState.OUT_OF_SCOPE)
    assert triaged.deadline == triaged.received_at + TargetTimes().urgent
    assert triaged.reason == (
        "not analysed: ct-head-haemorrhage: rule only breast asks only us-breast-lesion; "
        "rule night head CT: at least urgent"
    )


def test_a_study_that_no_rule_matches_goes_its_usual_way(received, receiving, clock, transactions, engine, rules):
    closed(receiving, clock, rules(NIGHT.replace('"STORESCU"', '"CT9"').replace("contrast = false", "contrast = true")))

    study = study_of(transactions, received)

    assert (study.priority, study.reason) == (Priority.ROUTINE, "waiting for analysis")
    assert [name for name, _ in jobs(engine)] == ["triage_study"]


def test_a_header_that_cannot_be_read_restricts_nothing_and_is_told(
    received, receiving, clock, transactions, engine, rules
):
    for instance in list_instances(engine):
        Path(instance["path"]).write_bytes(b"gone")

    closed(receiving, clock, rules(NIGHT))

    with transactions.begin() as records:
        assert records.routing.routing_of(received, 1).restrictions == ()
    assert "routing rules not evaluated" in study_of(transactions, received).reason


def test_an_image_that_comes_while_the_rules_are_asked_keeps_the_study_open(receiving, clock, transactions, engine):
    class Slow:
        def route(self, study, series, source_ae_titles):
            receiving.register_instance(an_instance(7))
            return Routing(rules=("a",), send_original=("pacs",))

    receive(receiving, *range(6))

    assert closed(receiving, clock, Slow()) == ()
    assert (study_of(transactions, STUDY).status, jobs(engine)) == (StudyStatus.RECEIVING, [])


def test_results_go_only_where_a_rule_sends_them(receiving, clock, transactions, engine):
    class ToOne:
        def route(self, study, series, source_ae_titles):
            return Routing(rules=("a",), send_results=("NEURO",))

    receive(receiving, *range(6))
    closed(receiving, clock, ToOne())
    Triage(transactions, clock, ScriptedAnalyser([an_analysis()]), TargetTimes()).triage_study(STUDY, 1)
    sender = ScriptedSender(wanting={"sr": ("PACS", "NEURO")})
    Delivery(transactions, clock, ScriptedWriter(), sender).write_reports(STUDY, 1)

    assert [args["destination"] for name, args in jobs(engine) if name == "deliver_result"] == ["NEURO"]


@needs("storescp")
def test_originals_reach_another_archive_byte_for_byte_and_only_once(
    received, receiving, clock, transactions, engine, rules, storescp  # noqa: F811
):  # fmt: skip
    closed(receiving, clock, rules(NIGHT))
    forwarding = _forwarding(transactions, clock, _sender(storescp.destination))

    forwarding.forward(received, "pacs")
    first = {path.name: path.stat().st_mtime_ns for path in storescp.folder.iterdir()}
    forwarding.forward(received, "pacs")

    kept = {one["sha256"] for one in list_instances(engine)}
    assert {_sha256_of_data_set(path) for path in storescp.folder.iterdir()} == kept
    assert {path.name: path.stat().st_mtime_ns for path in storescp.folder.iterdir()} == first
    assert jobs(engine)[0] == ("forward_originals", {"study_instance_uid": received, "destination": "pacs"})


def test_an_archive_that_is_away_is_tried_again_and_one_that_refuses_is_an_incident(
    received, receiving, clock, transactions, engine, rules
):
    closed(receiving, clock, rules(NIGHT))
    away = _forwarding(transactions, clock, _sender(loopback(free_port())))
    unknown = _forwarding(transactions, clock, DicomSender((), "ACUITY", PATIENT))

    with pytest.raises(DestinationUnavailable):
        away.forward(received, "pacs")
    with transactions.begin() as records:
        waiting = len(records.forwardings.waiting(received, "pacs"))
    unknown.forward(received, "pacs")
    found = IncidentReader(engine).newest(500)

    assert waiting == len(list_instances(engine))
    assert found.counts["refused_delivery"] == waiting
    assert "not in the settings" in found.incidents[0].reason


def test_a_file_is_explained_and_past_studies_are_replayed_on_the_command_line(tmp_path, transactions, engine):
    home, rule_file = tmp_path / "home", tmp_path / "new.toml"
    home.mkdir()
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    (home / "acuity.toml").write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
    rule_file.write_text(
        '[[rules]]\nname = "ct"\nwhen = { tag = "Modality", equals = "MR" }\nthen = { priority_floor = "urgent" }\n'
    )
    (image, *_) = write_head_ct(tmp_path / "head", seed=3, bleed=False)

    explained = acuity(home, "rules", "test", str(image), "--rules", str(rule_file), "--json")
    wrong = acuity(home, "rules", "check", str(image))

    told = json.loads(explained.stdout)
    assert told["rules"] == [{
        "name": "ct", "matches": False,
        "series": [{"series_instance_uid": "", "holds": False, "needed": "Modality: MR", "found": "CT", "parts": []}],
    }]  # fmt: skip
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)


def test_a_replay_shows_only_what_would_change(received, receiving, clock, transactions, engine, rules, tmp_path):
    closed(receiving, clock, rules(NIGHT))
    home = tmp_path / "home"
    home.mkdir()
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    pacs = '[[destinations]]\nname = "pacs"\nae_title = "P"\nhost = "127.0.0.1"\nport = 104\n'
    (home / "acuity.toml").write_text(f'[database]\nurl = "{url}"\n{pacs}', encoding="utf-8")
    (home / "rules.toml").write_text(NIGHT, encoding="utf-8")
    changed = tmp_path / "changed.toml"
    changed.write_text(NIGHT.replace('"urgent"', '"critical"'), encoding="utf-8")

    same = acuity(home, "rules", "replay", "--since", "2026-01-01", "--json")
    other = acuity(home, "rules", "replay", "--since", "2026-01-01", "--rules", str(changed), "--json")
    later = acuity(home, "rules", "replay", "--since", "2027-01-01", "--json")

    assert json.loads(same.stdout) == {"studies": 1, "differences": []}
    change = {"priority_floor": {"before": "URGENT", "after": "CRITICAL"}}
    assert json.loads(other.stdout)["differences"] == [{"study_instance_uid": received, "changes": change}]
    assert json.loads(later.stdout) == {"studies": 0, "differences": []}


def _forwarding(transactions, clock, sender) -> Forwarding:
    breaker = CircuitBreaker(transactions, clock, lambda: 1.0)
    return Forwarding(transactions, clock, DicomOriginalSender(sender), breaker)


def _sender(destination) -> DicomSender:
    return DicomSender((destination,), "ACUITY", PATIENT)


def _sha256_of_data_set(path: Path) -> str:
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")
    return hashlib.sha256(content[144 + length :]).hexdigest()
