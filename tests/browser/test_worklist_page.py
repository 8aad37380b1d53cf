"""What a person sees and does on the page, in a real Chromium."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.department import (
    COLLAPSED_LUNG,
    HAEMORRHAGE,
    ICH,
    PASSWORD,
    PNEUMOTHORAX,
    Department,
    Said,
    services_on,
    until,
)
from tests.browser.going import log_out
from tests.browser.serving import running
from triage.priority import Priority
from triage.study import SeriesHeader, StudyHeader
from worklist.app import create_app
from worklist.auth import ensure_admin
from worklist.settings import WebSettings

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm soft")
DX = SeriesHeader("", "DX", "CHEST", "PA")
JANE = StudyHeader(
    "", patient_name="Doe^Jane", patient_id="4711", patient_age="045Y", patient_sex="F", study_description="CT head"
)

pytestmark = pytest.mark.xdist_group("browser")
"""One Chromium after another, not two on the same cores."""


def test_the_right_password_opens_the_list(page, worklist):
    worklist.department.receives(JANE, CT)

    log_in(page)

    expect(page.get_by_role("row", name="Doe, Jane")).to_be_visible()
    expect(page.get_by_text("Research use only, not a medical device")).to_be_visible()


def test_a_wrong_password_is_refused_in_words(page):
    page.goto("/")

    fill_login(page, "wrong")

    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong")
    expect(page.get_by_text("Research use only, not a medical device")).to_be_visible()


def test_logging_out_leaves_no_patient_on_the_screen(page, worklist):
    worklist.department.receives(JANE, CT)
    log_in(page)
    expect(page.get_by_role("row", name="Doe, Jane")).to_be_visible()

    log_out(page)

    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_text("Doe, Jane")).to_have_count(0)


def test_a_row_says_all_that_decides(page, worklist):
    uid = worklist.department.receives(replace(JANE, order_priority="HIGH", study_description="SIMULATED CT"), CT, 1, 3)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.874))

    log_in(page)

    row = page.get_by_role("row", name="Doe, Jane")
    for words in (
        "due in", "Critical", "Order: HIGH", "Suspected intracranial hemorrhage", "AI: flagged", "0.87",
        "flags at 0.52", "ich-ct 1.0.0", "AI result, not a diagnosis", "45 y · female", "ID 4711", "CT HEAD",
        "SIMULATED", "3 images",
    ):  # fmt: skip
        expect(row).to_contain_text(words)


def test_no_flag_and_not_analysed_and_failed_are_said_and_none_is_called_normal(page, worklist):
    department = worklist.department
    department.answers(department.receives(JANE, CT), Said(ICH, HAEMORRHAGE, 0.02))
    department.cannot_analyse(department.receives(JANE, CT), "modality MR, needed CT")
    department.fails(department.receives(JANE, CT), "cannot be decoded")
    department.receives(JANE, CT)

    log_in(page)

    for words in ("AI: no flag", "Not analysed", "Analysis failed", "AI: waits for images", "receiving, 1 image"):
        expect(page.get_by_role("grid").get_by_text(words, exact=False).first).to_be_visible()
    assert "normal" not in page.get_by_role("grid").inner_text().lower()


def test_a_study_appears_by_itself_at_once(page, worklist):
    log_in(page)
    expect(page.get_by_label("Updates: Live")).to_be_visible()

    worklist.department.receives(JANE, CT)
    committed = time.monotonic()
    until(lambda: page.get_by_text("Doe, Jane").count())

    assert time.monotonic() - committed < 2.0  # without the event it would be 30 s


def test_a_row_under_the_focus_does_not_move_until_it_is_asked_for(page, worklist):
    department = worklist.department
    first = department.receives(JANE, CT)
    department.receives(JANE, CT)
    log_in(page)
    page.keyboard.press("j")
    row = page.locator(f"tr[data-uid='{first}']")
    expect(row).to_be_focused()
    before = row.bounding_box()

    urgent = department.receives(replace(JANE, patient_name="Roe^Richard", order_priority="STAT"), CT)
    expect(page.get_by_role("button", name="1 new, 1 critical")).to_be_visible()

    assert shown(page)[0] == first
    assert row.bounding_box() == before
    expect(row).to_be_focused()

    page.keyboard.press("n")
    until(lambda: shown(page)[0] == urgent)
    expect(row).to_be_focused()
    expect(page.get_by_role("button", name="1 new, 1 critical")).to_have_count(0)


def test_a_row_under_the_pointer_does_not_move_and_moves_when_the_pointer_has_left(page, worklist):
    department = worklist.department
    first = department.receives(JANE, CT)
    log_in(page)
    page.locator(f"tr[data-uid='{first}']").hover()

    urgent = department.receives(replace(JANE, order_priority="STAT"), CT)
    expect(page.get_by_role("button", name="1 new, 1 critical")).to_be_visible()
    assert shown(page) == [first]

    page.get_by_role("heading", name="Acuity").hover()
    until(lambda: shown(page) == [urgent, first])


def test_what_changes_in_a_row_is_shown_where_the_row_stands(page, worklist):
    department = worklist.department
    department.receives(replace(JANE, order_priority="STAT"), CT, minutes_ago=5)
    uid = department.receives(JANE, CT)
    log_in(page)
    row = page.locator(f"tr[data-uid='{uid}']")
    row.hover()

    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    expect(row).to_contain_text("AI: flagged")
    assert shown(page)[1] == uid


def test_hostile_text_of_a_scanner_is_shown_as_text(page, worklist):
    hostile = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>{{7*7}}"
    department = worklist.department
    header = StudyHeader(
        "", patient_name=hostile, patient_id=hostile, study_description=hostile, accession_number="=cmd|' /C calc'!A0",
        institution_name=hostile, order_priority="<b>STAT</b>", patient_sex="<i>", patient_age="<u>",
    )  # fmt: skip
    uid = department.receives(header, SeriesHeader("", "<b>CT</b>", "<svg onload=alert(1)>", hostile))
    department.cannot_analyse(uid, hostile)

    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.get_by_role("complementary").get_by_role("heading", name="<img src")).to_be_visible()
    expect(page.get_by_role("grid").get_by_text("<b>CT</b>").locator("visible=true")).to_be_visible()
    assert (
        page.evaluate(
            "document.querySelectorAll('img:not(.key-image), table script, aside script, table b, aside b').length"
        )
        == 0
    )
    assert "owned" not in page.title()


def test_the_keyboard_alone_is_enough(page, worklist):
    department = worklist.department
    uids = [department.receives(replace(JANE, patient_name=f"Doe^{n}"), CT, minutes_ago=9 - n) for n in range(3)]
    department.answers(uids[1], Said(ICH, HAEMORRHAGE, 0.2))
    page.goto("/")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="Doe, 2")).to_be_visible()

    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"tr[data-uid='{uids[1]}']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_role("heading", name="Doe, 1")).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("complementary").get_by_role("heading", name="Doe, 2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)
    expect(page.locator(f"tr[data-uid='{uids[2]}']")).to_be_focused()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="How to read the list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.keyboard.press("/")
    page.keyboard.type("Doe^0")
    until(lambda: shown(page) == [uids[0]])
    page.keyboard.press("Enter")
    expect(page.locator(f"tr[data-uid='{uids[0]}']")).to_be_focused()


def test_filters_live_in_the_address_and_search_words_do_not(page, worklist):
    department = worklist.department
    flagged = department.receives(JANE, DX)
    department.answers(flagged, Said(PNEUMOTHORAX, COLLAPSED_LUNG, 0.9, raises_to=Priority.URGENT))
    department.receives(JANE, CT)
    log_in(page)

    page.get_by_role("radio", name="Urgent").click()
    until(lambda: shown(page) == [flagged])
    page.get_by_role("searchbox").fill("Jane")
    until(lambda: "filtered" in page.get_by_label("Filters").inner_text())

    assert "band=URGENT" in page.url
    assert "Jane" not in page.url
    page.reload()
    until(lambda: shown(page) == [flagged])


def test_no_address_that_the_page_asks_for_names_a_patient(page, worklist):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    worklist.department.receives(JANE, CT)
    log_in(page)

    with page.expect_request("**/api/v1/worklist/search"):
        page.get_by_role("searchbox").fill("Jane")

    assert not [url for url in asked if "Jane" in url or "4711" in url]
    assert not [url for url in asked if not url.startswith(worklist.url)]


def test_the_attention_panel_shows_what_needs_a_person(page, worklist):
    department = worklist.department
    failed = department.receives(JANE, CT)
    department.fails(failed, "cannot be decoded")
    department.quarantines("no SOP Instance UID in the data set")
    log_in(page)

    page.get_by_role("button", name="Attention: 2").click()

    panel = page.get_by_role("complementary", name="Needs attention")
    expect(panel.get_by_text("No SOP Instance UID in the data set")).to_be_visible()
    panel.get_by_role("button", name="Open the study").click()
    expect(page.get_by_role("complementary").get_by_role("heading", name="Doe, Jane")).to_be_visible()


def test_the_detail_shows_findings_series_and_deliveries(page, worklist):
    department = worklist.department
    uid = department.receives(JANE, CT, images=2)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    department.sends(uid, {"PACS": "", "RIS": "0122H refused"})
    log_in(page)

    page.locator(f"tr[data-uid='{uid}']").click()

    panel = page.get_by_role("complementary")
    for words in (
        "Operating point “balanced”", "analysed by ich-ct 1.0.0", "PACS: delivered",
        "RIS: refused (0122H refused)", "AI result, not a diagnosis",
    ):  # fmt: skip
        expect(panel).to_contain_text(words)


def test_an_overdue_study_says_so_and_counts(page, worklist):
    worklist.department.receives(JANE, CT, minutes_ago=245)
    log_in(page)
    due = page.locator("td.col-due")
    expect(due).to_contain_text("over by")
    first = due.inner_text()

    until(lambda: due.inner_text() != first)

    expect(due).to_contain_text("5 min")


def test_a_lost_connection_is_said_and_recovers(chromium, engine):
    services = services_on(engine)
    ensure_admin(services.accounts, PASSWORD, services.clock)
    with running(create_app(services, WebSettings())) as url:
        page = chromium.new_page(base_url=url)
        log_in(page)
        expect(page.get_by_label("Updates: Live")).to_be_visible()

    expect(page.get_by_role("alert")).to_contain_text("Out of date", timeout=20_000)
    expect(page.get_by_label("Updates: Not live")).to_be_visible()

    Department(engine).receives(JANE, CT)
    with running(create_app(services, WebSettings()), port=urlsplit(url).port or 0):
        expect(page.get_by_role("row", name="Doe, Jane")).to_be_visible(timeout=20_000)
        expect(page.get_by_label("Updates: Live")).to_be_visible(timeout=20_000)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.context.close()


def test_a_study_that_is_opened_while_the_connection_is_lost_comes_when_it_is_back(page, worklist):
    uid = worklist.department.receives(JANE, CT)
    log_in(page)
    page.route("**/assets/StudyPanel.js", lambda route: route.abort("connectionrefused"))
    page.keyboard.press("j")

    page.keyboard.press("Enter")

    panel = page.get_by_role("complementary")
    expect(panel).to_have_attribute("aria-busy", "true")
    expect(page.locator(f"tr[data-uid='{uid}']")).to_be_visible()
    page.unroute("**/assets/StudyPanel.js")
    expect(panel.get_by_role("heading", name="What the AI says")).to_be_visible()


def log_in(page: Page) -> None:
    page.goto("/")
    fill_login(page, PASSWORD)
    expect(page.get_by_role("grid")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Loading the list…")).to_have_count(0)


def fill_login(page: Page, password: str) -> None:
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def shown(page: Page) -> list[str]:
    """Return the studies of the list in the order in which they stand there."""
    uids = page.evaluate("[...document.querySelectorAll('tr[data-uid]')].map((row) => row.dataset.uid)")
    assert isinstance(uids, list)
    return uids


@pytest.fixture(autouse=True)
def _patient_expectations():
    expect.set_options(timeout=10_000)
