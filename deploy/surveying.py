"""`acuity surveillance report`: the page, the PDF, the figures and the records of a period."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from deploy.alarming import kept_object
from deploy.drift_watch import looked
from deploy.opened import opened_database
from deploy.rehearsing import estimate_object, status_object
from deploy.settings import Settings, read_settings
from storage.alarms import AlarmRows
from storage.database import connect
from storage.model_registry import ModelRows
from storage.rule_history import RuleHistory
from storage.study_records import RecordReader
from triage.errors import InvalidSetting
from validation.surveillance.figures import Facts, Figures, ModelChange, figures_of
from validation.surveillance.page import page_html
from validation.surveillance.records import TABLES, write_records
from validation.written_whole import written_whole

PAGE, PRINTED, DOCUMENT = "report.html", "report.pdf", "report.json"
FIGURES = ("sensitivity", "specificity")


def report(options: argparse.Namespace) -> int:
    """Write the report of the days from `--from` to `--to`, and print its figures."""
    first, last = _day(options.first, "--from"), _day(options.last, "--to")
    if last < first:
        raise InvalidSetting(f"--to {last}: lies before --from {first}")
    settings = read_settings(options.config)
    with opened_database(settings) as url:
        engine = connect(url)
        facts = facts_of(engine, settings, first, last, datetime.now(UTC))
        engine.dispose()
    figures = figures_of(facts, _claims(options))
    answer = document(figures)
    with written_whole(options.out, _is_earlier_report) as folder:
        page = page_html(figures)
        (folder / PAGE).write_text(page, encoding="utf-8")
        (folder / DOCUMENT).write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
        write_records(folder, facts.records)
        if options.pdf:
            write_pdf(page, folder / PRINTED)
    sys.stdout.write((json.dumps(answer) if options.json else f"{options.out / PAGE}") + "\n")
    return 0


def facts_of(engine: Engine, settings: Settings, first: date, last: date, now: datetime) -> Facts:
    """Return what the report of whole days is made of; drift stands as at the end of the period, or now."""
    zone = ZoneInfo(settings.file.site.time_zone)
    start, end = (datetime.combine(day, datetime.min.time(), zone) for day in (first, last + timedelta(days=1)))
    changes = [
        ModelChange(
            entry.decision.at.astimezone(zone), f"{entry.model.name} {entry.model.version}", entry.action.value,
            entry.after.value, entry.decision.by, entry.decision.why,
        )
        for entry in ModelRows(engine).history()
        if start <= entry.decision.at < end
    ]  # fmt: skip
    seen = looked(engine, settings, min(now, end))
    return Facts(
        first=first,
        last=last,
        zone=zone,
        made_at=now.astimezone(zone),
        records=RecordReader(engine).between(start, end),
        statuses=seen.statuses,
        alarms=[one for one in reversed(AlarmRows(engine).all()) if start <= one.opened_at < end],
        changes=changes,
        estimates=seen.estimates,
        rule_changes=RuleHistory(engine).changes(start, end),
    )


def document(figures: Figures) -> dict[str, Any]:
    """Return the figures as one JSON document."""
    facts = figures.facts
    told: dict[str, Any] = {
        "from": facts.first,
        "to": facts.last,
        "made_at": facts.made_at,
        "studies": figures.studies,
        "volumes": [asdict(one) for one in figures.volumes],
        "performance": {name: asdict(found) for name, found in figures.performance.items()},
        "estimated": [estimate_object(one) for one in facts.estimates],
        "drift": [status_object(one) for one in facts.statuses],
        "alarms": [kept_object(one, facts.made_at) for one in facts.alarms],
        "complaints": [asdict(one) for one in figures.complaints],
        "subgroups": [asdict(one) for one in figures.groups],
        "changes": [asdict(one) for one in facts.changes],
        "rule_changes": [asdict(one) for one in facts.rule_changes],
        "turnaround": [asdict(one) for one in figures.waiting],
    }
    plain: dict[str, Any] = json.loads(json.dumps(told, default=lambda one: one.isoformat()))
    return plain


def write_pdf(page: str, path: Path) -> None:
    """Write the page as PDF; raises InvalidSetting where the libraries that draw it are not on this machine."""
    try:
        from weasyprint import HTML
    except (ImportError, OSError) as error:
        first = str(error).splitlines()[0]
        raise InvalidSetting(f"--pdf: needed WeasyPrint and the library Pango on this machine ({first})") from error
    HTML(string=page).write_pdf(path)


def _is_earlier_report(folder: Path) -> bool:
    return {one.name for one in folder.iterdir()} <= {PAGE, PRINTED, DOCUMENT, *TABLES}


def _claims(options: argparse.Namespace) -> Mapping[str, float]:
    claims = {name: getattr(options, name) for name in FIGURES if getattr(options, name) is not None}
    for name, claim in claims.items():
        if not 0 < claim < 1:
            raise InvalidSetting(f"--{name} {claim:g}: needed between 0 and 1")
    return claims


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidSetting(f"{name} {text!r}: needed a date like 2026-03-01") from error
