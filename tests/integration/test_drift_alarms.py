"""Stored studies become records without a patient; alarms are opened once and answered step by step, all audited."""

import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from deploy.cli import main
from deploy.drift_watch import decided, look_and_keep, pause_flags, watch_once
from deploy.settings import Settings, SettingsFile
from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies
from models.lifecycle import Decision, ModelAction, ModelState
from storage.alarms import AlarmRows
from storage.audit import AuditTrail
from storage.model_registry import ModelRows
from storage.rows import to_json
from storage.schema import instances, studies
from storage.study_records import RecordReader
from tests.browser.department import HAEMORRHAGE, ICH, Department, Said, services_on
from tests.browser.serving import running
from tests.builders import an_image
from tests.integration.test_model_registry import record
from tests.integration.test_worklist_api import CT, JANE, QUICK, with_role
from triage.audit import Actor, AuditAction, verified
from triage.errors import ActNotPossible
from triage.reading import Answer, Exposure
from triage.surveillance import Alarm, AlarmCause, AlarmState, Disposition, StreamKey, StreamKind
from validation.drift.daily import Calendar
from worklist.app import create_app
from worklist.roles import Role

NOW = datetime(2026, 7, 20, 8, tzinfo=UTC)
READER = Actor("dr", "reader")


def an_alarm(noticed_on=date(2026, 7, 19), stream="kernel"):
    return Alarm(
        StreamKey("Mercy", "CT_1", "", stream), StreamKind.INPUT, noticed_on, date(2026, 7, 6), "upper", 12.5, 11.0,
        4.2, ("1.2.3",),
    )  # fmt: skip


@pytest.fixture
def rows(engine):
    return AlarmRows(engine)


def test_a_record_says_how_the_scanner_made_the_images(engine, tmp_path):
    plan = SimulationPlan(("ct",), studies=1, positive_rate=0.0, seed=4, mean_seconds_between=0.0)
    (study,) = simulated_studies(plan)
    slices = [one for one in study.images if one.ImageType[2] == "AXIAL"]
    Department(engine).scans(tmp_path, slices)

    (record,) = RecordReader(engine).between(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))

    first = slices[0]
    assert record.categories == {
        "device": f"{first.Manufacturer} {first.ManufacturerModelName}",
        "software": "1.0",
        "protocol": first.ProtocolName,
        "kernel": first.ConvolutionKernel,
        "sex": first.PatientSex,
    }
    told = {"slice_thickness_mm": 5.0, "pixel_spacing_mm": float(first.PixelSpacing[0]), "exposure_mas": 220.0}
    assert {name: record.numbers[name] for name in told} == told


def test_a_stored_study_is_a_record_without_its_patient(engine):
    department = Department(engine)
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    (record,) = RecordReader(engine).between(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))

    assert (record.study_instance_uid, record.scanner, record.model) == (uid, "CT_1", "ich-ct 1.0.0")
    assert record.events == {"quality_note": False, "out_of_scope": False, "flagged": True}
    assert record.numbers["score_logit"] == pytest.approx(2.3136, abs=1e-3)  # ln(0.91 / 0.09)
    assert record.categories["device"] == f"{CT.manufacturer} {CT.model_name}".strip()
    told = json.dumps(asdict(record), default=str)
    assert [word for word in (JANE.patient_name, JANE.patient_id) if word in told] == []


@pytest.mark.parametrize(
    ("probability", "answer", "told"),
    [
        (0.91, Answer.ACCEPT, {"missed": False, "wrong_place": False}),
        (0.91, Answer.MODIFY, {"missed": False, "wrong_place": True}),
        (0.91, Answer.REJECT, {"false_flag": True}),
        (0.10, Answer.ADD, {"missed": True}),
        (0.10, None, {"false_flag": False}),
    ],
)
def test_what_readers_say_counts_as_misses_and_false_flags(engine, probability, answer, told):
    department, work = Department(engine), services_on(engine).work
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, probability))
    if answer is not None:
        work.answer(uid, READER, answer, Exposure.ROW, "")
    work.mark_read(uid, READER)

    (record,) = RecordReader(engine).between(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))

    spoken = {name: record.events[name] for name in record.events.keys() & {"missed", "false_flag", "wrong_place"}}
    assert spoken == told


