"""`acuity deliveries`, `acuity storage` and the API of the page: what they say and what they change."""

import json

import httpx
import pytest
from sqlalchemy import text

from deploy.cli import main
from storage.audit import AuditTrail
from tests.browser.department import services_on
from tests.browser.serving import running
from tests.builders import STUDY, an_instance
from tests.integration.test_worklist_api import QUICK, with_role
from triage.errors import DestinationRefused
from triage.forwarding import plan_forwarding
from triage.priority import Priority
from worklist.app import create_app
from worklist.roles import Role


@pytest.fixture
def refused(receiving, transactions, clock):
    """Three images of which the PACS refused two for good."""
    receiving.register_instances([an_instance(number) for number in range(3)])
    with transactions.begin() as records:
        plan_forwarding(records, STUDY, "PACS", Priority.ROUTINE)
        uids = [one.sop_instance_uid for one in records.forwardings.waiting(STUDY, "PACS")]
        records.forwardings.note_all(uids[:2], "PACS", DestinationRefused("PACS: C000H"), clock.now())
    return uids[:2]


@pytest.fixture
def command(database_url, tmp_path, monkeypatch, capsys):
    """Run one command on this test's database; gives the exit code and what was printed."""
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "acuity.toml").write_text(
        '[[destinations]]\nname = "PACS"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
    )

    def run(*words: str) -> tuple[int, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out or said.err

    return run


def jobs(engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT queue_name FROM procrastinate_jobs ORDER BY id")))


def test_refused_deliveries_are_listed_and_planned_again(refused, command, engine):
    code, printed = command("deliveries", "list", "--failed", "--limit", "99999999999999999999", "--json")
    answer = json.loads(printed)
    assert (code, {one["id"] for one in answer["deliveries"]}) == (0, {f"{uid}@PACS" for uid in refused})
    assert {(one["kind"], one["state"], one["attempts"]) for one in answer["deliveries"]} == {
        ("original", "refused", 1)
    }
    (destination,) = answer["destinations"]
    assert (destination["name"], destination["planned"], destination["refused"]) == ("PACS", 1, 2)

    assert command("deliveries", "replay", f"{refused[0]}@PACS", "--json") == (0, '{"replayed": 1}\n')
    assert command("deliveries", "replay", "--destination", "PACS") == (0, "1 planned again\n")

    assert json.loads(command("deliveries", "list", "--failed", "--json")[1])["deliveries"] == []
    assert jobs(engine) == ["delivery:PACS"] * 3
    assert [one.event.action.value for one in AuditTrail(engine).newest(2)] == ["deliveries_replayed"] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay",), "one of a delivery"),
        (("replay", "1.2.3"), "UID@NAME"),
        (("replay", "1.2.3@PACS", "--destination", "PACS"), "one of a delivery"),
        (("replay", "1.2.3@PACS"), "1.2.3@PACS: is no refused delivery"),
        (("send", STUDY, "--destination", "ATTIC"), "the settings name PACS"),
        (("send", "1.2.3", "--destination", "PACS"), "study 1.2.3: never received"),
    ],
)
def test_wrong_words_are_answered_in_one_line(words, said, command):
    code, printed = command("deliveries", *words)

    assert (code, printed.count("\n")) == (2, 1)
    assert said in printed


def test_a_study_is_planned_once(refused, command, receiving):
    receiving.register_instance(an_instance(7))

    assert command("deliveries", "send", STUDY, "--destination", "PACS", "--json") == (0, '{"planned": 1}\n')
    assert command("deliveries", "send", STUDY, "--destination", "PACS", "--json") == (0, '{"planned": 0}\n')


def test_verify_ends_with_one_where_a_file_is_missing(refused, command):
    code, printed = command("storage", "verify", "--json")

    answer = json.loads(printed)
    assert (code, answer["whole"], len(answer["missing"])) == (1, False, 3)
    assert answer["missing"][0]["found"] == "no such file"


def test_retention_removes_nothing_by_default(refused, command):
    assert json.loads(command("storage", "retention", "--json")[1]) == {"dry_run": False, "studies": []}


def test_the_page_lists_and_an_operator_replays(refused, engine):
    services = services_on(engine)
    with running(create_app(services, QUICK)) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        operator = with_role(services, Role.OPERATOR)
        listed = client.get("/api/v1/deliveries", params={"failed": True}, headers=operator).json()
        one = client.post(
            "/api/v1/deliveries/replay", json={"destination": "PACS", "sop_instance_uid": refused[0]}, headers=operator
        )
        again = client.post(
            "/api/v1/deliveries/replay", json={"destination": "PACS", "sop_instance_uid": refused[0]}, headers=operator
        )
        rest = client.post("/api/v1/deliveries/replay", json={"destination": "PACS"}, headers=operator)

    assert {one["id"] for one in listed["deliveries"]} == {f"{uid}@PACS" for uid in refused}
    assert listed["destinations"][0]["refused"] == 2
    assert (one.json(), again.status_code, rest.json()) == ({"replayed": 1}, 409, {"replayed": 1})
    assert AuditTrail(engine).newest(1)[0].event.actor.role == "operator"
