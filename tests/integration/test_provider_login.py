"""Logging in at a real OpenID provider on the loopback: let in with the mapped role, or refused with the reason."""

import base64
import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import text

from storage.accounts import AccountRows
from storage.audit import AuditTrail
from storage.provider_accounts import ProviderAccounts
from tests.browser.department import services_on
from tests.browser.serving import running
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, local_provider
from tests.integration.test_worklist_api import QUICK
from tests.running import free_port
from worklist.app import create_app
from worklist.oidc import Provider, ProviderSettings, SignIn
from worklist.roles import Role

START, CALLBACK = "/api/v1/session/provider/start", "/api/v1/session/provider/callback"


@pytest.fixture(scope="module")
def served():
    with local_provider() as provider:
        yield provider


@pytest.fixture
def idp(served):
    """The provider as it is meant to be, whatever the test before did with it."""
    served.claims, served.header, served.declines, served.published = {}, {}, False, None
    return served


@pytest.fixture
def page(engine, idp):
    """A browser that has not logged in; it keeps cookies and follows nothing by itself."""
    port = free_port()
    settings = ProviderSettings(
        name="Hospital", issuer=idp.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET,
        page_url=f"http://127.0.0.1:{port}", scopes="openid profile", name_claim="preferred_username",
        role_claim="roles", roles={"department-heads": Role.LEAD, "radiologists": Role.READER},
    )  # fmt: skip
    sign_in = SignIn(Provider(settings), ProviderAccounts(engine))
    app = create_app(services_on(engine), QUICK, sign_in)
    with running(app, port) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        client.settings, client.sign_in = settings, sign_in
        yield client


def to_callback(page):
    """Begin, log in at the provider, and return the address that the browser is sent back to."""
    begun = page.get(START)
    assert begun.status_code == 303
    return httpx.get(begun.headers["location"]).headers["location"]


def log_in(page):
    """Return what the page says in its address after the whole way: nothing where one is let in."""
    answer = page.get(to_callback(page))
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query).get("login", [""])[0]


def last_event(engine):
    return AuditTrail(engine).newest(1)[0].event


def test_who_is_vouched_for_is_let_in_with_the_mapped_role(page, engine):
    assert page.get("/api/v1/session/provider").json() == {"name": "Hospital"}

    assert log_in(page) == ""

    told = page.get("/api/v1/session").json()
    assert (told["name"], told["role"]) == ("ann", "reader")
    events = [one.event for one in AuditTrail(engine).newest(2)]
    assert [(one.action.value, one.actor.name) for one in events] == [
        ("logged_in", "ann"),
        ("account_changed", "acuity"),
    ]
    assert page.delete("/api/v1/session").status_code == 204
    assert page.get("/api/v1/session").status_code == 401


def test_the_session_cookie_stays_strict_and_the_other_one_goes(page):
    answer = page.get(to_callback(page))

    cookies = answer.headers.get_list("set-cookie")
    assert ["samesite=strict" in one.lower() for one in cookies if one.startswith("acuity=")] == [True]
    assert ["Max-Age=0" in one for one in cookies if one.startswith("acuity-login=")] == [True]
    assert not page.cookies.get("acuity-login")


