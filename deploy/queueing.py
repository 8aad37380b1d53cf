"""What `acuity queue` does: how long studies wait, with and without an AI that sorts them."""

import argparse
import json
import sys

from validation.queueing.comparison import Targets, compare_by_simulation, compare_exactly
from validation.queueing.exact import reason_against
from validation.queueing.workload import Discipline, Workload


def wait(options: argparse.Namespace) -> int:
    """Print mean waits in minutes; by formula where one is exact, unless simulation is asked for."""
    workload = Workload(
        traffic=options.traffic,
        prevalence=options.prevalence,
        sensitivity=options.sensitivity,
        specificity=options.specificity,
        readers=options.readers,
        minutes_positive=options.minutes_positive,
        minutes_negative=options.minutes_negative,
        interrupting=options.interrupting,
        minutes_interrupting=options.minutes_interrupting,
    )
    discipline = Discipline(options.discipline)
    method = options.method or ("simulate" if reason_against(workload, discipline) else "exact")
    if method == "exact":
        found = compare_exactly(workload, discipline)
    else:
        targets = Targets(options.target_interrupting, options.target_flagged, options.target_unflagged)
        found = compare_by_simulation(workload, discipline, targets, options.seed, options.replications)
    answer = {
        **found.minutes,
        "method": method,
        "discipline": discipline.value,
        "ci95": found.intervals,
        "share_over_30_minutes": found.over_half_an_hour,
        "studies_per_hour": 60 * workload.arrivals_per_minute,
    }
    sys.stdout.write(json.dumps(answer, indent=None if options.json else 2, allow_nan=False) + "\n")
    return 0
