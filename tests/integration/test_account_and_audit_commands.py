"""`acuity users` and `acuity audit` on a real database."""

import io
import json

import pytest
from sqlalchemy import text

from deploy.cli import main
from storage.accounts import AccountRows
from worklist.auth import LOCKS, Passwords
from worklist.roles import Role


@pytest.fixture
def acuity(monkeypatch, tmp_path, database_url, capsys):
    """Run one command on the test's database and return its exit code and what it printed."""
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    monkeypatch.setenv("ACUITY_DATABASE_URL", database_url)

    def run(*words, said=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(said))
        code = main(words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_an_account_that_was_made_can_log_in_with_the_password_told_once(acuity, engine, clock):
    code, out, _ = acuity("users", "add", "dr.patel", "--role", "reader", "--json")

    made = json.loads(out)
    claimed = AccountRows(engine).claim_attempt("dr.patel", clock.now(), LOCKS)
    assert (code, made["role"], claimed.role) == (0, "reader", Role.READER)
    assert Passwords().matches(claimed.password_hash, made["password"])


def test_a_given_password_is_not_told_and_a_short_one_refused(acuity):
    code, out, _ = acuity("users", "add", "ann", "--role", "lead", "--password-stdin", said="long enough to keep\n")
    assert (code, "long enough" in out) == (0, False)

    code, _, err = acuity("users", "add", "bob", "--role", "lead", "--password-stdin", said="short\n")
    assert (code, err) == (2, "acuity: password: 5 characters, needed 12 to 1024\n")
    assert json.loads(acuity("users", "list", "--json")[1]) == [{"name": "ann", "role": "lead", "locked": False}]


def test_a_name_that_is_taken_or_unknown_or_odd_is_refused_in_one_line(acuity):
    acuity("users", "add", "ann", "--role", "reader")

    assert acuity("users", "add", "ann", "--role", "lead")[0] == 2
    for words in (("role", "bob", "--role", "lead"), ("password", "bob"), ("unlock", "bob"), ("remove", "bob")):
        assert acuity("users", *words)[::2] == (2, "acuity: account 'bob': there is none; see acuity users list\n")
    assert acuity("users", "add", " ann", "--role", "lead")[0] == 2


def test_another_role_or_password_ends_the_logins_and_unlocking_lets_in_again(acuity, engine, clock):
    _, out, _ = acuity("users", "add", "ann", "--role", "reader", "--json")
    accounts = AccountRows(engine)
    for _ in range(5):
        accounts.claim_attempt("ann", clock.now(), LOCKS)
    assert accounts.claim_attempt("ann", clock.now(), LOCKS) is None

    acuity("users", "unlock", "ann")
    accounts.add_session("0" * 64, "ann", clock.now(), clock.now().replace(year=2999))
    acuity("users", "role", "ann", "--role", "lead")

    assert accounts.find_session("0" * 64, clock.now()) is None
    assert accounts.claim_attempt("ann", clock.now(), LOCKS).role == "lead"
    acuity("users", "remove", "ann")
    assert not accounts.has_account("ann")
    assert json.loads(out)["name"] == "ann"


def test_the_chain_is_verified_exported_and_found_broken(acuity, engine):
    acuity("users", "add", "ann", "--role", "reader")
    acuity("users", "role", "ann", "--role", "lead")

    whole = json.loads(acuity("audit", "verify", "--json")[1])
    assert (whole["whole"], whole["events"]) == (True, 2)
    anchor = f"{whole['events']}:{whole['head']}"
    assert acuity("audit", "verify", "--anchor", anchor)[0] == 0
    lines = acuity("audit", "export", "--format", "csv")[1].splitlines()
    assert (lines[0].split(",")[0], len(lines)) == ("number", 3)
    events = [json.loads(line) for line in acuity("audit", "export", "--format", "fhir")[1].splitlines()]
    assert [one["resourceType"] for one in events] == ["AuditEvent", "AuditEvent"]

    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER append_only"))
        connection.execute(text("DELETE FROM audit_events WHERE number = 2"))
    assert acuity("audit", "verify")[0] == 0
    code, out, _ = acuity("audit", "verify", "--anchor", anchor)
    assert (code, out.startswith("BROKEN behind event 1: link 2: no such link")) == (1, True)


def test_an_anchor_that_is_none_is_refused_in_one_line(acuity):
    code, _, err = acuity("audit", "verify", "--anchor", "yesterday")

    assert (code, err.count("\n")) == (2, 1)
    assert "NUMBER:SHA256" in err
