"""Rules that send de-identified copies and set how long images are kept, on real archives and a real database."""

import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydicom import dcmread

from deploy.deidentifying import own_key_file
from deploy.routing import FileRouter
from deploy.rule_file import KnownNames, read_rules
from dicom_gateway import deidentified_copies
from dicom_gateway.deidentification.profile import Option
from dicom_gateway.deidentified_copies import DeidentifiedSender
from dicom_gateway.originals import DicomOriginalSender
from dicom_gateway.sender import DicomSender
from storage.commitments import CommitmentRows
from storage.deliveries import DeliveryLedger
from storage.incidents import IncidentReader
from storage.instances import list_instances
from storage.retention import RetentionRule
from tests.builders import MODEL
from tests.integration.test_deliveries import QUICK, UID, head_of, storescp
from tests.integration.test_routing import closed
from tests.integration.test_sender import asked, free_port, loopback, needs, running_orthanc
from tests.integration.test_storage_commands import DAY, finish, retention
from tests.integration.test_workflow import jobs
from triage.audit import PLATFORM
from triage.circuit_breaker import CircuitBreaker
from triage.commitment import Reference
from triage.errors import DestinationUnavailable
from triage.forwarding import Forwarding

RESEARCH = """
[[rules]]
name = "CT to research"
when = { tag = "Modality", equals = "CT" }
then = { send_deidentified = ["research"], retention_days = 3 }
[[rules]]
name = "of CT1 longer"
when = { source_ae = ["STORESCU"] }
then = { retention_days = 5 }
"""
NAME, PATIENT_ID, ACCESSION = "Secret^Patricia", "PID-77881", "ACC-99123"
SLICES = 3


