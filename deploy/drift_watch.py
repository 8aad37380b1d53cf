"""The drift monitor on the live platform: read what was stored, check every stream, keep the alarms that are news."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from deploy.opened import opened_database
from deploy.rehearsing import estimate_object, status_object
from deploy.settings import Settings, read_settings
from models.lifecycle import Decision, ModelAction, ModelState
from storage.alarms import AlarmRows, mark_paused
from storage.database import connect
from storage.model_registry import ModelRows
from storage.study_records import RecordReader
from triage.audit import PLATFORM, AuditAction, AuditEvent
from triage.errors import ActNotPossible
from triage.surveillance import AlarmState, KeptAlarm
from validation.drift.daily import Calendar
from validation.drift.estimated import STREAM as ESTIMATED
from validation.drift.estimated import EstimatedPerformance, estimated_performance
from validation.drift.inputs import WINDOW_DAYS, difference
from validation.drift.monitor import Design, StreamStatus, Watch, check


def status(options: argparse.Namespace) -> int:
    """Print every stream; 1 while an alarm is not closed or a scanner is silent."""
    settings = read_settings(options.config)
    with opened_database(settings) as url:
        engine = connect(url)
        found = looked(engine, settings, datetime.now(UTC))
        engine.dispose()
    told = [status_object(one) | _estimate_of(one, found.estimates) for one in found.statuses]
    if options.json:
        json.dump(told, sys.stdout)
        sys.stdout.write("\n")
    else:
        for one in told:
            place = f"{one['site'] or '-'}  {one['scanner'] or '-'}  {one['model'] or '-'}  {one['stream']}"
            figures = f"{one['health']:9} {_shown(one['statistic'])} of {_shown(one['limit'])}"
            sys.stdout.write(f"{figures}  {place}  smallest change {_shown(one['smallest_change'])}\n")
    return int(any(one["health"] in ("alarm", "silent") for one in told))


def explain(options: argparse.Namespace) -> int:
    """Print what differs between the studies before and since the change that an alarm is about."""
    settings = read_settings(options.config)
    zone = ZoneInfo(settings.file.site.time_zone)
    with opened_database(settings) as url:
        engine = connect(url)
        kept = next((one for one in AlarmRows(engine).all() if one.number == options.number), None)
        if kept is None:
            raise ActNotPossible(f"there is no alarm {options.number}")
        key, changed = kept.alarm.key, kept.alarm.changed_on
        start = datetime.combine(changed, datetime.min.time(), zone)
        records = RecordReader(engine).between(start - timedelta(days=WINDOW_DAYS), start + timedelta(days=WINDOW_DAYS))
        engine.dispose()
    own = [one for one in records if (one.site, one.scanner) == (key.site, key.scanner)
           and key.model in ("", one.model)]  # fmt: skip
    once = list({one.study_instance_uid: one for one in own}.values())
    found = difference(once, changed, date.max, zone)
    windows = {"before": [str(day) for day in found.before], "after": [str(day) for day in found.after]}
    json.dump(asdict(found) | windows, sys.stdout, indent=None if options.json else 2)
    sys.stdout.write("\n")
    return 0


@dataclass(frozen=True, slots=True)
class Looked:
    """Every stream, and what the scores say about the models' performance."""

    statuses: list[StreamStatus] = field(default_factory=list)
    estimates: list[EstimatedPerformance] = field(default_factory=list)


def looked(engine: Engine, settings: Settings, now: datetime) -> Looked:
    """Return the status of every stream over the stored history, as people have decided about its alarms."""
    section, zone = settings.file.surveillance, ZoneInfo(settings.file.site.time_zone)
    records = RecordReader(engine).between(now - timedelta(days=section.history_days), now)
    if not records:
        return Looked()
    calendar = Calendar(zone, now.astimezone(zone).date() - timedelta(days=1), section.baseline_days)
    kept = AlarmRows(engine).all()
    open_ones = [one.alarm for one in kept if one.state is not AlarmState.CLOSED]
    not_closed, watch = {one.key for one in open_ones}, decided(kept, calendar)
    found = check(records, now, calendar, Design(section.years_between_false_alarms), watch)
    return Looked(
        [replace(one, health="alarm") if one.key in not_closed else one for one in found],
        estimated_performance(records, calendar, open_ones, watch.baselines),
    )


