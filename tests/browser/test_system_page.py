"""The administrator's page, views that are kept, and the list on a phone."""

import pytest
from playwright.sync_api import Browser, expect

from models.lifecycle import Decision, ModelRecord
from models.registry import Origin
from storage.intake import IntakeRows
from storage.model_registry import ModelRows
from tests.browser.department import HAEMORRHAGE, ICH, Said, until
from tests.browser.going import go_to
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_accessibility import complaints_of
from tests.browser.test_worklist_page import log_in, shown
from tests.builders import HEAD_CT
from triage.study import SeriesHeader, StudyHeader

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm soft")
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711")

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def flagged(worklist):
    uid = worklist.department.receives(JANE, CT, minutes_ago=5)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uid


def test_the_system_page_shows_what_an_administrator_needs_and_is_accessible(page, worklist, flagged, axe, tmp_path):
    engine = worklist.department.engine
    IntakeRows(engine).association_opened("a1", "CT_ER", "10.0.0.5")
    worklist.department.sends(flagged, {"RIS": "0122H refused"})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("<img src=x onerror=alert(1)> the card", encoding="utf-8")
    record = ModelRecord(ICH, "haemorrhage", "CC0", Origin.SHIPPED, str(tmp_path), (), HEAD_CT)
    ModelRows(engine).register([record], Decision("ann", worklist.now(), ""))
    log_in(page)

    go_to(page, "System")

    system = page.get_by_role("region", name="System")
    expect(system.get_by_role("row", name="CT_ER")).to_contain_text("10.0.0.5")
    ris = system.get_by_role("row", name="RIS")
    expect(ris.get_by_role("cell").nth(4)).to_have_text("1")
    expect(system.get_by_role("row", name="ich-ct 1.0.0")).to_contain_text("Active")
    assert complaints_of(page, axe) == []
    system.get_by_role("button", name="Send again what RIS refused").click()
    expect(page.get_by_text("1 object is on the way again.")).to_be_visible()
    expect(ris.get_by_role("cell").nth(4)).to_have_text("0")
    system.get_by_role("button", name="Card of ich-ct 1.0.0").click()
    expect(page.get_by_role("dialog").get_by_text("<img src=x onerror=alert(1)> the card")).to_be_visible()


def test_a_view_is_kept_under_a_name_and_chosen_again(page, worklist, flagged):
    log_in(page)
    page.get_by_role("radio", name="Critical").click()
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Keep these filters as").fill("Night")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Night", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear filters").click()

    page.reload()
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="Night", exact=True).click()

    page.wait_for_url("**band=CRITICAL**")
    until(lambda: shown(page) == [flagged])


def test_a_phone_shows_what_the_ai_says_and_never_scrolls_sideways(chromium: Browser, worklist, flagged, axe):
    page = chromium.new_page(base_url=worklist.url, viewport={"width": 390, "height": 844})
    log_in(page)

    row = page.locator(f"tr[data-uid='{flagged}']")
    expect(row.get_by_text("AI: flagged")).to_be_visible()
    expect(row.get_by_text("Doe, Jane")).to_be_visible()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    complaints = complaints_of(page, axe)
    page.context.close()

    assert (overflow, complaints) == (0, [])
