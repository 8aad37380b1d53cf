"""`acuity drift rehearse`: months of trouble in a minute, and what the monitor says about them."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from deploy.alarming import alarm_object
from validation.drift.monitor import Design, StreamStatus
from validation.drift.rehearsal import Finding, Rehearsal, expected_at_most, rehearse
from validation.drift.scenario import read_scenario


def run(options: argparse.Namespace) -> int:
    """Print what came of the scenario; 1 where a trouble was missed, misnamed, or false alarms came too often."""
    scenario = read_scenario(options.scenario)
    if options.seed is not None:
        scenario = scenario.model_copy(update={"seed": options.seed})
    design = Design()
    found = rehearse(scenario, design)
    answer = _told(found, design, str(options.scenario))
    json.dump(answer, sys.stdout, indent=None if options.json else 2)
    sys.stdout.write("\n")
    return 0 if answer["as_designed"] else 1


def status_object(status: StreamStatus) -> dict[str, Any]:
    """Return a stream's status as a JSON object."""
    told = asdict(replace(status, days=None)) | asdict(status.key)
    told.pop("key")
    told.pop("days")
    return told | {"alarms": [alarm_object(one) for one in status.alarms]}


def _told(found: Rehearsal, design: Design, name: str) -> dict[str, Any]:
    allowed = expected_at_most(found.years_watched, design)
    named = all(one.is_named_right for one in found.findings)
    return {
        "scenario": name,
        "seed": found.scenario.seed,
        "days": found.scenario.days,
        "studies": found.studies,
        "streams": len(found.statuses),
        "health": dict(Counter(one.health for one in found.statuses)),
        "limit": next((one.limit for one in found.statuses if one.kind != "health" and one.limit), None),
        "years_watched": round(found.years_watched, 2),
        "false_alarms": [alarm_object(one) for one in found.false_alarms],
        "false_alarms_designed": round(found.years_watched / design.years_between_false_alarms, 2),
        "troubles": [_finding(one) for one in found.findings],
        "as_designed": named and len(found.false_alarms) <= allowed,
    }


def _finding(found: Finding) -> dict[str, Any]:
    trouble = found.trouble
    return {
        "kind": trouble.kind,
        "scanner": trouble.scanner,
        "begins": trouble.begins.isoformat(),
        "named_right": found.is_named_right,
        "delay_days": found.delay_days,
        "dated_wrong_by_days": found.error_days,
        "alarm": None if found.named is None else alarm_object(found.named),
    }
