"""WCAG 2.2 AA as far as axe-core can tell, on the states of the page that people meet, in both colour schemes."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.preferences import PreferenceRows
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Said
from tests.browser.going import colour
from triage.study import SeriesHeader, StudyHeader

AXE = Path(__file__).resolve().parents[2] / "worklist" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
CT = SeriesHeader("", "CT", "HEAD")
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711", study_description="SIMULATED CT")

pytestmark = pytest.mark.xdist_group("browser")
"""One Chromium after another, not two on the same cores."""

RUN = """async () => {
    const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]});
    return found.violations.flatMap((one) => one.nodes.map((node) =>
        `${one.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
}"""

SMALL_TARGETS = """() => [...document.querySelectorAll("button, input, [role=radio], [role=option]")]
    .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
    .map(([html]) => html)"""


@pytest.fixture
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (make page-tools, where npm is to be had)")
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_state_of_the_page_is_accessible(chromium: Browser, worklist, axe, scheme):
    fill(worklist.department)
    page = chromium.new_page(base_url=worklist.url, viewport={"width": 1440, "height": 900})
    colour(page, scheme)

    page.goto("/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    complaints = {"login": complaints_of(page, axe)}
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("row", name="Doe, Jane").first).to_be_visible()
    complaints["list"] = complaints_of(page, axe)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_text("What the AI says")).to_be_visible()
    complaints["study"] = complaints_of(page, axe)
    page.keyboard.press("p")
    expect(page.get_by_role("dialog", name="Priority of")).to_be_visible()
    complaints["priority"] = complaints_of(page, axe)
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.get_by_role("dialog", name="Note on")).to_be_visible()
    page.get_by_label("Note, kept").fill("compare with last week")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("complementary").get_by_text("compare with last week")).to_be_visible()
    complaints["work"] = complaints_of(page, axe)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Administration").click()
    expect(page.get_by_role("menuitem", name="Audit")).to_be_visible()
    complaints["pages"] = complaints_of(page, axe)
    page.get_by_role("menuitem", name="Audit").click()
    expect(page.get_by_role("region", name="Audit").get_by_text("Note written")).to_be_visible()
    complaints["audit"] = complaints_of(page, axe)
    page.get_by_role("button", name="Attention").click()
    expect(page.get_by_role("complementary", name="Needs attention")).to_be_visible()
    complaints["attention"] = complaints_of(page, axe)
    page.get_by_role("button", name="Account admin").click()
    expect(page.get_by_role("dialog", name="Account admin")).to_be_visible()
    complaints["account"] = complaints_of(page, axe)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    complaints["help"] = complaints_of(page, axe)
    page.context.close()

    assert not [one for found in complaints.values() for one in found], complaints


@pytest.mark.timeout(240)
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_page_is_accessible_in_both_languages(chromium: Browser, worklist, axe, scheme, language):
    fill(worklist.department)
    worklist.accounts.create_account("dr.patel", "no hash", "lead", worklist.now())
    PreferenceRows(worklist.department.engine).choose("admin", {"language": language, "theme": scheme})
    page = chromium.new_page(base_url=worklist.url, viewport={"width": 1440, "height": 900})
    page.goto("/")
    page.locator("input[name=name]").fill("admin")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("tr[data-uid]").first.wait_for()
    assert page.locator("html").get_attribute("lang") == language

    complaints = {}
    for panel in ("surveillance", "validation", "admin", "rules", "people", "audit", "attention"):
        page.goto(f"/?panel={panel}")
        page.locator("main h2, main caption, aside h2").first.wait_for()
        complaints[panel] = complaints_of(page, axe)
    page.context.close()

    assert not [one for found in complaints.values() for one in found], complaints


def test_no_target_is_smaller_than_24_pixels(page: Page, worklist):
    fill(worklist.department)
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("row", name="Doe, Jane").first.click()
    expect(page.get_by_role("complementary").get_by_text("What the AI says")).to_be_visible()
    page.get_by_role("searchbox").fill("Doe")

    assert page.evaluate(SMALL_TARGETS) == []


def test_nothing_spins_for_those_who_asked_for_stillness(chromium: Browser, worklist):
    worklist.department.receives(JANE, CT)
    page = chromium.new_page(base_url=worklist.url, reduced_motion="reduce")
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("receiving, 1 image")).to_be_visible()

    animation = page.evaluate("getComputedStyle(document.querySelector('.spin')).animationName")
    page.context.close()

    assert animation == "none"


def fill(department):
    """Let one study of each kind arrive."""
    flagged = department.receives(JANE, CT)
    department.answers(flagged, Said(ICH, HAEMORRHAGE, 0.91))
    department.sends(flagged, {"PACS": "", "RIS": "0122H refused"})
    department.answers(department.receives(JANE, CT), Said(ICH, HAEMORRHAGE, 0.1))
    department.cannot_analyse(department.receives(JANE, CT, minutes_ago=300), "modality MR, needed CT")
    department.fails(department.receives(JANE, CT), "cannot be decoded")
    department.receives(StudyHeader("", patient_name="Doe^Jane", order_priority="HIGH"), CT)
    department.quarantines("no SOP Instance UID")


def complaints_of(page: Page, axe: str) -> list[str]:
    # Evaluated through the debugger, which the page's Content-Security-Policy does not stop.
    page.evaluate(axe)
    found = page.evaluate(RUN)
    assert isinstance(found, list)
    return found
