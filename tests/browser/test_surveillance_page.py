"""The quality manager's pages in a browser: the banner, from an alarm to its studies and to its end, and verdicts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, expect

from models.evidence import LockedPlan, MeasuredRun, ReachedVerdict
from storage.alarms import AlarmRows
from storage.evidence import EvidenceRows
from tests.browser.conftest import Worklist
from tests.browser.department import PASSWORD, Department, services_on
from tests.browser.going import colour
from tests.browser.serving import running
from tests.browser.test_accessibility import CT, JANE, complaints_of
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_worklist_page import log_in
from triage.audit import Actor, AuditAction, AuditEvent
from triage.findings import ModelIdentity
from triage.surveillance import AlarmCause, AlarmState
from validation.drift.daily import Calendar
from validation.drift.monitor import Design, chart_days, check
from validation.drift.rehearsal import draw_records
from validation.drift.scenario import read_scenario
from validation.page import html_page
from worklist.app import create_app
from worklist.auth import ensure_admin
from worklist.settings import WebSettings

pytestmark = pytest.mark.xdist_group("browser")

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OLD, NEW = ModelIdentity("head", "1.0.0", "1" * 64), ModelIdentity("head", "2.0.0", "2" * 64)
CRITERION = {
    "name": "sensitivity not worse", "measure": "sensitivity", "of": "difference", "subgroup": "sex: F", "n": 81,
    "n_patients": 80, "a": 0.91, "b": 0.84, "value": -0.07, "ci95": [-0.12, -0.02], "judged_by": "lower_limit",
    "needed": -0.05, "met": False,
}  # fmt: skip
VERDICT = {
    "verdict": "Refused", "dataset": "made", "plan": {"name": "2 against 1"}, "criteria": [CRITERION],
    "too_small_to_judge": [], "caveats": ["A: was trained on 3 of the patients; its figures are optimistic"],
}  # fmt: skip


@pytest.fixture(scope="module")
def rehearsed():
    """What the monitor itself says about a rehearsed kernel change and a rehearsed worse model."""
    scenario = read_scenario("model")
    last = scenario.start + timedelta(days=scenario.days - 1)
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    return check(list(draw_records(scenario)), end, Calendar(UTC, last, scenario.baseline_days), Design())


@pytest.fixture
def watched(engine, rehearsed):
    """The real server on a department whose streams are those of the rehearsal, its alarms kept as rows."""
    department = Department(engine)
    uid = department.receives(JANE, CT, minutes_ago=5)
    first = {one.key: one.alarms[0] for one in rehearsed if one.alarms}
    alarms = [replace(one, studies=(uid, *one.studies[1:])) for one in first.values()]
    AlarmRows(engine).open_new(alarms, datetime.now(UTC))

    def days(key):
        return [day for one in rehearsed if one.key == key for day in chart_days(one, None, 180)]

    streams = SimpleNamespace(all=lambda: (datetime.now(UTC), rehearsed), days=days)
    services = replace(services_on(engine), streams=streams)
    ensure_admin(services.accounts, PASSWORD, services.clock)
    with running(create_app(services, WebSettings(ping_every=timedelta(seconds=1)))) as url:
        yield Worklist(url, department, services.accounts)


@pytest.fixture
def opened(chromium: Browser, watched, request):
    scheme, width = getattr(request, "param", ("dark", 1440))
    context = chromium.new_context(
        base_url=watched.url, viewport={"width": width, "height": 900 if width > 700 else 844}
    )
    page = context.new_page()
    colour(page, scheme)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(page)
    yield page
    context.close()
    assert complaints == []


def missed_alarm(rows):
    return next(one for one in rows.all() if one.alarm.key.stream == "missed")


def test_from_the_banner_by_keyboard_to_the_study_that_shows_it_best(opened, engine):
    page, banner = opened, opened.get_by_role("status", name="Alarms that concern reading")
    expect(banner).to_contain_text("nobody has acknowledged it yet")
    row = page.locator("tr[data-uid]").first
    place = row.bounding_box()

    banner.get_by_role("button").focus()
    assert row.bounding_box() == place
    page.keyboard.press("Enter")

    watch = page.get_by_role("region", name="Surveillance")
    expect(watch.get_by_role("img", name="the sum is")).to_be_visible()
    expect(watch).to_contain_text("within 28 days on average, at this volume")
    first = watch.get_by_role("listitem").get_by_role("link").first
    uid = first.inner_text()
    first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_be_visible()
    assert f"study={uid}" in page.url
    assert "panel" not in page.url


def test_an_alarm_is_taken_given_away_and_closed_with_its_cause(opened, engine):
    page, rows = opened, AlarmRows(engine)
    number = missed_alarm(rows).number
    page.goto(f"/?panel=surveillance&alarm={number}")
    card = page.get_by_role("region", name=f"Alarm {number}", exact=True)

    card.get_by_role("button", name="Acknowledge").click()
    expect(card.get_by_text("admin looks after it")).to_be_visible()
    card.get_by_label("Owner").fill("ann")
    card.get_by_role("button", name="Give it to them").click()
    expect(card.get_by_text("ann looks after it")).to_be_visible()
    card.get_by_text("Close the alarm").click()
    card.get_by_label("Cause").select_option("model_fault")
    card.get_by_role("button", name="Close it").click()
    expect(card.get_by_role("alert")).to_contain_text("needed an explanation or the reference of an action")
    card.get_by_label("Reference of the action").fill("CAPA 12")
    card.get_by_role("button", name="Close it").click()
    expect(card.get_by_text("Closed: fault of the model")).to_be_visible()

    kept = missed_alarm(rows)
    assert (kept.state, kept.cause, kept.owner, kept.action) == (
        AlarmState.CLOSED, AlarmCause.MODEL_FAULT, "ann", "CAPA 12",
    )  # fmt: skip


@pytest.mark.parametrize("opened", [("dark", 1440), ("light", 1440), ("dark", 390)], indirect=True)
def test_the_pages_are_accessible_and_never_scroll_sideways(opened, engine, axe):
    record_verdict(engine)
    page, complaints = opened, {}
    number = missed_alarm(AlarmRows(engine)).number
    for name, address in (
        ("overview", "/?panel=surveillance"),
        ("alarm", f"/?panel=surveillance&alarm={number}"),
        ("validation", "/?panel=validation"),
        ("list", "/"),
    ):
        page.goto(address)
        awaited = {
            "overview": "Within limits",
            "alarm": "Studies that show it best",
            "validation": "Refused: head 2.0.0",
        }
        expect(page.get_by_text(awaited.get(name, "nobody has acknowledged it yet")).first).to_be_visible()
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        complaints[name] = [*complaints_of(page, axe), *([f"{overflow} px too wide"] if overflow > 0 else [])]

    assert not any(complaints.values()), complaints


def test_a_stream_is_green_only_with_a_figure_and_grey_while_it_learns(opened, rehearsed):
    page = opened
    page.get_by_role("button", name="Surveillance").click()
    watch = page.get_by_role("region", name="Surveillance", exact=True)
    expect(watch.get_by_text("Within limits").first).to_be_visible()

    places = watch.get_by_role("region", name="Rehearsal").get_by_role("heading", level=4).all_inner_texts()
    assert [one.split("\n")[0] for one in places if "model on" not in one] == ["All scanners", "CT_ER", "CT1", "CT2"]
    good = watch.locator(".cell.level-good").all_inner_texts()  # all of them at one moment: the page refreshes itself
    assert good
    assert all("% of the limit" in one for one in good)
    assert watch.locator(".cell.level-harm").count() > 0


def test_a_verdict_shows_each_criterion_and_opens_its_report(opened, engine):
    record_verdict(engine)
    page = opened
    page.get_by_role("button", name="Validation").click()
    verdicts = page.get_by_role("region", name="Verdicts")

    expect(verdicts.get_by_role("listitem")).to_contain_text("Not met")
    expect(verdicts.get_by_role("listitem")).to_contain_text("-0.070 [-0.120, -0.020]")
    expect(page.get_by_role("row", name="head 2.0.0")).to_contain_text("0.900 [0.800, 0.950]")
    with page.context.expect_page() as report:
        page.get_by_role("link", name="Report of verdict 1, in a new tab").click()
    expect(report.value.get_by_role("heading", name="the verdict")).to_be_visible()


def record_verdict(engine):
    rows, event = EvidenceRows(engine), AuditEvent(NOW, Actor("ann", "command line"), AuditAction.VERDICT_REACHED)
    rows.lock(LockedPlan("f" * 64, "2 against 1", "text", "ann", NOW), event)
    figure = {"value": 0.9, "ci95": [0.8, 0.95]}
    document = {
        "n_studies": 161, "n_positive_studies": 81, "device": "cpu", "study_auc": figure,
        "operating_points": [{"name": "balanced", "threshold": 0.5, "sensitivity": figure, "specificity": figure}],
    }  # fmt: skip
    rows.record_run(MeasuredRun(NEW, "made", "d" * 64, NOW, "e" * 64, document), html_page("the run", "", []))
    verdict = ReachedVerdict(NEW, OLD, "f" * 64, "d" * 64, False, True, "ann", NOW, VERDICT)
    rows.record_verdict(verdict, html_page("the verdict", "", []), event)
