"""`acuity alarms`: what the drift monitor noticed, and what people did about it."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from deploy.opened import opened_database
from deploy.settings import read_settings
from storage.alarms import AlarmRows
from storage.database import connect
from triage.audit import Actor
from triage.surveillance import Alarm, AlarmCause, Disposition, KeptAlarm


def add_alarms(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `alarms` to the command line."""
    actions = verbs.add_parser("alarms", help="what the drift monitor noticed").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", parents=[printing], help="every alarm, newest first")
    listing.add_argument("--open", action="store_true", help="only those that are not closed")
    listing.set_defaults(run=list_alarms)
    for name, run, text in (
        ("ack", acknowledge, "say that an alarm was seen, and take it"),
        ("assign", assign, "give an alarm to somebody"),
        ("close", close, "close an alarm with its cause"),
    ):
        action = actions.add_parser(name, parents=[printing], help=text)
        action.add_argument("number", type=int, metavar="NUMBER", help="as `alarms list` shows it")
        action.add_argument("--by", default="", metavar="PERSON", help="who acts (default: this system's account)")
        action.set_defaults(run=run)
        if name == "assign":
            action.add_argument("--to", required=True, metavar="PERSON", help="who looks after it")
        if name == "close":
            _add_disposition(action)


def _add_disposition(action: argparse.ArgumentParser) -> None:
    causes = [one.value for one in AlarmCause]
    action.add_argument("--cause", required=True, choices=causes, help="what was found")
    action.add_argument("--why", default="", metavar="TEXT", help="in words")
    action.add_argument("--action", default="", metavar="REFERENCE", help="of what was done, a CAPA number for example")
    action.add_argument("--new-baseline", action="store_true", help="the change stays: learn anew what is usual")


def list_alarms(options: argparse.Namespace) -> int:
    """Print the alarms; 1 where one is overdue."""
    now = datetime.now(UTC)
    found = _with_rows(options, lambda rows: rows.all(only_open=options.open))
    _print(options, [kept_object(one, now) for one in found])
    return int(any(one.is_overdue(now) for one in found))


def acknowledge(options: argparse.Namespace) -> int:
    """Take an open alarm."""
    return _act(options, lambda rows, actor, at: rows.acknowledge(options.number, actor, at))


def assign(options: argparse.Namespace) -> int:
    """Give an alarm to somebody."""
    return _act(options, lambda rows, actor, at: rows.assign(options.number, options.to, actor, at))


def close(options: argparse.Namespace) -> int:
    """Close an alarm."""
    how = Disposition(AlarmCause(options.cause), options.why, options.action, options.new_baseline)
    return _act(options, lambda rows, actor, at: rows.close(options.number, how, actor, at))


def alarm_object(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as a JSON object."""
    told = asdict(alarm) | asdict(alarm.key)
    told.pop("key")
    return told | {"noticed_on": alarm.noticed_on.isoformat(), "changed_on": alarm.changed_on.isoformat()}


def kept_object(kept: KeptAlarm, now: datetime) -> dict[str, Any]:
    """Return a kept alarm as a JSON object."""
    own = {name: value for name, value in asdict(kept).items() if name != "alarm"}
    moments = {name: value.isoformat() for name, value in own.items() if isinstance(value, datetime)}
    return alarm_object(kept.alarm) | own | moments | {"overdue": kept.is_overdue(now)}


def _act(options: argparse.Namespace, act: Callable[[AlarmRows, Actor, datetime], KeptAlarm]) -> int:
    actor, now = Actor(options.by or getpass.getuser(), "command line"), datetime.now(UTC)
    kept = _with_rows(options, lambda rows: [act(rows, actor, now)])
    _print(options, [kept_object(one, now) for one in kept])
    return 0


def _with_rows(options: argparse.Namespace, work: Callable[[AlarmRows], list[KeptAlarm]]) -> list[KeptAlarm]:
    with opened_database(read_settings(options.config)) as url:
        engine = connect(url)
        try:
            return work(AlarmRows(engine))
        finally:
            engine.dispose()


def _print(options: argparse.Namespace, alarms: list[dict[str, Any]]) -> None:
    if options.json:
        json.dump(alarms, sys.stdout)
        sys.stdout.write("\n")
        return
    for one in alarms:
        place = " ".join(str(one[name]) for name in ("site", "scanner", "model", "stream") if one[name])
        told = {"OVERDUE": one["overdue"], "ESCALATED": one["escalated_at"], "FLAGS PAUSED": one["flags_paused_at"]}
        marks = "".join(f"  {mark}" for mark, is_so in told.items() if is_so)
        line = f"{one['number']:5}  {one['state']:12}  {one['noticed_on']}  {place}  {one['owner']}{marks}"
        sys.stdout.write(line + "\n")