def test_an_alarm_goes_its_way_and_every_step_is_in_the_chain(rows, engine):
    (kept,) = rows.open_new([an_alarm()], NOW)
    assert rows.open_new([an_alarm(), an_alarm(date(2026, 7, 25))], NOW) == []  # one of its stream is open

    rows.acknowledge(kept.number, READER, NOW)
    rows.assign(kept.number, "physicist", READER, NOW)
    with pytest.raises(ActNotPossible, match="needed an explanation"):
        rows.close(kept.number, Disposition(AlarmCause.PROTOCOL_CHANGE), READER, NOW)
    closed = rows.close(kept.number, Disposition(AlarmCause.PROTOCOL_CHANGE, "new kernel", "CAPA-7", True), READER, NOW)

    assert (closed.state, closed.owner, closed.action) == (AlarmState.CLOSED, "physicist", "CAPA-7")
    with pytest.raises(ActNotPossible, match="is closed"):
        rows.acknowledge(kept.number, READER, NOW)
    with pytest.raises(ActNotPossible, match="there is no alarm 99"):
        rows.acknowledge(99, READER, NOW)
    assert rows.open_new([an_alarm()], NOW) == []  # known already
    assert len(rows.open_new([an_alarm(date(2026, 8, 1))], NOW)) == 1
    events = list(AuditTrail(engine).every())
    assert [one.event.action.value for one in events] == [
        "alarm_opened", "alarm_acknowledged", "alarm_assigned", "alarm_closed", "alarm_opened",
    ]  # fmt: skip
    assert verified(events).is_whole
    watch = decided(rows.all(), Calendar(UTC, date(2026, 8, 2)))
    assert watch.baselines == {an_alarm().key: date(2026, 7, 6)}
    assert watch.restarts == {an_alarm().key: date(2026, 7, 20)}


def test_an_alarm_that_nobody_takes_is_overdue_after_a_day(rows):
    (kept,) = rows.open_new([an_alarm()], NOW)

    assert not kept.is_overdue(NOW + timedelta(hours=23))
    assert kept.is_overdue(NOW + timedelta(hours=25))
    assert not rows.acknowledge(kept.number, READER, NOW).is_overdue(NOW + timedelta(hours=25))


def test_an_alarm_escalates_once_when_nobody_took_it_in_the_configured_time(rows, engine, tmp_path):
    settings = Settings(tmp_path, SettingsFile.model_validate({"surveillance": {"escalates_after_hours": 2}}))
    after = timedelta(hours=settings.file.surveillance.escalates_after_hours)
    rows.open_new([an_alarm(), an_alarm(stream="device")], NOW, after)
    rows.acknowledge(2, READER, NOW)

    early = watch_once(engine, settings, NOW + timedelta(hours=1.9))
    late = watch_once(engine, settings, NOW + timedelta(hours=2.1))
    again = watch_once(engine, settings, NOW + timedelta(hours=3))

    assert (early.escalated, again.escalated) == ([], [])
    assert [(one.number, one.escalated_at) for one in late.escalated] == [(1, NOW + timedelta(hours=2.1))]
    assert late.escalated[0].is_overdue(NOW + timedelta(hours=2.1))
    events = list(AuditTrail(engine).every())
    assert [one.event.details["alarm"] for one in events if one.event.action is AuditAction.ALARM_ESCALATED] == ["1"]
    assert verified(events).is_whole


def worse(amount, stream="missed"):
    alarm = replace(an_alarm(stream=stream), kind=StreamKind.PERFORMANCE, amount=amount)
    return replace(alarm, key=replace(alarm.key, model="head 1.0.0"))


@pytest.mark.parametrize(
    ("alarm", "policy", "paused"),
    [
        (worse(0.20), 0.15, True),
        (worse(0.20), None, False),
        (worse(0.10), 0.15, False),
        (replace(worse(0.20), side="lower"), 0.15, False),
        (worse(0.20, "estimated_accuracy"), 0.15, False),
        (replace(worse(0.20), key=StreamKey("Mercy", "CT_1", "head 2.0.0", "missed")), 0.15, False),
    ],
)
def test_flags_pause_where_readers_speak_against_the_model_as_much_as_the_site_said(
    rows, engine, alarm, policy, paused
):
    models = ModelRows(engine)
    (model,) = models.register([record("1.0.0")], Decision("ann", NOW - timedelta(days=9), ""))
    models.move(model.id, ModelState.ACTIVE, ModelAction.ACTIVATE, Decision("ann", NOW - timedelta(days=8), ""))
    rows.open_new([alarm], NOW)

    found = pause_flags(engine, policy, NOW)

    assert [one.number for one in found] == ([1] if paused else [])
    assert models.all()[0].state is (ModelState.SHADOW if paused else ModelState.ACTIVE)
    assert rows.all()[0].flags_paused_at == (NOW if paused else None)


def test_a_model_that_was_paused_and_activated_again_stays(rows, engine, database_url, monkeypatch, tmp_path, capsys):
    models = ModelRows(engine)
    (model,) = models.register([record("1.0.0")], Decision("ann", NOW - timedelta(days=9), ""))
    models.move(model.id, ModelState.ACTIVE, ModelAction.ACTIVATE, Decision("ann", NOW - timedelta(days=8), ""))
    rows.open_new([worse(0.20), worse(0.30, "false_flag")], NOW)

    pause_flags(engine, 0.15, NOW)
    models.move(model.id, ModelState.ACTIVE, ModelAction.ACTIVATE, Decision("ann", NOW + timedelta(hours=1), "checked"))
    again = pause_flags(engine, 0.15, NOW + timedelta(hours=2))

    assert (again, models.all()[0].state) == ([], ModelState.ACTIVE)
    assert models.history()[2].decision.why == "alarm 2: false_flag of CT_1 rose by 0.30"
    paused = [one.event for one in AuditTrail(engine).every() if one.event.action is AuditAction.FLAGS_PAUSED]
    assert [(one.details["model"], one.details["alarm"]) for one in paused] == [("head 1.0.0", "2")]
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)
    main(["alarms", "list"])
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert ("FLAGS PAUSED" in told["2"], "FLAGS PAUSED" in told["1"]) == (True, False)


