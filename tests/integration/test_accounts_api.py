"""Accounts over the API: what is refused, and that nothing is changed by what was refused."""

import httpx
import pytest

from storage.accounts import AccountRows
from tests.browser.department import services_on
from tests.browser.serving import running
from tests.integration.test_worklist_api import QUICK, with_role
from worklist.app import create_app
from worklist.auth import Passwords
from worklist.roles import Role

ACCOUNTS = "/api/v1/accounts"


@pytest.fixture
def accounts(engine):
    return AccountRows(engine)


@pytest.fixture
def client(engine, accounts, clock):
    services = services_on(engine)
    accounts.create_account("ann", Passwords().hash("a long pass phrase"), Role.ADMIN.value, clock.now())
    with (
        running(create_app(services, QUICK)) as url,
        httpx.Client(base_url=url, headers={"Origin": url, **with_role(services, Role.ADMIN)}) as client,
    ):
        yield client


def told(answer):
    return answer.status_code, answer.json()["detail"]


def test_the_last_administrator_stays(client, accounts):
    last = "account 'ann': the last administrator cannot "

    assert told(client.post(f"{ACCOUNTS}/remove", json={"name": "ann"})) == (409, last + "be removed")
    assert told(client.post(f"{ACCOUNTS}/role", json={"name": "ann", "role": "reader"})) == (
        409,
        last + "get another role",
    )
    assert [(one.name, one.role) for one in accounts.every()] == [("ann", "admin")]
    assert client.post(ACCOUNTS, json={"name": "bob", "role": "admin"}).status_code == 201
    assert client.post(f"{ACCOUNTS}/remove", json={"name": "ann"}).status_code == 204
    assert [one.name for one in accounts.every()] == ["bob"]


def test_names_that_are_taken_or_odd_short_passwords_and_unknown_accounts_are_refused(client, accounts):
    refused = [
        (ACCOUNTS, {"name": "ann", "role": "reader"}, "is there already"),
        (ACCOUNTS, {"name": " bob", "role": "reader"}, "without blanks at the ends"),
        (ACCOUNTS, {"name": "bob", "role": "reader", "password": "short"}, "needed 12 to"),
        (f"{ACCOUNTS}/password", {"name": "bob"}, "there is none"),
        (f"{ACCOUNTS}/unlock", {"name": "bob"}, "there is none"),
    ]

    for path, body, words in refused:
        status, detail = told(client.post(path, json=body))
        assert (status, words in detail) == (409, True), (path, detail)
    assert client.post(ACCOUNTS, json={"name": "bob", "role": "emperor"}).status_code == 422
    assert [one.name for one in accounts.every()] == ["ann"]


def test_a_password_that_was_given_is_not_told_again(client, accounts):
    answer = client.post(f"{ACCOUNTS}/password", json={"name": "ann", "password": "another long phrase"})

    assert (answer.status_code, answer.json()) == (200, {"password": None})
    listed = client.get(ACCOUNTS).json()["accounts"]
    assert listed == [{"name": "ann", "role": "admin", "sites": None, "locked_until": None, "from_provider": False}]
