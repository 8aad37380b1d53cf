"""What `acuity rules` does: check a rule file, explain it on one study, replay it over past ones."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.opened import opened_database
from deploy.routing import FileRouter, router_of, rule_file_of, rules_of
from deploy.rules_in_use import stored_study
from deploy.settings import read_settings
from storage.database import connect
from storage.routing import studies_since
from triage.errors import InvalidSetting
from triage.identifiers import StudyInstanceUid
from triage.rules import Answer, Facts, Routing, decide, tried


def check(options: argparse.Namespace) -> int:
    """Print which rules a file holds; raises InvalidSetting with every mistake in it."""
    settings = read_settings(options.config)
    rules = rules_of(settings, options.file)
    answer = {"file": str(options.file or rule_file_of(settings)), "rules": [rule.name for rule in rules]}
    if options.json:
        print(json.dumps(answer))
    else:
        print(f"{answer['file']}: {len(rules)} rules, no mistake")
    return 0


def test(options: argparse.Namespace) -> int:
    """Print rule by rule whether it matches, each condition with what it needs and what was found."""
    settings = read_settings(options.config)
    router = router_of(settings, options.rules)
    file = Path(options.subject)
    if file.is_file():
        sources = [options.source] if options.source else []
        facts: tuple[Facts, ...] = (router.facts_of(file, sources, _arrival(options.at, router)),)
    else:
        with opened_database(settings) as url:
            known = stored_study(connect(url), StudyInstanceUid(options.subject))
            facts = router.facts(known.series, known.sources, known.study.received_at)
    told: list[dict[str, Any]] = []
    for trial in tried(router.rules, facts):
        series = [{"series_instance_uid": uid, **_as_object(answer)} for uid, answer in trial.answers]
        told.append({"name": trial.rule, "matches": trial.matches, "series": series})
    routing = decide(router.rules, facts)
    if options.json:
        print(json.dumps({"subject": options.subject, "rules": told, "routing": as_object(routing)}))
        return 0
    for one in told:
        print(f"{'MATCHES' if one['matches'] else 'no match'}  {one['name']}")
        for on_series in one["series"]:
            print(f"    series {on_series['series_instance_uid'] or 'of the file'}")
            print("\n".join(_lines(on_series, 2)))
    print("\n".join(_routing_lines(routing)))
    return 0


def replay(options: argparse.Namespace) -> int:
    """Print the past studies for which the rules decide something else than was decided when they arrived."""
    settings = read_settings(options.config)
    router = router_of(settings, options.rules)
    since = _moment(options.since, "--since", router)
    seen = 0
    differences: list[dict[str, Any]] = []
    with opened_database(settings) as url:
        engine = connect(url)
        for uid in studies_since(engine, since):
            known = stored_study(engine, uid)
            seen += 1
            changes = _changes(known.routing, router.route(known.study, known.series, known.sources))
            if changes:
                differences.append({"study_instance_uid": uid, "changes": changes})
        engine.dispose()
    if options.json:
        print(json.dumps({"studies": seen, "differences": differences}))
        return 0
    for one in differences:
        for key, change in one["changes"].items():
            print(f"{one['study_instance_uid']}  {key}: {_words(change['before'])} -> {_words(change['after'])}")
    print(f"{len(differences)} of {seen} studies would be routed differently")
    return 0


def as_object(routing: Routing) -> dict[str, Any]:
    """Return a decision as it is printed."""
    return {**asdict(routing), "priority_floor": routing.priority_floor.name}


def _changes(before: Routing, after: Routing) -> dict[str, dict[str, Any]]:
    was, is_now = as_object(before), as_object(after)
    return {key: {"before": was[key], "after": is_now[key]} for key in is_now if was[key] != is_now[key]}


def _arrival(text: str, router: FileRouter) -> datetime:
    return _moment(text, "--at", router) if text else datetime.now(UTC)


def _moment(text: str, option: str, router: FileRouter) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidSetting(f"{option}: found {text!r}, needed a day or a time as 2026-03-01T22:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=router.zone)


def _as_object(answer: Answer) -> dict[str, Any]:
    told = {"holds": answer.holds, "needed": answer.needed, "found": answer.found}
    return {**told, "parts": [_as_object(part) for part in answer.parts]}


def _lines(answer: dict[str, Any], depth: int) -> Iterator[str]:
    found = f"  (found {answer['found']})" if answer["found"] else ""
    yield f"{'    ' * depth}{'yes' if answer['holds'] else 'no '}  {answer['needed']}{found}"
    for part in answer["parts"]:
        yield from _lines(part, depth + 1)


def _routing_lines(routing: Routing) -> Sequence[str]:
    nothing = as_object(Routing())
    told = as_object(routing)
    return [f"-> {key}: {_words(told[key])}" for key in told if told[key] != nothing[key]] or ["-> nothing changed"]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items())
    return (
        ", ".join(map(_words, value)) or "none"
        if isinstance(value, list | tuple)
        else "none"
        if value is None
        else str(value) or "none"
    )