@pytest.fixture
def router(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(RESEARCH, encoding="utf-8")
    return FileRouter(read_rules(file, KnownNames({MODEL.name}, {"research"})), ZoneInfo("UTC"))


@pytest.fixture
def received(start_receiver, dcmtk, tmp_path):
    """Three named slices and one screen capture that may have a name in its pixels; gives the spool."""
    files = [head_of(number, tmp_path / f"slice{number}.dcm") for number in range(SLICES)]
    files.append(head_of(SLICES, tmp_path / "capture.dcm"))
    for path in files:
        image = dcmread(path)
        image.PatientName, image.PatientID, image.AccessionNumber = NAME, PATIENT_ID, ACCESSION
        if path.name == "capture.dcm":
            image.BurnedInAnnotation = "YES"
        image.save_as(path)
    receiver = start_receiver()
    assert dcmtk("storescu", "127.0.0.1", receiver.port, *files).returncode == 0
    return receiver.spool


@pytest.fixture
def copying_to(transactions, clock, tmp_path):
    def to(destination, key_file: Path | None = None) -> Forwarding:
        originals = DicomOriginalSender(DicomSender((destination,), "ACUITY", QUICK))
        key = key_file or own_key_file(tmp_path)
        sender = DeidentifiedSender(originals, key, {destination.name: frozenset({Option.DATES})})
        return Forwarding(transactions, clock, sender, CircuitBreaker(transactions, clock, lambda: 1.0), True)

    return to


def peer_called_research(folder: Path):
    return storescp(folder, free_port(), "--bit-preserving")


def as_research(destination):
    return type(destination)("research", destination.ae_title, destination.host, destination.port, frozenset())


def originals_in(engine) -> list[str]:
    """Every original identifier that the received files carry."""
    uids = {UID, f"{UID}.1", *(one["sop_instance_uid"] for one in list_instances(engine))}
    return [*uids, "Secret", "Patricia", PATIENT_ID, ACCESSION]


def states(engine) -> dict[str, str]:
    return {one.sop_instance_uid: one.state for one in DeliveryLedger(engine).newest(100, destination="research")}


@needs("storescp")
def test_copies_arrive_without_a_name_or_an_original_uid_and_what_cannot_be_cleaned_stays(
    received, receiving, clock, router, engine, copying_to, tmp_path
):
    assert closed(receiving, clock, router) == (UID,)
    assert ("send_deidentified", {"study_instance_uid": UID, "destination": "research"}) in jobs(engine)

    with peer_called_research(tmp_path / "research") as peer:
        copying_to(as_research(peer.destination)).forward(UID, "research")
        arrived = {path.name: path.read_bytes() for path in peer.folder.iterdir()}
        copying_to(as_research(peer.destination)).forward(UID, "research")
        assert {path.name: path.read_bytes() for path in peer.folder.iterdir()} == arrived

    assert len(arrived) == SLICES
    for content in arrived.values():
        assert [one for one in originals_in(engine) if one.encode().lower() in content.lower()] == []
    images = [dcmread(peer.folder / name) for name in arrived]
    assert len({one.StudyInstanceUID for one in images}) == 1
    assert {one.PatientIdentityRemoved for one in images} == {"YES"}
    assert states(engine) == {f"{UID}.1.{number}": "delivered" for number in range(SLICES)} | {
        f"{UID}.1.{SLICES}": "refused"
    }
    (incident,) = IncidentReader(engine).newest(10).incidents
    assert "Burned In Annotation is YES" in incident.reason


@needs("Orthanc")
def test_orthanc_knows_the_copies_by_their_pseudonym(received, receiving, clock, router, engine, copying_to, tmp_path):
    closed(receiving, clock, router)

    with running_orthanc(tmp_path / "orthanc") as peer:
        copying_to(as_research(peer.destination)).forward(UID, "research")

        (study,) = asked(peer, "/studies?expand")
        assert study["PatientMainDicomTags"]["PatientID"].startswith("ANON")
        tags = asked(peer, f"/instances/{asked(peer, '/instances')[0]}/tags?simplify")
    assert [one for one in originals_in(engine) if one in str(tags)] == []


def test_an_archive_that_is_away_gets_the_copies_later_and_refusals_are_known_at_once(
    received, receiving, clock, router, engine, copying_to
):
    closed(receiving, clock, router)

    with pytest.raises(DestinationUnavailable):
        copying_to(as_research(loopback(free_port()))).forward(UID, "research")

    assert sorted(states(engine).values()) == ["planned"] * SLICES + ["refused"]
    assert DeliveryLedger(engine).replay("research", f"{UID}.1.{SLICES}", PLATFORM, clock.now()) == 1
    assert set(states(engine).values()) == {"planned"}


def test_without_its_key_nothing_is_sent_and_nothing_refused(
    received, receiving, clock, router, engine, copying_to, tmp_path
):
    closed(receiving, clock, router)

    with pytest.raises(DestinationUnavailable, match="no copies are cleaned"):
        copying_to(as_research(loopback(free_port())), tmp_path / "missing.key").forward(UID, "research")

    assert set(states(engine).values()) == {"planned"}


def test_an_image_that_ends_the_cleaning_process_is_refused_and_the_next_one_is_cleaned(
    received, receiving, clock, router, engine, copying_to, tmp_path, monkeypatch
):
    closed(receiving, clock, router)
    fatal = next(one["path"] for one in list_instances(engine) if one["sop_instance_uid"] == f"{UID}.1.1")
    program = tmp_path / "crashing.py"
    program.write_text(
        "import os, sys\nfrom dicom_gateway import deidentified_copies as copies\n"
        "from dicom_gateway.deidentification.images import Deidentifier\n"
        "clean = Deidentifier.clean\n"
        f"Deidentifier.clean = lambda self, path, *rest: os._exit(9) if str(path) == {fatal!r} else"
        " clean(self, path, *rest)\n"
        "copies.main(*sys.argv[3:6])\n"
    )
    run = deidentified_copies.subprocess.run

    def crashing(command, **options):
        return run([sys.executable, str(program), *command[1:]], **options, env={**os.environ, "PYTHONPATH": "."})

    monkeypatch.setattr(deidentified_copies.subprocess, "run", crashing)

    with pytest.raises(DestinationUnavailable):
        copying_to(as_research(loopback(free_port()))).forward(UID, "research")

    assert states(engine)[f"{UID}.1.1"] == "refused"
    assert [states(engine)[f"{UID}.1.{number}"] for number in (0, 2)] == ["planned"] * 2


def test_a_rule_sets_how_long_the_images_stay_but_never_before_their_copies_are_out(
    received, receiving, clock, router, engine, transactions
):
    closed(receiving, clock, router)
    finish(engine)
    keeping = retention(engine, received, RetentionRule())

    waiting = keeping.removable(clock.now() + 9 * DAY)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deidentified_copies SET state = 'delivered'")

    assert waiting == []
    assert keeping.removable(clock.now() + 4 * DAY) == []
    (study,) = keeping.removable(clock.now() + 6 * DAY)
    assert keeping.remove(study, clock.now() + 6 * DAY) == SLICES + 1


def test_a_copy_elsewhere_does_not_count_as_the_archive_of_a_committed_image(
    received, receiving, clock, router, engine, transactions
):
    closed(receiving, clock, router)
    references = [Reference("1.2.840.10008.5.1.4.1.1.2", f"{UID}.1.0")]
    CommitmentRows(engine).requested("SCANNER", "127.0.0.1", "2.25.7", references)
    finish(engine)
    keeping = retention(engine, received, RetentionRule(keep=DAY))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deidentified_copies SET state = 'delivered'")

    before = keeping.removable(clock.now() + 9 * DAY)
    with transactions.begin() as records:
        records.forwardings.plan(UID, "pacs")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE forwardings SET state = 'delivered'")

    assert before == []
    assert len(keeping.removable(clock.now() + 9 * DAY)) == 1
