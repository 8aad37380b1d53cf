"""The report says what happened in the period, in one page that needs nothing else, and names no patient."""

import csv
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deploy.surveying import document, write_pdf
from triage.errors import InvalidSetting
from triage.identifiers import Sha256
from triage.rule_history import RuleChange
from triage.surveillance import Alarm, AlarmCause, AlarmState, KeptAlarm, StreamKey, StreamKind
from validation.drift.monitor import Design
from validation.drift.rehearsal import draw_records, rehearse
from validation.drift.scenario import read_scenario
from validation.surveillance.figures import Facts, ModelChange, figures_of
from validation.surveillance.page import page_html
from validation.surveillance.records import TABLES, write_records

FIRST, LAST = date(2026, 6, 1), date(2026, 8, 31)
MADE = datetime(2026, 9, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def figures():
    scenario = read_scenario(Path("kernel")).model_copy(update={"days": 245})
    records = [one for one in draw_records(scenario) if FIRST <= one.received_at.date() <= LAST]
    key = StreamKey("Rehearsal", "CT2", "", "kernel")
    alarm = Alarm(key, StreamKind.INPUT, date(2026, 7, 8), date(2026, 7, 6), "upper", 14.0, 11.0, 5.0)
    kept = KeptAlarm(1, alarm, MADE - timedelta(days=50), AlarmState.CLOSED, "physicist", AlarmCause.PROTOCOL_CHANGE,
                     "<b>new kernel</b>", "CAPA-7", MADE - timedelta(days=40))  # fmt: skip
    change = ModelChange(MADE - timedelta(days=60), "rehearsed 1.0.0", "activate", "active", "lead", "first release")
    rules = RuleChange(MADE - timedelta(days=30), Sha256("ab" * 32), ("Chest <first>",), (), ("Originals",))
    statuses = rehearse(scenario, Design()).statuses
    facts = Facts(FIRST, LAST, UTC, MADE, records, statuses, [kept], [change], rule_changes=[rules])
    return figures_of(facts, {"sensitivity": 0.99})


def test_the_page_says_everything_and_needs_nothing_from_outside(figures):
    page = page_html(figures)

    for heading in ("Summary", "Volumes", "Performance", "Drift", "Alarms and what was done", "Complaints", "Subgroups",
                    "Changes of versions and rules", "Turnaround"):  # fmt: skip
        assert f"<h2>{heading}" in page
    assert "Research use only" in page
    assert [word for word in ("http://", "https://", "<script", "src=") if word in page] == []
    assert "&lt;b&gt;new kernel&lt;/b&gt;" in page
    assert "CAPA-7" in page
    assert "abababababab</td><td>Chest &lt;first&gt;</td>" in page


def test_the_figures_are_those_of_the_records(figures):
    records = figures.facts.records

    assert figures.studies == len(records) == sum(one.studies for one in figures.volumes)
    performance = figures.performance["rehearsed 1.0.0"]
    missed = sum(one.events.get("missed", False) for one in records)
    assert performance.figures[0].value.trials - performance.figures[0].value.successes == missed
    assert performance.figures[0].is_below_claim  # d' of 2.2 at this threshold reaches about 0.85
    assert len(figures.complaints[0].missed) == missed
    by_sex = [one for one in figures.groups if one.column == "sex"]
    assert sum(one.studies for one in by_sex) == len(records)
    told = document(figures)
    assert (told["from"], told["studies"], told["alarms"][0]["cause"]) == (
        "2026-06-01",
        len(records),
        "protocol_change",
    )


def test_the_records_are_four_tables_with_cases_and_no_study_uid(figures, tmp_path):
    write_records(tmp_path, figures.facts.records)

    assert {one.name for one in tmp_path.iterdir()} == set(TABLES)
    for name, columns in TABLES.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        assert (tuple(rows[0]), len(rows)) == (columns, len(figures.facts.records))
        assert "2.25." not in text


def test_the_pdf_has_the_pages_of_the_report(figures, tmp_path):
    pytest.importorskip("weasyprint", exc_type=OSError, reason="Pango is not on this machine")

    write_pdf(page_html(figures), tmp_path / "report.pdf")

    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_without_pango_one_line_says_what_is_needed(figures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)

    with pytest.raises(InvalidSetting, match="Pango") as refused:
        write_pdf(page_html(figures), tmp_path / "report.pdf")

    assert "\n" not in str(refused.value)
