"""`acuity drift rehearse`: months of trouble in a minute, and what the monitor says about them."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deploy.alarming import alarm_object
from triage.errors import InvalidDesign
from validation.drift.estimated import EstimatedPerformance
from validation.drift.monitor import Design, StreamStatus
from validation.drift.quiet_years import quiet_years
from validation.drift.rehearsal import Finding, Rehearsal, expected_at_most, rehearse
from validation.drift.scenario import read_scenario, shipped_scenarios

ALL = "all"
"""Stands for every shipped scenario with a trouble."""

FEWEST_SITES = 2
"""How much departments vary is part of the interval."""


def run(options: argparse.Namespace) -> int:
    """Print what came of the scenario; 1 where a trouble was missed, misnamed, or false alarms came too often."""
    if str(options.scenario) == ALL:
        return _every_trouble(options)
    scenario = read_scenario(options.scenario)
    if options.seed is not None:
        scenario = scenario.model_copy(update={"seed": options.seed})
    design = Design()
    answer = _told(rehearse(scenario, design), design, str(options.scenario))
    json.dump(answer, sys.stdout, indent=None if options.json else 2)
    sys.stdout.write("\n")
    return 0 if answer["as_designed"] else 1


def _every_trouble(options: argparse.Namespace) -> int:
    """Print one row for each shipped trouble."""
    scenarios = {name: read_scenario(Path(name)) for name in shipped_scenarios()}
    seeds = {} if options.seed is None else {"seed": options.seed}
    told = [_told(rehearse(one.model_copy(update=seeds), Design()), Design(), name)
            for name, one in scenarios.items() if one.troubles]  # fmt: skip
    if options.json:
        json.dump(told, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("| scenario | planted | named | right | delay, days | date wrong by, days | false alarms |\n")
        sys.stdout.write("|---|---|---|---|---|---|---|\n")
        for one in told:
            for trouble in one["troubles"]:
                sys.stdout.write(_row(one["scenario"], trouble, len(one["false_alarms"])))
    return int(not all(one["as_designed"] for one in told))


def _row(scenario: str, trouble: dict[str, Any], false_alarms: int) -> str:
    alarm = trouble["alarm"] or {"scanner": "", "stream": "nothing"}
    planted = f"{trouble['kind']} of {trouble['scanner'] or 'all'}, {trouble['begins']}"
    cells = (f"`{scenario}`", planted, f"{alarm['scanner']} `{alarm['stream']}`",
             "yes" if trouble["named_right"] else "no", trouble["delay_days"], trouble["dated_wrong_by_days"],
             false_alarms)  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |\n"


def verify(options: argparse.Namespace) -> int:
    """Print the false alarms of quiet departments against the design; 1 where more came than chance explains."""
    if options.sites < FEWEST_SITES:
        raise InvalidDesign(f"--sites {options.sites}: needed {FEWEST_SITES} or more")
    design, scenario = Design(), read_scenario(options.scenario)
    found = quiet_years(scenario, range(options.seed, options.seed + options.sites), design)
    answer = {
        "scenario": str(options.scenario),
        "sites": len(found.by_site),
        "years": round(found.years, 1),
        "asked_years_between_alarms": design.years_between_false_alarms,
        "alarms": found.alarms,
        "alarms_designed": round(found.designed, 1),
        "years_between_alarms": round(found.years / found.alarms, 3) if found.alarms else None,
        "years_between_alarms_designed": round(found.years / found.designed, 3),
        "realised_over_designed_ci95": [round(one, 3) for one in found.ratio_ci95],
        "streams": {name: {"alarms": own, "designed": round(said, 2)} for name, (own, said) in found.streams.items()},
    }
    json.dump(answer, sys.stdout, indent=None if options.json else 2)
    sys.stdout.write("\n")
    return int(found.ratio_ci95[0] > 1)


def status_object(status: StreamStatus) -> dict[str, Any]:
    """Return a stream's status as a JSON object."""
    told = asdict(replace(status, days=None)) | asdict(status.key)
    told.pop("key")
    told.pop("days")
    return told | {"alarms": [alarm_object(one) for one in status.alarms]}


def estimate_object(found: EstimatedPerformance) -> dict[str, Any]:
    """Return what scores say about a model as a JSON object; intervals are 95 %, prevalence by EM."""
    told = {name: value for name, value in asdict(found).items() if name != "figures"}
    told |= {"first": found.first.isoformat(), "last": found.last.isoformat(), "studies": 0, "figures": None}
    if found.figures is None:
        return told
    figures = {name: {"value": value, "ci95": interval} for name, (value, interval) in found.figures.corrected.items()}
    return told | {"studies": found.figures.n, "figures": figures}


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