def unsigned(token):
    """Return the token as it would be without a signature: header alg "none"."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonce": "of another login"}, "nonce"),
        ({"aud": "another-client"}, "audience"),
        ({"aud": [CLIENT_ID, "another-client"], "azp": "another-client"}, "audience"),
        ({"iss": "https://elsewhere.example"}, "issuer"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"roles": ["staff"]}, "role"),
        ({"roles": None}, "role"),
        ({"preferred_username": " "}, "name"),
    ],
)
def test_a_token_that_is_not_as_it_must_be_lets_nobody_in(change, reason, page, idp, engine):
    idp.claims = change

    assert log_in(page) == reason

    event = last_event(engine)
    assert (event.action.value, event.succeeded, event.details) == (
        "login_refused", False, {"provider": idp.url, "reason": reason},
    )  # fmt: skip
    assert page.get("/api/v1/session").status_code == 401
    assert AccountRows(engine).every() == []


def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(page, idp, monkeypatch):
    idp.published = RSAKey.generate_key(2048, {"kid": "one"})
    assert log_in(page) == "signature"

    idp.published, signed = None, idp.token
    monkeypatch.setattr(idp, "token", lambda asked: unsigned(signed(asked)))
    assert log_in(page) == "token"


def test_new_keys_of_the_provider_are_asked_for(page, idp):
    assert log_in(page) == ""

    idp.key = RSAKey.generate_key(2048, {"kid": "two"})

    assert log_in(page) == ""


def test_a_state_that_was_not_given_to_this_browser_lets_nobody_in(page, engine):
    address = to_callback(page)
    forged = address.replace("state=", "state=x")

    assert "login=state" in page.get(forged).headers["location"]
    with httpx.Client(base_url=page.base_url) as another:
        assert "login=state" in another.get(address).headers["location"]
    assert last_event(engine).details["reason"] == "state"


def test_a_callback_works_once(page):
    address = to_callback(page)
    cookie = page.cookies.get("acuity-login")
    page.get(address)

    again = httpx.get(str(page.base_url.join(address)), cookies={"acuity-login": cookie})

    assert "login=state" in again.headers["location"]


def test_a_code_that_was_used_and_a_person_who_declines_are_told(page, idp):
    address = to_callback(page)
    idp.asked.clear()
    assert "login=code" in page.get(address).headers["location"]

    idp.declines = True
    assert log_in(page) == "declined"


def test_a_provider_that_is_away_is_told(page, engine, idp):
    away = ProviderSettings("H", f"http://127.0.0.1:{free_port()}", "c", "", "http://x", "openid", "n", "r", {})
    app = create_app(services_on(engine), QUICK, SignIn(Provider(away), ProviderAccounts(engine)))
    with running(app) as url:
        assert httpx.get(f"{url}{START}").headers["location"] == "/?login=away"
        assert httpx.get(f"{url}/api/v1/session/provider/logout").headers["location"] == "/"
    assert last_event(engine).details == {"provider": away.issuer, "reason": "away"}


def test_nobody_takes_the_account_of_somebody_else(page, idp, engine):
    AccountRows(engine).create_account("ann", "-", "admin", services_on(engine).clock.now())
    assert log_in(page) == "taken"

    idp.claims = {"preferred_username": "bob"}
    assert log_in(page) == ""
    # The provider gave the name to another person: the account stays with its subject.
    idp.claims = {"preferred_username": "bob", "sub": "another"}
    assert log_in(page) == "taken"


def test_another_role_at_the_provider_ends_the_sessions_and_no_role_does_too(page, idp, engine):
    assert log_in(page) == ""
    first = page.cookies.get("acuity")
    idp.claims = {"roles": ["radiologists", "department-heads"]}
    assert log_in(page) == ""

    assert page.get("/api/v1/session").json()["role"] == "lead"
    assert httpx.get(f"{page.base_url}/api/v1/session", cookies={"acuity": first}).status_code == 401
    idp.claims = {"roles": []}
    second = page.cookies.get("acuity")
    assert log_in(page) == "role"
    assert httpx.get(f"{page.base_url}/api/v1/session", cookies={"acuity": second}).status_code == 401


def test_a_claim_says_whose_studies_a_person_may_see(page, idp, engine):
    mapped = replace(page.settings, site_claim="hospitals", sites={"n": "North", "s": "South"})
    page.sign_in.provider.settings = mapped
    idp.claims = {"hospitals": ["n", "elsewhere"]}
    assert log_in(page) == ""
    assert page.get("/api/v1/session").json()["sites"] == ["North"]
    first = page.cookies.get("acuity")

    idp.claims = {"hospitals": ["elsewhere"]}

    assert log_in(page) == "site"
    assert httpx.get(f"{page.base_url}/api/v1/session", cookies={"acuity": first}).status_code == 401


def test_an_account_of_the_provider_has_no_password(page, engine):
    assert log_in(page) == ""
    page.cookies.clear()

    assert page.post("/api/v1/session", json={"name": "ann", "password": "!"}).status_code == 401


def test_a_login_that_took_too_long_is_refused(page, engine):
    address = to_callback(page)
    with engine.begin() as connection:
        connection.execute(text("UPDATE provider_logins SET expires_at = now() - interval '1 s'"))

    assert "login=state" in page.get(address).headers["location"]


def test_one_logs_out_at_the_provider_too(page, idp):
    address = page.get("/api/v1/session/provider/logout").headers["location"]

    assert address.startswith(f"{idp.url}/logout?")
    asked = parse_qs(urlsplit(address).query)
    assert (asked["client_id"], asked["post_logout_redirect_uri"]) == ([CLIENT_ID], [f"{page.base_url}/"])
