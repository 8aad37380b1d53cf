"""People are told of what cannot wait, by real servers, with nothing lost and nobody told of a patient."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from deploy.cli import main
from deploy.clock import SystemClock
from deploy.jobs import open_queue, take_up_lost_jobs
from deploy.notifying import add_notifications, climb, ladder_of, messengers_of, telling_of
from deploy.settings import Settings, SettingsFile, read_settings
from storage.alarms import AlarmRows
from storage.audit import AuditTrail
from storage.deliveries import DeliveryLedger
from storage.notifications import Outbox
from storage.work_queue import NOTIFICATION_QUEUE
from tests.browser.department import HAEMORRHAGE, ICH, Department, Said, services_on
from tests.integration.test_worklist_api import CT
from tests.integration.test_worklist_api import JANE as ANY_JANE
from tests.listeners import mail_listener, webhook_listener
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import DestinationRefused, DestinationUnavailable, InvalidSetting
from triage.notifications import EventKind, Message
from triage.surveillance import Alarm, StreamKey, StreamKind
from worklist.messengers.webhook import signature

READER = Actor("rad", "reader")
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
JANE = replace(ANY_JANE, patient_id="PID-4711", accession_number="ACC-77")
NOT_TOLD = ("Doe", "Jane", "emorrhage", JANE.patient_id, JANE.accession_number, JANE.study_description)


@pytest.fixture
def department(engine):
    services_on(engine).accounts.create_account("rad", "-", "reader", datetime.now(UTC))
    return Department(engine)


@pytest.fixture
def outbox(engine):
    return Outbox(engine)


@pytest.fixture
def webhook():
    with webhook_listener() as listener:
        yield listener


def settings_with(tmp_path, steps=({"targets": ["pager"]},), targets=(), **more):
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    named = [{**one, **({"secret_file": str(secret)} if "url" in one else {})} for one in targets]
    told = {"targets": named, "steps": list(steps), **more}
    page = {"page_url": "https://acuity.example/"}
    return Settings(tmp_path, SettingsFile.model_validate({"notifications": told, "web": page}))


@pytest.fixture
def settings(tmp_path, webhook):
    return settings_with(tmp_path, targets=[{"name": "pager", "url": webhook.url}])


def a_critical_study(department):
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uid


def send(database_url, settings, outbox):
    """Do the jobs that are due now, as a delivery worker does."""
    queue = open_queue(database_url)
    add_notifications(queue, telling_of(settings, outbox, SystemClock()))

    async def run():
        async with queue.open_async():
            await queue.run_worker_async(queues=[NOTIFICATION_QUEUE], wait=False, install_signal_handlers=False)

    asyncio.run(run())


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def grow_older(engine, minutes):
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification_events SET at = at - :by"), {"by": timedelta(minutes=minutes)})


def noted(engine):
    return [one.event.action.value for one in reversed(AuditTrail(engine).newest(100))]


def test_a_new_critical_study_is_posted_signed_and_without_a_patient(
    department, settings, outbox, engine, database_url, webhook
):
    department.receives(replace(JANE, patient_name="ROUTINE^ROB"), CT)
    uid = a_critical_study(department)

    assert climb(outbox, ladder_of(settings), SystemClock()) == 1
    send(database_url, settings, outbox)

    ((headers, body),) = webhook.requests
    told = json.loads(body)
    assert (told["type"], told["band"], told["link"]) == (
        "critical_study", "CRITICAL", f"https://acuity.example/?study={uid}",
    )  # fmt: skip
    assert not [word for word in NOT_TOLD if word in body.decode()]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"a secret of thirty-two bytes ...", signed, hashlib.sha256).digest())
    assert headers["webhook-signature"] == f"v1,{expected.decode()}"
    assert headers["idempotency-key"] == headers["webhook-id"] == outbox.newest(1)[0].id
    assert noted(engine)[-1] == "notification_sent"


def test_the_signature_is_that_of_the_published_example():
    # The example of the Standard Webhooks specification.
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
            b'{"test": 2432232314}',
        )
        == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )  # fmt: skip


def test_the_accession_number_is_told_where_the_settings_say_so(tmp_path, department, outbox, database_url, webhook):
    settings = settings_with(tmp_path, targets=[{"name": "pager", "url": webhook.url}], accession_number=True)
    a_critical_study(department)

    climb(outbox, ladder_of(settings), SystemClock())
    send(database_url, settings, outbox)

    assert json.loads(webhook.requests[0][1])["accession_number"] == JANE.accession_number


def test_the_event_and_its_study_are_one_transaction(department, engine, transactions):
    uid = department.receives(JANE, CT)
    with pytest.raises(ZeroDivisionError), transactions.begin() as records:
        study = records.studies.get(uid)
        records.studies.save(replace(study, priority=study.priority.CRITICAL))
        raise ZeroDivisionError

    assert rows(engine, "SELECT kind FROM notification_events") == []


@pytest.mark.parametrize("act", ["open", "claim"])
def test_the_ladder_climbs_until_somebody_opens_or_claims_the_study(act, tmp_path, department, outbox, engine, webhook):
    steps = ({"targets": ["pager"]}, {"after_minutes": 10, "targets": ["pager"]})
    ladder = ladder_of(settings_with(tmp_path, steps, [{"name": "pager", "url": webhook.url}]))
    clock, services = SystemClock(), services_on(engine)
    seen, ignored = a_critical_study(department), a_critical_study(department)
    assert climb(outbox, ladder, clock) == 2
    assert climb(outbox, ladder, clock) == 0

    if act == "open":
        services.audit.note(view_of(seen))
    else:
        services.work.claim(seen, READER)
    grow_older(engine, 10)

    assert climb(outbox, ladder, clock) == 1
    assert rows(engine, "SELECT subject, ending, ended_by FROM notification_events ORDER BY number") == [
        (seen, "acknowledged", "rad"),
        (ignored, None, ""),
    ]
    assert "escalation_ended" in noted(engine)


def view_of(uid, name="rad"):
    return AuditEvent(datetime.now(UTC), Actor(name, "reader"), AuditAction.STUDY_VIEWED, study_instance_uid=uid)


def test_an_api_token_that_opens_a_study_is_nobody(department, settings, outbox, engine):
    uid = a_critical_study(department)
    AuditTrail(engine).note(view_of(uid, "api token 12345678"))

    assert climb(outbox, ladder_of(settings), SystemClock()) == 1
    assert [one.acknowledged_by for one in outbox.open_events()] == [""]


def test_a_study_that_was_read_is_over_and_what_waits_is_dropped(
    department, settings, outbox, engine, database_url, webhook
):
    uid = a_critical_study(department)
    climb(outbox, ladder_of(settings), SystemClock())

    services_on(engine).work.mark_read(uid, READER)
    climb(outbox, ladder_of(settings), SystemClock())
    send(database_url, settings, outbox)

    assert webhook.requests == []
    assert [one.state for one in outbox.newest(5)] == ["dropped"]


def a_drift_alarm(scanner):
    key = StreamKey("", scanner, "ct-head", "mean")
    return Alarm(key, StreamKind.OUTPUT, date(2026, 11, 2), date(2026, 11, 1), "up", 5.0, 4.0, 0.2, ())


def test_an_alarm_and_a_dead_letter_are_told_until_they_are_handled(department, settings, outbox, engine):
    alarms, now, clock = AlarmRows(engine), datetime.now(UTC), SystemClock()
    (opened,) = alarms.open_new([a_drift_alarm("CT1")], now)
    for minutes in (5, 4):
        department.sends(department.receives(JANE, CT, minutes_ago=minutes), {"PACS": "refused: no such class"})

    assert climb(outbox, ladder_of(settings), clock) == 2  # two dead letters of one destination are one event
    alarms.acknowledge(opened.number, Actor("lead", "lead"), now)
    DeliveryLedger(engine).replay("PACS", "", READER, now)
    climb(outbox, ladder_of(settings), clock)

    assert rows(engine, "SELECT kind, subject, ending, ended_by FROM notification_events ORDER BY number") == [
        ("alarm", str(opened.number), "acknowledged", "lead"),
        ("dead_letter", "PACS", "acknowledged", "rad"),
    ]


def test_an_alarm_that_nobody_takes_climbs_the_ladder_again_when_it_escalates(
    tmp_path, department, outbox, engine, database_url, webhook
):
    settings = settings_with(
        tmp_path,
        [{"targets": ["pager"], "events": ["alarm"]}, {"targets": ["head"], "events": ["escalated_alarm"]}],
        [{"name": "pager", "url": webhook.url}, {"name": "head", "url": webhook.url}],
    )
    now, alarms = datetime.now(UTC), AlarmRows(engine)
    opened = alarms.open_new([a_drift_alarm("CT1"), a_drift_alarm("CT2")], now, timedelta(hours=2))
    climb(outbox, ladder_of(settings), SystemClock())
    send(database_url, settings, outbox)
    climb(outbox, ladder_of(settings), SystemClock())

    alarms.acknowledge(opened[1].number, Actor("lead", "lead"), now)
    alarms.escalate(now + timedelta(hours=3))
    climb(outbox, ladder_of(settings), SystemClock())
    send(database_url, settings, outbox)
    told = [(one.target, one.subject, one.state) for one in reversed(outbox.newest(5))]
    alarms.acknowledge(opened[0].number, Actor("lead", "lead"), now)
    climb(outbox, ladder_of(settings), SystemClock())

    first, second = (str(one.number) for one in opened)
    assert sorted(told[:2]) == [("pager", first, "sent"), ("pager", second, "sent")]
    assert told[2:] == [("head", first, "sent")]
    _, last = webhook.requests[-1]
    assert f"panel=surveillance&alarm={first}" in json.loads(last)["link"]
    assert rows(engine, "SELECT subject, ending, ended_by FROM notification_events WHERE kind = 'escalated_alarm'") == [
        (first, "acknowledged", "lead")
    ]


def test_nothing_piles_up_where_nobody_is_to_be_told(department, outbox, engine):
    a_critical_study(department)

    assert climb(outbox, (), SystemClock()) == 0
    assert rows(engine, "SELECT ending FROM notification_events") == [("no_ladder",)]


@pytest.mark.parametrize(("status", "state"), [(503, "planned"), (429, "planned"), (404, "refused"), (302, "refused")])
def test_what_may_pass_is_tried_again_and_what_will_not_is_refused(
    status, state, department, settings, outbox, engine, database_url, webhook
):
    webhook.answers = [status]
    a_critical_study(department)
    climb(outbox, ladder_of(settings), SystemClock())

    send(database_url, settings, outbox)

    (one,) = outbox.newest(5)
    assert (one.state, one.attempts, f"answered {status}" in one.last_error) == (state, 1, True)
    waits = rows(engine, "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now()")
    assert bool(waits) == (state == "planned")
    assert ("notification_refused" in noted(engine)) == (state == "refused")
    if state == "refused":
        outbox.retry(one.id, READER, datetime.now(UTC))
        send(database_url, settings, outbox)
        assert [headers["idempotency-key"] for headers, _ in webhook.requests] == [one.id, one.id]
        assert outbox.newest(1)[0].state == "sent"


def test_a_worker_that_is_killed_before_it_noted_sends_again_with_the_same_key(
    tmp_path, department, settings, outbox, engine, database_url, webhook
):
    a_critical_study(department)
    climb(outbox, ladder_of(settings), SystemClock())
    config = tmp_path / "acuity.json"
    config.write_text(json.dumps(settings.file.model_dump(mode="json") | {"database": {"url": database_url}}))
    command = [sys.executable, "-m", "deploy.cli", "work", "--queue", "delivery", "--config", str(config)]
    worker = subprocess.Popen(command, env={**os.environ, "ACUITY_HOME": str(tmp_path)}, stderr=subprocess.DEVNULL)
    webhook.before_answer = lambda: (worker.send_signal(signal.SIGKILL), worker.wait())
    worker.wait(timeout=60)
    webhook.before_answer = lambda: None
    assert (len(webhook.requests), outbox.newest(1)[0].state) == (1, "planned")

    with engine.begin() as connection:
        connection.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"))
    queue = open_queue(database_url)

    async def take_up():
        async with queue.open_async():
            return await take_up_lost_jobs(queue)

    assert asyncio.run(take_up()) == 1
    send(database_url, settings, outbox)
    send(database_url, settings, outbox)

    keys = [headers["idempotency-key"] for headers, _ in webhook.requests]
    assert (len(keys), len(set(keys)), outbox.newest(1)[0].state) == (2, 1, "sent")
    assert noted(engine).count("notification_sent") == 1


A_MESSAGE = Message(
    "0b8f3a0e-1111-4222-8333-444455556666", EventKind.CRITICAL_STUDY, "2.25.1", datetime(2026, 11, 23, 3, tzinfo=UTC),
    1, "https://acuity.example/?study=2.25.1",
)  # fmt: skip


def mail_to(tmp_path, listener, **more):
    mail = {"host": "127.0.0.1", "port": listener.port, "sender": "acuity@example.org", **more}
    targets = [{"name": "lead", "mail_to": "lead@example.org"}]
    return messengers_of(settings_with(tmp_path, ({"targets": ["lead"]},), targets, mail=mail))["lead"]


def test_a_mail_goes_over_tls_and_is_known_by_its_message_id(tmp_path):
    with mail_listener(tmp_path) as listener:
        mail_to(tmp_path, listener, authorities=str(listener.authority)).send(A_MESSAGE)

    (letter,) = listener.letters
    assert listener.over_tls == [True]
    assert (letter["To"], letter["Subject"]) == ("lead@example.org", "Acuity: Critical study on the list")
    assert letter["Message-ID"] == f"<{A_MESSAGE.id}@acuity>"
    assert A_MESSAGE.link in letter.get_content()


@pytest.mark.parametrize(
    ("answer", "error"), [("451 try later", DestinationUnavailable), ("550 nobody here", DestinationRefused)]
)
def test_a_mail_server_s_answer_says_whether_it_is_tried_again(answer, error, tmp_path):
    with mail_listener(tmp_path) as listener:
        listener.refusals = [answer]
        with pytest.raises(error, match=answer):
            mail_to(tmp_path, listener, authorities=str(listener.authority)).send(A_MESSAGE)


def test_no_mail_goes_in_the_clear_or_to_a_server_that_nobody_vouches_for(tmp_path):
    with mail_listener(tmp_path, offers_tls=False) as listener, pytest.raises(DestinationRefused, match="STARTTLS"):
        mail_to(tmp_path, listener).send(A_MESSAGE)
    with mail_listener(tmp_path) as listener, pytest.raises(DestinationUnavailable, match="certificate"):
        mail_to(tmp_path, listener).send(A_MESSAGE)
    assert listener.letters == []


def test_a_ladder_that_names_no_target_and_a_missing_secret_are_told(tmp_path):
    config = tmp_path / "acuity.toml"
    config.write_text('[[notifications.steps]]\ntargets = ["pager"]\n')
    with pytest.raises(InvalidSetting, match="steps name pager; the targets are none"):
        read_settings(config, {})

    config.write_text('[[notifications.targets]]\nname = "p"\nurl = "https://x.example"\nsecret_file = "/no/such"\n')
    with pytest.raises(InvalidSetting, match="target p: secret_file: /no/such: not readable"):
        messengers_of(read_settings(config, {}))


def test_the_command_line_lists_and_tries_a_target(settings, database_url, tmp_path, webhook, capsys, monkeypatch):
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    config = tmp_path / "acuity.json"
    config.write_text(json.dumps(settings.file.model_dump(mode="json") | {"database": {"url": database_url}}))

    def acuity(*words):
        return main(["notifications", *words, "--config", str(config)])

    assert acuity("test", "pager") == 0
    assert json.loads(webhook.requests[0][1])["type"] == "trial"
    webhook.answers = [503, 410]
    assert [acuity("test", "pager") for _ in range(2)] == [1, 2]
    assert (acuity("test", "nobody"), acuity("retry", "x")) == (2, 2)
    capsys.readouterr()
    assert (acuity("list", "--json"), json.loads(capsys.readouterr().out)) == (0, [])