def test_the_monitor_looks_at_an_empty_platform_without_alarm(engine, tmp_path):
    assert look_and_keep(engine, Settings(tmp_path, SettingsFile()), NOW) == []


def test_a_new_kernel_on_stored_studies_opens_one_alarm_that_a_report_tells(engine, database_url, tmp_path, monkeypatch,
                                                                             capsys):  # fmt: skip
    start = datetime(2026, 1, 1, 9, tzinfo=UTC)
    stored(engine, start, days=160, per_day=6, kernel=lambda day: "H31s" if day < 140 else "H60s")
    settings = Settings(tmp_path, SettingsFile())

    opened = look_and_keep(engine, settings, start + timedelta(days=160))
    again = look_and_keep(engine, settings, start + timedelta(days=160.1))

    assert [(one.alarm.key.scanner, one.alarm.key.stream) for one in opened] == [("CT_1", "kernel")]
    assert abs((opened[0].alarm.changed_on - date(2026, 5, 21)).days) <= 2
    assert again == []
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)
    assert main(["drift", "explain", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["streams"][0]["stream"], found["streams"][0]["after"]) == ("kernel", "H60s")
    report = ["surveillance", "report", "--from", "2026-01-01", "--to", "2026-06-30", "--out", str(tmp_path / "out")]
    assert main([*report, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["studies"], told["volumes"][0]["scanner"]) == (960, "CT_1")
    assert "kernel" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert main(["surveillance", "report", "--from", "2026-02-01", "--to", "2026-01-01", "--out", "x"]) == 2


def stored(engine, start, days, per_day, kernel):
    """Put studies into the tables as the receiver would leave them."""
    rows, images = [], []
    for day in range(days):
        for number in range(per_day):
            uid, at = f"1.2.3.{day}.{number}", start + timedelta(days=day, minutes=30 * number)
            header = to_json(replace(JANE, study_instance_uid=uid, institution_name="Mercy"))
            rows.append({"study_instance_uid": uid, "header": header, "status": "TRIAGED", "revision": 1,
                         "order_priority": 3, "priority": 3, "ai_state": "analysed_no_flag", "reason": "",
                         "received_at": at, "last_instance_at": at, "deadline": at, "modalities": ["CT"]})  # fmt: skip
            series = replace(CT, series_instance_uid=f"{uid}.1", convolution_kernel=kernel(day))
            images.append({"sop_instance_uid": f"{uid}.1.1", "series_instance_uid": f"{uid}.1",
                           "study_instance_uid": uid, "series_header": to_json(series),
                           "image_header": to_json(an_image(1)), "sha256": "a" * 64, "size": 1, "path": "x",
                           "transfer_syntax_uid": "1.2", "source_ae_title": "CT_1", "source_host": "h",
                           "association_id": "a", "received_at": at})  # fmt: skip
    with engine.begin() as connection:
        connection.execute(studies.insert(), rows)
        connection.execute(instances.insert(), images)


def test_alarms_through_the_api(rows, engine):
    (kept, _) = rows.open_new([an_alarm(), an_alarm(stream="missed")], NOW)
    services = services_on(engine)
    operator, viewer = with_role(services, Role.OPERATOR), with_role(services, Role.VIEWER)
    with running(create_app(services, QUICK)) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        path = f"/api/v1/alarms/{kept.number}"
        assert client.get("/api/v1/alarms", headers=viewer).status_code == 403
        assert client.post(f"{path}/acknowledge", headers=operator).json()["state"] == "acknowledged"
        assert client.post(f"{path}/assign", json={"owner": "ph"}, headers=operator).json()["owner"] == "ph"
        refused = client.post(f"{path}/close", json={"cause": "case_mix"}, headers=operator)
        assert (refused.status_code, "needed an explanation" in refused.json()["detail"]) == (409, True)
        body = {"cause": "case_mix", "explanation": "a new ward"}
        assert client.post(f"{path}/close", json=body, headers=operator).json()["state"] == "closed"
        told = client.get("/api/v1/alarms", headers=operator).json()
    assert [(one["stream"], one["state"]) for one in told] == [("missed", "open"), ("kernel", "closed")]


def test_alarms_on_the_command_line(rows, engine, database_url, monkeypatch, tmp_path, capsys):
    rows.open_new([an_alarm()], datetime.now(UTC))
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)

    assert main(["alarms", "ack", "1", "--by", "dr", "--json"]) == 0
    assert main(["alarms", "close", "1", "--cause", "outage", "--why", "power", "--by", "dr", "--json"]) == 0
    capsys.readouterr()
    assert main(["alarms", "list", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["state"], told["cause"], told["owner"], told["stream"]) == ("closed", "outage", "dr", "kernel")
    assert main(["alarms", "ack", "1"]) == 2
    assert main(["drift", "status", "--json"]) == 0
