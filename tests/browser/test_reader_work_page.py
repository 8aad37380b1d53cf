"""A reader's work on the page: with the keyboard alone, taken back with one key, and seen at once by the others."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.preferences import PreferenceRows
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Said, services_on, until
from tests.browser.going import go_to
from tests.browser.test_worklist_page import log_in, shown
from triage.audit import Actor
from triage.findings import Code, Measurement
from triage.reading import Answer, Exposure
from triage.study import SeriesHeader, StudyHeader
from worklist.auth import Passwords
from worklist.roles import Role

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm soft")
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711")
RICHARD = StudyHeader("", patient_name="Roe^Richard", patient_id="4712")

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def flagged(worklist):
    uid = worklist.department.receives(JANE, CT, minutes_ago=5)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.358, threshold=0.352))
    return uid


@pytest.fixture
def unflagged(worklist):
    uid = worklist.department.receives(RICHARD, CT, minutes_ago=3)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.02))
    return uid


@pytest.fixture
def other_page(chromium: Browser, worklist) -> Iterator[Page]:
    """Another browser, of the reader `bob`."""
    accounts = worklist.accounts
    accounts.create_account("bob", Passwords().hash(PASSWORD), Role.READER.value, worklist.now())
    context = chromium.new_context(base_url=worklist.url, viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def log_in_as(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("grid")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Loading the list…")).to_have_count(0)


def reader_cell(page: Page, uid: str):
    return page.locator(f"tr[data-uid='{uid}'] td.col-reader")


def test_a_claim_is_seen_in_another_browser_and_cannot_be_taken(page, other_page, worklist, flagged):
    log_in(page)
    log_in_as(other_page, "bob")
    page.keyboard.press("j")
    page.keyboard.press("c")

    expect(reader_cell(page, flagged)).to_contain_text("You")
    expect(reader_cell(other_page, flagged)).to_contain_text("admin")
    expect(reader_cell(other_page, flagged)).to_contain_text("15 min left")
    other_page.keyboard.press("j")
    other_page.keyboard.press("c")
    expect(other_page.get_by_text("Admin has the study until")).to_be_visible()

    page.keyboard.press("c")
    expect(reader_cell(other_page, flagged)).to_be_empty()
    other_page.keyboard.press("c")
    expect(reader_cell(page, flagged)).to_contain_text("bob")


def test_a_read_study_leaves_the_list_the_cursor_goes_on_and_one_key_takes_it_back(page, worklist, flagged, unflagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("r")

    expect(page.get_by_text("Marked Doe, Jane as read")).to_be_visible()
    expect(page.locator(f"tr[data-uid='{unflagged}']")).to_be_focused()
    until(lambda: shown(page) == [unflagged])

    page.keyboard.press("u")
    until(lambda: flagged in shown(page))


def test_the_read_studies_are_one_choice_away_and_in_the_address(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.get_by_text("Marked Doe, Jane as read")).to_be_visible()

    page.get_by_role("button", name="Which studies").click()
    page.get_by_role("option", name="Read", exact=True).click()

    page.wait_for_url("**reading=read**")
    until(lambda: shown(page) == [flagged])
    expect(reader_cell(page, flagged)).to_contain_text("by you")


@pytest.mark.parametrize(
    ("key", "told", "kept"),
    [("a", "Agreed with the AI on Doe, Jane", "You agreed with the AI"),
     ("d", "Disagreed with the AI on Doe, Jane", "You disagreed with the AI"),
     ("w", "Told that the AI shows the wrong place on Doe, Jane", "You told that the AI shows the wrong place"),
     ("m", "Told that the AI missed a finding on Doe, Jane", "You told that the AI missed a finding")],
)  # fmt: skip
def test_a_verdict_takes_one_key_and_undoing_another(page, worklist, flagged, key, told, kept):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary")
    expect(panel.get_by_text("What readers did")).to_be_visible()

    page.keyboard.press(key)

    expect(page.get_by_text(told)).to_be_visible()
    expect(panel.get_by_text(kept)).to_be_visible()
    expect(panel.get_by_text("taken back")).to_have_count(0)
    page.keyboard.press("u")
    expect(panel.get_by_text("taken back")).to_be_visible()


def test_disagreeing_with_a_study_without_a_flag_says_what_to_press_instead(page, worklist, unflagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("d")

    expect(page.get_by_text("The AI raised no flag; a finding that it missed is told as missed.")).to_be_visible()


def test_a_priority_needs_a_reason_moves_the_study_and_says_by_whom(page, worklist, flagged, unflagged):
    log_in(page)
    page.locator(f"tr[data-uid='{unflagged}']").click()
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name="Priority of Roe, Richard")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Give this priority").click()
    expect(dialog).to_be_visible()

    page.keyboard.type("patient unstable, Dr Who called")
    page.keyboard.press("Enter")

    row = page.locator(f"tr[data-uid='{unflagged}']")
    expect(row).to_contain_text("Critical")
    expect(row).to_contain_text("by admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_text("patient unstable, Dr Who called").first).to_be_visible()
    page.keyboard.press("u")
    expect(row).to_contain_text("Routine")


def test_a_note_is_kept_as_text(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.keyboard.press("t")
    page.keyboard.type("<b>old</b> bleed, see 2025")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("complementary").get_by_text("<b>old</b> bleed, see 2025")).to_be_visible()


def test_a_probability_is_rounded_and_told_from_its_operating_point(page, worklist, flagged):
    log_in(page)

    row = page.locator(f"tr[data-uid='{flagged}']")
    expect(row).to_contain_text("0.36 flags at 0.35")


def test_what_was_measured_stands_at_the_finding_with_its_unit_and_the_model(page, worklist):
    uid = worklist.department.receives(JANE, CT, minutes_ago=5)
    measured = (
        Measurement(Code("118565006", "SCT", "Volume"), 12.345, "mL"),
        Measurement(Code("103339001", "SCT", "Long axis"), 31.04, "mm"),
    )
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91, measurements=measured))
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    told = page.get_by_role("complementary").locator(".card")
    expect(told.locator(".measured dt")).to_have_text(["Volume", "Long axis"])
    expect(told.locator(".measured dd")).to_have_text(["12.3 mL", "31.0 mm"])
    expect(told).to_contain_text("ich-ct 1.0.0")


def test_a_flag_says_how_often_flags_were_right_here(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    card = page.get_by_role("complementary").locator(".card")

    expect(card).to_contain_text("How often a flag is right here: not enough answered yet (0 of 10)")


def test_with_enough_answers_it_is_a_share_with_its_interval_in_the_language_of_the_page(page, worklist, engine):
    mary = StudyHeader("", patient_name="Doe^Jane", institution_name="St Mary")
    work = services_on(engine).work
    for number in range(13):
        uid = worklist.department.receives(mary, CT, minutes_ago=number)
        worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
        if number < 12:
            answer = Answer.REJECT if number < 3 else Answer.ACCEPT
            work.answer(uid, Actor("ann", "reader"), answer, Exposure.ROW, note="")
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    card = page.get_by_role("complementary").locator(".card")

    expect(card).to_contain_text("Here, 9 of 12 flags were confirmed: 75 % (43–95 %)")
    expect(card).to_contain_text("St Mary, last 180 days, this version of the model, 95 % interval. 1 more without")
    PreferenceRows(engine).choose("admin", {"language": "de"})
    page.reload()
    expect(card).to_contain_text("Hier wurden 9 von 12 Hinweisen bestätigt: 75 % (43–95 %)")


def test_letters_can_be_switched_off(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Keys that are single letters").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")

    page.keyboard.press("c")
    page.keyboard.press("Enter")

    expect(page.get_by_role("complementary").get_by_text("What readers did")).to_be_visible()
    expect(reader_cell(page, flagged)).to_be_empty()


def test_an_incident_is_acknowledged_and_closed(page, worklist):
    worklist.department.quarantines("no SOP Instance UID in the data set")
    log_in(page)
    page.get_by_role("button", name="Attention: 1").click()
    panel = page.get_by_role("complementary", name="Needs attention")

    panel.get_by_role("button", name="Acknowledge").click()
    expect(panel.get_by_text("Seen by admin, still open")).to_be_visible()
    panel.get_by_role("button", name="Close", exact=True).click()

    expect(panel.get_by_text("Nothing needs attention")).to_be_visible()
    expect(page.get_by_role("button", name="Attention: 0")).to_be_visible()


def test_the_audit_tells_who_looked_at_what(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_text("What readers did")).to_be_visible()
    page.keyboard.press("Escape")

    go_to(page, "Audit")

    audit = page.get_by_role("region", name="Audit")
    expect(audit.get_by_text("Logged in")).to_be_visible()
    expect(audit.get_by_role("row", name="Study viewed").get_by_text(flagged)).to_be_visible()