def look(engine: Engine, settings: Settings, now: datetime) -> list[StreamStatus]:
    """Return the status of every stream alone."""
    return looked(engine, settings, now).statuses


@dataclass(frozen=True, slots=True)
class Round:
    """What one look of the monitor changed, by alarms."""

    opened: list[KeptAlarm]
    escalated: list[KeptAlarm]
    paused: list[KeptAlarm]


def watch_once(engine: Engine, settings: Settings, now: datetime) -> Round:
    """Keep what is news, pause the flags that the settings say, escalate what nobody acknowledged in time."""
    opened = look_and_keep(engine, settings, now)
    paused = pause_flags(engine, settings.file.surveillance.pause_flags_from_change, now)
    return Round(opened, AlarmRows(engine).escalate(now), paused)


def look_and_keep(engine: Engine, settings: Settings, now: datetime) -> list[KeptAlarm]:
    """Keep the alarms that are news, of each stream the earliest first, and return what was kept."""
    alarms = [alarm for one in look(engine, settings, now) for alarm in one.alarms]
    after = timedelta(hours=settings.file.surveillance.escalates_after_hours)
    return AlarmRows(engine).open_new(alarms, now, after)


def pause_flags(engine: Engine, from_change: float | None, now: datetime) -> list[KeptAlarm]:
    """Put each active model into the shadow against which readers speak so much more often; return the alarms.

    Whoever activates a model while the alarm is there has decided: the alarm does not pause it again.
    """
    rows, paused = ModelRows(engine), []
    activated = {one.model_id: one.decision.at for one in rows.history() if one.after is ModelState.ACTIVE}
    for kept in AlarmRows(engine).all(only_open=True):
        if not kept.pauses_flags(from_change):
            continue
        key = kept.alarm.key
        for model in rows.active():
            name = f"{model.record.identity.name} {model.record.identity.version}"
            if name == key.model and activated[model.id] <= kept.opened_at:
                why = f"alarm {kept.number}: {key.stream} of {key.scanner} rose by {kept.alarm.amount:.2f}"
                told = {"alarm": str(kept.number), "model": key.model, "reason": why}
                event = AuditEvent(now, PLATFORM, AuditAction.FLAGS_PAUSED, details=told)
                decision = Decision(PLATFORM.name, now, why)
                mark = mark_paused(kept.number, now)
                rows.move(model.id, ModelState.SHADOW, ModelAction.SHADOW, decision, event, mark)
                paused.append(replace(kept, flags_paused_at=now))
    return paused


def decided(alarms: list[KeptAlarm], calendar: Calendar) -> Watch:
    """Return from which day each stream is watched anew: a chart starts again when its alarm was closed."""
    closed = [one for one in reversed(alarms) if one.state is AlarmState.CLOSED and one.closed_at is not None]
    return Watch(
        baselines={one.alarm.key: one.alarm.changed_on for one in closed if one.new_baseline},
        restarts={one.alarm.key: calendar.day_of(one.closed_at) for one in closed if one.closed_at is not None},
    )


def _estimate_of(status: StreamStatus, estimates: list[EstimatedPerformance]) -> dict[str, Any]:
    """Return the figures of the model beside the stream that charts them; they are of all scanners of the site."""
    key = status.key
    own = [one for one in estimates if key.stream == ESTIMATED and (one.site, one.model) == (key.site, key.model)]
    return {"estimate": estimate_object(own[0])} if own else {}


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.3g}"
