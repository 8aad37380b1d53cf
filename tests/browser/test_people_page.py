"""The bell, signing in at the identity provider, and a study of another site, in a real browser."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.provider_accounts import ProviderAccounts
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Department, Said, services_on, until
from tests.browser.going import go_to, log_out
from tests.browser.serving import running
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_accessibility import complaints_of
from tests.browser.test_worklist_page import log_in, shown
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, local_provider
from tests.running import free_port
from triage.study import SeriesHeader, StudyHeader
from worklist.app import create_app
from worklist.auth import ensure_admin
from worklist.oidc import Provider, ProviderSettings, SignIn
from worklist.roles import Role
from worklist.settings import WebSettings

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm soft")
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711")
LISTEN = """
    window.told = [];
    const Real = window.Notification;
    window.Notification = class extends Real {
        constructor(title, options) { super(title, options); window.told.push([title, options]); }
    };
"""
"""Writes down what the page asks the browser to say; the browser is asked all the same."""

pytestmark = pytest.mark.xdist_group("browser")


def a_critical_study(worklist):
    uid = worklist.department.receives(JANE, CT)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uid


def hide(page: Page, is_hidden: bool) -> None:
    page.evaluate(
        "hidden => Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})", is_hidden
    )


def test_the_browser_tells_of_a_new_critical_study_without_a_patient_and_only_when_hidden(page, worklist):
    page.context.grant_permissions(["notifications"])
    page.add_init_script(LISTEN)
    a_critical_study(worklist)
    log_in(page)
    page.get_by_role("button", name="Account admin").click()
    page.get_by_label("Notify me of critical studies").check()
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Routine").click()

    seen = a_critical_study(worklist)
    page.get_by_role("radio", name="Critical").click()
    page.locator(f"tr[data-uid='{seen}']").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("told") == []
    hide(page, True)
    a_critical_study(worklist)

    until(lambda: len(page.evaluate("told")) == 1)
    assert page.evaluate("told") == [
        ["Critical study on the list", {"body": "Open Acuity to see it.", "tag": "acuity-critical"}]
    ]


@pytest.fixture
def provider_page(chromium: Browser, engine):
    """A page of a server that also lets people of a local provider in."""
    port = free_port()
    with local_provider() as provider:
        about = ProviderSettings(
            "St. Anna", provider.url, CLIENT_ID, CLIENT_SECRET, f"http://127.0.0.1:{port}", "openid profile",
            "preferred_username", "roles", {"radiologists": Role.READER},
        )  # fmt: skip
        sign_in = SignIn(Provider(about), ProviderAccounts(engine))
        with running(create_app(services_on(engine), WebSettings(), sign_in), port) as url:
            page = chromium.new_page(base_url=url, viewport={"width": 1440, "height": 900})
            page.provider = provider
            yield page
            page.close()


def test_one_signs_in_at_the_provider_and_out_of_it_and_is_told_why_not(provider_page, axe):
    page = provider_page
    page.goto("/")
    expect(page.get_by_role("link", name="Sign in with St. Anna")).to_be_visible()
    page.provider.claims = {"roles": ["kitchen"]}
    page.get_by_role("link", name="Sign in with St. Anna").click()
    expect(page.get_by_role("alert")).to_contain_text("gives you no role here")
    assert complaints_of(page, axe) == []

    page.provider.claims = {}
    page.get_by_role("link", name="Sign in with St. Anna").click()

    expect(page.get_by_role("button", name="Account ann")).to_be_visible()
    page.reload()
    log_out(page, "ann")
    page.wait_for_url(f"{page.provider.url}/logout*")


def test_a_study_of_another_site_is_opened_with_a_reason(chromium: Browser, engine, axe):
    services, department = services_on(engine), Department(engine)
    department.receives(replace(JANE, institution_name="North"), CT)
    south = department.receives(replace(JANE, institution_name="South", patient_name="Roe^Sam"), CT)
    ensure_admin(services.accounts, PASSWORD, services.clock)
    services.accounts.set_sites("admin", ["North"])
    app = create_app(services, WebSettings(break_glass_lasts=timedelta(hours=4)))
    with running(app) as url:
        page = chromium.new_page(base_url=url, viewport={"width": 1440, "height": 900})
        log_in(page)
        until(lambda: len(shown(page)) == 1)
        page.goto(f"/?study={south}")
        expect(page.get_by_text("The study is of another site")).to_be_visible()
        page.get_by_role("button", name="Open in an emergency…").click()
        dialog = page.get_by_role("dialog", name="Open a study of another site")
        expect(dialog).to_contain_text("You see the studies of North.")
        assert complaints_of(page, axe) == []

        dialog.get_by_label("Second opinion").click()
        dialog.get_by_role("button", name="Open the study").click()

        expect(page.get_by_role("complementary").get_by_text("What the AI says")).to_be_visible()
        until(lambda: south in shown(page))
        go_to(page, "Audit")
        expect(page.get_by_role("row", name="Glass broken")).to_contain_text("cause second_opinion")
        page.close()
