"""The page by the keyboard alone: Tab reaches all that can be pressed, the focus is seen and finds its way back."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Said
from tests.browser.test_quick_look import head as head
from tests.browser.test_worklist_page import log_in
from triage.study import SeriesHeader, StudyHeader
from worklist.auth import Passwords
from worklist.roles import Role

pytestmark = pytest.mark.xdist_group("browser")

CT = SeriesHeader("", "CT", "HEAD")
MOST_STOPS = 90

# What takes the focus by Tab; of the rows of the list, and of the choices of a group, one does and arrows go on.
WALK = r"""() => {
    const name = (element) =>
        (element.ariaLabel || element.innerText || element.name || element.tagName).trim().split("\n")[0];
    const box = (element) => element.getBoundingClientRect();
    window.stopsWanted = () => [...document.querySelectorAll(
        "button, a[href], input, select, textarea, summary, [tabindex='0']")]
        .filter((one) => !one.disabled && one.tabIndex >= 0 && box(one).width > 0 && box(one).height > 0)
        .filter((one) => one.checkVisibility({visibilityProperty: true}))
        .filter((one) => !one.closest("[inert], [aria-hidden=true]"));
    window.marked = new Set();
    window.stopHere = () => {
        const here = document.activeElement;
        if (!here || here === document.body) return null;
        window.marked.add(here);
        const shown = [here, here.parentElement, here.closest("label")].filter(Boolean).some((one) => {
            const style = getComputedStyle(one);
            return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
        });
        const {left, top, right, bottom} = box(here);
        const at = document.elementFromPoint((Math.max(left, 0) + Math.min(right, innerWidth)) / 2,
            (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2);
        const label = at && at.closest("label");
        const covered = !at || !(here.contains(at) || at.contains(here) || (label && label.contains(here)));
        return {name: name(here), shown, covered};
    };
    const choice = () => [...window.marked].find((one) => one.role === "radio");
    window.neverReached = () => window.stopsWanted()
        .filter((one) => !window.marked.has(one) && !one.closest("[role=radiogroup]")?.contains(choice()))
        .map((one) => `${one.tagName} ${name(one)}`);
}"""


def walk(page: Page, key: str = "Tab") -> tuple[list[str], list[str]]:
    """Press `key` until the focus has been round the page; return the stops and what is wrong with them."""
    page.evaluate(WALK)
    list(stops_until_the_end(page, key))
    stops = list(stops_until_the_end(page, key))
    unseen = [f"{one['name']}: no focus to be seen" for one in stops if not one["shown"]]
    covered = [f"{one['name']}: something lies over it" for one in stops if one["covered"]]
    unreached = [f"{one}: never reached" for one in page.evaluate("neverReached()")]
    return [one["name"] for one in stops], unseen + covered + unreached


def stops_until_the_end(page: Page, key: str) -> Iterator[dict[str, Any]]:
    """Yield where the focus is after each press of `key`, until it leaves the page."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        stop = page.evaluate("stopHere()")
        if stop is None:
            return
        yield stop
    pytest.fail("the focus never leaves the page")


def fill(worklist) -> None:
    uid = worklist.department.receives(StudyHeader("", patient_name="Roe^Richard"), CT, minutes_ago=3)
    worklist.department.answers(uid, Said(ICH, HAEMORRHAGE, 0.1))
    worklist.department.quarantines("no SOP Instance UID")
    worklist.accounts.create_account("bob", Passwords().hash(PASSWORD), Role.READER.value, worklist.now())


@pytest.mark.timeout(240)
def test_tab_goes_round_the_list_and_an_open_study_and_is_always_seen(page, worklist, head):
    fill(worklist)
    page.goto("/")
    expect(page.get_by_label("Name")).to_be_focused()
    assert walk(page)[1] == []

    log_in(page)
    stops, wrong = walk(page)
    assert wrong == []
    back, wrong = walk(page, "Shift+Tab")
    assert wrong == []
    assert set(back) == set(stops)

    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Image of the study")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Missed finding")).to_be_visible()
    assert walk(page)[1] == []


@pytest.mark.timeout(240)
def test_every_page_is_reached_and_walked_by_the_keyboard(page, worklist):
    fill(worklist)
    log_in(page)
    for name in ("Surveillance", "Validation"):
        page.get_by_role("button", name=name, exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        assert walk(page)[1] == [], name
    for number, name in enumerate(("System", "Rules", "Users", "Audit")):
        page.get_by_role("button", name="Administration").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("menuitem", name="System")).to_be_visible()
        for _ in range(number):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        assert walk(page)[1] == [], name


def test_a_dialog_keeps_the_focus_and_gives_it_back(page, worklist, head):
    log_in(page)
    page.keyboard.press("j")
    row = page.locator(f"tr[data-uid='{head}']")
    for key, name in (("p", "Priority of"), ("t", "Note on"), ("?", "How to read the list")):
        expect(row).to_be_focused()
        page.keyboard.press(key)
        dialog = page.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        for _ in range(40):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.closest('[role=dialog]') !== null"), name
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    note = page.get_by_role("complementary").get_by_role("button", name="Note")
    note.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Note on")).to_be_visible()
    page.keyboard.press("Escape")
    expect(note).to_be_focused()
    page.keyboard.press("Escape")
    expect(row).to_be_focused()


@pytest.mark.parametrize("name", ["Account admin", "Administration", "Views", "AI: every state", "Every modality"])
def test_what_opens_from_a_bar_closes_by_escape_and_gives_the_focus_back(page, worklist, name):
    worklist.department.receives(StudyHeader("", patient_name="Doe^Jane"), CT)
    log_in(page)
    button = page.get_by_role("button", name=name)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[role=dialog], [role=menu], [role=listbox]").first).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.locator("[role=dialog], [role=menu], [role=listbox]")).to_have_count(0)
    expect(button).to_be_focused()
