"""What people choose of the page is with their account."""

import httpx
import pytest

from tests.browser.department import PASSWORD, services_on
from tests.browser.serving import running
from tests.integration.test_administration import log_in
from tests.integration.test_worklist_api import with_role
from worklist.app import create_app
from worklist.roles import Role
from worklist.settings import WebSettings

PATH = "/api/v1/preferences"
NOTHING = {"language": None, "theme": None, "keys": None, "letter_keys": None}


@pytest.fixture
def services(engine):
    return services_on(engine)


@pytest.fixture
def client(services):
    app = create_app(services, WebSettings())
    with running(app) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        yield client


def test_what_was_chosen_is_there_at_the_next_login_and_for_nobody_else(client, services):
    log_in(client, services, "bob")
    assert client.get(PATH).json() == NOTHING
    chosen = {"language": "de", "keys": {"claim": "x", "next": "ö"}, "letter_keys": False}
    assert client.patch(PATH, json=chosen).status_code == 204

    log_in(client, services, "eve")
    assert client.get(PATH).json() == NOTHING
    client.post("/api/v1/session", json={"name": "bob", "password": PASSWORD}).raise_for_status()

    assert client.get(PATH).json() == {**NOTHING, **chosen}


def test_choosing_one_thing_leaves_the_others_and_null_brings_the_default_back(client, services):
    log_in(client, services, "bob")
    client.patch(PATH, json={"language": "de", "theme": "light"}).raise_for_status()

    client.patch(PATH, json={"theme": "dark"}).raise_for_status()
    assert client.get(PATH).json() == {**NOTHING, "language": "de", "theme": "dark"}
    client.patch(PATH, json={"language": None}).raise_for_status()
    assert client.get(PATH).json() == {**NOTHING, "theme": "dark"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "fr"},
        {"theme": "pink"},
        {"keys": {"claim": "xy"}},
        {"keys": {"claim": " "}},
        {"keys": {"claim": "\x00"}},
        {"keys": {"CLAIM": "x"}},
        {"keys": {f"command_{'a' * number}": "x" for number in range(65)}},
        {"columns": ["due"]},
    ],
)
def test_what_no_page_can_use_is_refused_and_nothing_is_kept(client, services, wrong):
    log_in(client, services, "bob")

    assert client.patch(PATH, json=wrong).status_code == 422
    assert services.preferences.of("bob") == {}


def test_an_api_token_chooses_nothing_and_an_account_that_goes_takes_its_choice_along(client, services):
    refused = client.patch(PATH, json={"theme": "dark"}, headers=with_role(services, Role.READER))
    assert (refused.status_code, "API token" in refused.json()["detail"]) == (409, True)

    log_in(client, services, "bob")
    client.patch(PATH, json={"theme": "dark"}).raise_for_status()
    services.accounts.remove_account("bob")
    assert services.preferences.of("bob") == {}
