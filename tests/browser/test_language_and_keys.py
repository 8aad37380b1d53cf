"""The page in German, and keys that a reader has changed or switched off."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Said
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_accessibility import complaints_of
from tests.browser.test_quick_look import head as head
from tests.browser.test_quick_look import mean_grey
from tests.browser.test_worklist_page import fill_login, log_in
from triage.study import SeriesHeader, StudyHeader

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm soft")
STATIC = Path(__file__).resolve().parents[2] / "worklist" / "static"
FIRST_LOAD_BYTES = 200_000
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711", patient_age="075Y", patient_sex="F")

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def flagged(worklist):
    uid = worklist.department.receives(JANE, CT, minutes_ago=5)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uid


@pytest.fixture
def german_page(chromium: Browser, worklist) -> Iterator[Page]:
    context = chromium.new_context(base_url=worklist.url, locale="de-DE", viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def log_in_in_german(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("grid", name="Befundliste")).to_be_visible(timeout=15_000)


def test_all_that_the_german_list_loads_is_below_200_kb(german_page, flagged):
    loaded = set()
    german_page.on("requestfinished", lambda request: loaded.add(urlsplit(request.url).path))

    log_in_in_german(german_page)
    german_page.wait_for_load_state("load")

    files = [STATIC / path.removeprefix("/") for path in loaded if path.startswith("/assets/")]
    names = {file.name for file in files}
    assert {"app.js", "index.css", "de.js"} <= names
    assert not {"StudyPanel.js", "Viewer.js", "en.js"} & names
    files.append(STATIC / "index.html")
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < FIRST_LOAD_BYTES


def test_a_german_browser_gets_german_words_numbers_and_reasons(german_page, worklist, flagged, axe):
    log_in_in_german(german_page)

    row = german_page.locator(f"tr[data-uid='{flagged}']")
    expect(row.get_by_text("KI: Hinweis", exact=True)).to_be_visible()
    expect(row.get_by_text("0,91")).to_be_visible()
    expect(row.locator(".col-why")).to_contain_text("Verdacht: intrakranielle Blutung")
    expect(row.get_by_text("75 J. · weiblich")).to_be_visible()
    expect(row.get_by_text("ID 4711")).to_be_visible()
    expect(german_page.locator("html")).to_have_attribute("lang", "de")
    other = worklist.department.receives(StudyHeader("", patient_name="Roe^Richard"), CT, minutes_ago=1)
    worklist.department.answers(other, Said(ICH, HAEMORRHAGE, 0.02))
    expect(german_page.locator(f"tr[data-uid='{other}'] .col-why")).to_contain_text("Kein KI-Hinweis", timeout=15_000)
    row.click()
    expect(german_page.get_by_role("button", name="Übernehmen")).to_be_visible()
    expect(german_page.get_by_role("heading", name="Was die KI sagt")).to_be_visible()
    assert complaints_of(german_page, axe) == []


def test_what_the_server_says_is_german_too(german_page, worklist):
    thin = worklist.department.receives(JANE, CT, minutes_ago=3)
    why = "ich-ct: slices 10.0 mm apart, 0.5 to 5.5 mm needed; ptx-dx: modality CT, needed DX"
    worklist.department.cannot_analyse(thin, why)
    log_in_in_german(german_page)

    row = german_page.locator(f"tr[data-uid='{thin}']")
    expect(row.locator(".col-why")).to_contain_text(
        "Nicht analysiert: ich-ct: Schichtabstand 10,0 mm, nötig 0,5 bis 5,5 mm; ptx-dx: Modalität CT, nötig DX"
    )
    row.click()
    german_page.get_by_role("button", name="Übersehener Befund").wait_for()
    german_page.keyboard.press("a")
    expect(german_page.get_by_role("contentinfo")).to_contain_text("Kein Modell hat geantwortet, also gibt es nichts")
    german_page.goto("/?panel=people")
    expect(german_page.get_by_role("row", name="admin").get_by_role("option", name="Betrachter")).to_have_count(1)
    expect(german_page.get_by_role("option", name="Reader")).to_have_count(0)


def test_a_language_that_was_chosen_stays_and_follows_to_another_workstation(chromium, page, worklist, flagged):
    log_in(page)
    page.keyboard.press("?")
    page.get_by_label("Language").select_option("de")

    expect(page.get_by_role("grid", name="Befundliste")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Überwachung")).to_be_visible()
    elsewhere = chromium.new_page(base_url=worklist.url)
    elsewhere.goto("/")
    fill_login(elsewhere, PASSWORD)
    expect(elsewhere.get_by_role("grid", name="Befundliste")).to_be_visible()
    elsewhere.close()
    page.keyboard.press("?")
    page.get_by_label("Sprache").select_option("en")
    expect(page.get_by_role("grid", name="Reading list, first due first")).to_be_visible()


def change(page: Page, said: str, key: str) -> None:
    page.get_by_role("button", name=said).click()
    page.keyboard.press(key)


def test_a_key_that_was_changed_works_in_its_new_place_on_every_workstation(chromium, page, worklist, flagged, axe):
    log_in(page)
    page.keyboard.press("?")
    help_page = page.get_by_role("dialog")
    change(page, "c: claim the study", "x")
    change(page, "r: mark it as read", "m")
    expect(help_page.get_by_role("button", name="r: the AI missed a finding")).to_be_visible()
    assert complaints_of(page, axe) == []
    page.keyboard.press("Escape")

    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.get_by_text("is yours for 15 minutes")).to_have_count(0)
    page.keyboard.press("x")
    expect(page.get_by_text("Doe, Jane is yours for 15 minutes")).to_be_visible()
    elsewhere = chromium.new_page(base_url=worklist.url, viewport={"width": 1440, "height": 900})
    log_in(elsewhere)
    elsewhere.locator(f"tr[data-uid='{flagged}']").click()
    expect(elsewhere.get_by_role("button", name="Give back")).to_have_attribute("aria-keyshortcuts", "x")
    elsewhere.close()
    page.reload()
    page.locator(f"tr[data-uid='{flagged}']").click()
    expect(page.get_by_role("button", name="Give back")).to_have_attribute("aria-keyshortcuts", "x")
    page.get_by_role("button", name="Help and keys").click()
    page.get_by_role("button", name="The usual keys again").click()
    expect(page.get_by_role("button", name="c: claim the study")).to_be_visible()


def test_neither_a_digit_nor_escape_becomes_a_key(page, worklist, flagged):
    log_in(page)
    page.keyboard.press("?")
    change(page, "c: claim the study", "1")
    expect(page.get_by_text("Press a key…")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="c: claim the study")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_keys_that_are_switched_off_do_nothing_in_the_list_or_the_viewer(page, worklist, head):
    log_in(page)
    page.keyboard.press("?")
    page.get_by_label("single letters, digits or signs").uncheck()
    page.keyboard.press("Escape")
    page.locator(f"tr[data-uid='{head}']").click()
    expect(page.get_by_role("img", name="Image of the study")).to_be_visible(timeout=15_000)
    page.wait_for_timeout(1500)
    before = mean_grey(page)

    for key in ("i", "4", "c", "n"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)

    assert mean_grey(page) == before
    expect(page.get_by_text("is yours")).to_have_count(0)
    expect(page.get_by_role("button", name="Invert")).not_to_have_attribute("aria-keyshortcuts", "i")
    page.get_by_role("button", name="Invert").click()
    page.wait_for_timeout(300)
    assert mean_grey(page) != before
