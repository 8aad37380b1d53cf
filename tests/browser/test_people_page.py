"""The browser tells of a critical study, and only while nobody looks at the page."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.department import HAEMORRHAGE, ICH, Said, until
from tests.browser.test_worklist_page import log_in
from triage.study import SeriesHeader, StudyHeader

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
    bell = page.get_by_role("button", name="Notify me of critical studies: off")
    bell.click()
    expect(page.get_by_role("button", name="Notify me of critical studies: on")).to_be_visible()
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
