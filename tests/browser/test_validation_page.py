"""The validation page in a browser: suites with what was found, in both languages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from models.evidence import MeasuredSuite
from storage.evidence import EvidenceRows
from storage.validation_work import AskedOfWorkers, ValidationWork
from tests.browser.test_accessibility import CT, JANE, complaints_of
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_worklist_page import log_in
from triage.findings import ModelIdentity
from validation.page import html_page

pytestmark = pytest.mark.xdist_group("browser")

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OLD, NEW = ModelIdentity("breast", "1.0.0", "1" * 64), ModelIdentity("breast", "2.0.0", "2" * 64)
NO_FINDING = {"figure": "n_findings", "at_least": None, "at_most": 0}
AUC = {"part": "standalone", "figure": "study_auc.ci95.0", "at_least": 0.85, "at_most": None, "value": 0.891}
MET = [{"part": "leakage", **NO_FINDING, "value": 0, "met": True}, {**AUC, "met": True}]
FAILED = {
    "device": "cpu",
    "criteria": [
        *MET,
        {"part": "gate", **NO_FINDING, "value": 1, "met": False},
        {"part": "standalone", "figure": "froc.cpm", "at_least": 0.5, "at_most": None, "value": None, "met": False},
    ],
    "findings": [{"part": "gate", "said": "gate: mr_brain_flair: 2 of 5 refused, at least 90%"}],
}
PASSED = {"device": "cpu", "criteria": MET, "findings": []}


@pytest.fixture
def suites(engine, worklist):
    """A version that failed twice, and one that passed after it."""
    worklist.department.receives(JANE, CT, minutes_ago=5)
    rows = EvidenceRows(engine)
    failed = MeasuredSuite(OLD, "breast", "a" * 64, "drawn", "d" * 64, NOW, False, FAILED)
    passed = replace(failed, model=NEW, measured_at=NOW + timedelta(days=2), passed=True, document=PASSED)
    again = replace(failed, measured_at=NOW + timedelta(days=1))
    for number, one in enumerate((failed, again, passed), start=1):
        rows.record_suite(one, html_page(f"page {number}", "", []))


@pytest.mark.usefixtures("suites")
def test_a_suite_says_what_is_not_met_and_why_and_opens_its_report(page):
    log_in(page)
    page.get_by_role("button", name="Validation").click()
    cards = page.get_by_role("region", name="Suites").get_by_role("article")

    expect(cards).to_have_count(2)
    passed, failed = cards.nth(0), cards.nth(1)
    expect(passed.get_by_role("heading")).to_have_text("Passed: breast 2.0.0")
    expect(failed.get_by_role("heading")).to_have_text("Failed: breast 1.0.0")
    not_met = failed.locator(".criteria").first.get_by_role("listitem")
    expect(not_met).to_have_count(2)
    expect(not_met.first).to_contain_text("Refusal of what is out of scope")
    expect(not_met.last).to_contain_text("no figure")
    expect(failed).to_contain_text("Gate: mr_brain_flair: 2 of 5 refused, at least 90%")
    expect(failed.get_by_text("needed: at least 0.85")).to_be_hidden()
    failed.get_by_text("2 of 4 criteria met").click()
    expect(failed.get_by_text("needed: at least 0.85")).to_be_visible()
    expect(failed.get_by_text("0.891")).to_be_visible()
    for name, heading in (("Report of suite 2, in a new tab", "page 2"), ("Report of suite 1, in a new tab", "page 1")):
        with page.context.expect_page() as report:
            failed.get_by_role("link", name=name).click()
        expect(report.value.get_by_role("heading", name=heading)).to_be_visible()


@pytest.fixture
def answering(engine):
    """A validation of which workers have answered one of four studies."""
    work = ValidationWork(engine)
    number = work.begin(AskedOfWorkers(NEW, "drawn", "d" * 64, "/data/drawn", "cpu", 1, {}), list("abcd"))
    work.record(number, "a", "{}")
    return work, number


@pytest.mark.usefixtures("suites")
def test_the_page_follows_what_workers_answer_until_it_is_done(page, answering):
    work, number = answering
    log_in(page)

    page.get_by_role("button", name="Validation").click()
    under_way = page.get_by_role("region", name="Under way")

    expect(under_way.get_by_role("heading", name="breast 2.0.0")).to_be_visible()
    expect(under_way).to_contain_text("1 of 4 studies answered; live studies come first")
    expect(under_way.get_by_role("progressbar", name="Answered studies of breast 2.0.0")).to_have_js_property(
        "value", 1
    )
    work.record(number, "b", "{}")
    expect(under_way).to_contain_text("2 of 4 studies answered")
    work.end(number)
    expect(under_way).to_have_count(0)


@pytest.mark.usefixtures("suites", "answering")
@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("de", 390)])
def test_the_page_is_accessible_in_both_languages(page, axe, language, width):
    page.set_viewport_size({"width": width, "height": 844})
    log_in(page)
    page.evaluate("language => localStorage.setItem('acuity-language', language)", language)

    page.goto("/?panel=validation")

    awaited = {"en": "Failed: breast 1.0.0", "de": "Nicht bestanden: breast 1.0.0"}
    expect(page.get_by_role("heading", name=awaited[language])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert complaints_of(page, axe) == []
