"""What an AI that flags does to the waits: with it and without it, in the same department."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from triage.errors import InvalidDesign
from validation.queueing.exact import Waits, exact_waits
from validation.queueing.simulation import Studies, draw_studies, waits
from validation.queueing.workload import Discipline, Workload, classes_of

Interval = tuple[float, float]

REPLICATIONS = 20
FEWEST_REPLICATIONS = 2
RELAXATION = 40
"""Studies of warm-up for each 1 / (1 - traffic)^2, the time in which a queue forgets how it began."""

SHORTEST, LONGEST = 30_000, 120_000
WARM_UP_SHARE = 0.2
"""Of a run, thrown away; runs are long enough that this is RELAXATION or more, up to LONGEST."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Minutes from arrival to deadline, for the earliest-deadline discipline."""

    interrupting: float = 15.0
    flagged: float = 60.0
    unflagged: float = 240.0

    def __post_init__(self) -> None:
        if min(self.interrupting, self.flagged, self.unflagged) <= 0:
            raise InvalidDesign("targets: found 0 minutes or less, needed more")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean waits in minutes by name, and 95 % intervals over replications; none where a formula gave the means.

    None for what nobody is in. `saving_positive` is with minus without: negative is good.
    """

    minutes: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None] | None
    over_half_an_hour: Mapping[str, float | None] | None


def compare_exactly(workload: Workload, discipline: Discipline) -> Comparison:
    """Return the comparison by formula; raises InvalidDesign where none is exact."""
    ai, plain = exact_waits(workload, discipline, True), exact_waits(workload, discipline, False)
    return Comparison(_named(_weighted(workload, ai, True), _weighted(workload, plain, False)), None, None)


def compare_by_simulation(
    workload: Workload, discipline: Discipline, targets: Targets, seed: int, replications: int = REPLICATIONS
) -> Comparison:
    """Return the comparison by simulation; both arms see the same studies.

    Raises:
        InvalidDesign: fewer than two replications give no interval.
    """
    if replications < FEWEST_REPLICATIONS:
        raise InvalidDesign(f"replications: found {replications}, needed {FEWEST_REPLICATIONS} or more")
    count = int(min(LONGEST, max(SHORTEST, RELAXATION / WARM_UP_SHARE / (1 - workload.traffic) ** 2)))
    rows, shares = [], []
    for random in np.random.default_rng(seed).spawn(replications):
        studies = draw_studies(workload, count, random)
        arms = [waits(studies, workload.readers, _ranks(workload, studies, ai, discipline, targets), discipline)
                for ai in (True, False)]  # fmt: skip
        kept = slice(int(WARM_UP_SHARE * count), None)
        rows.append(_named(*(_grouped(workload, studies, arm, kept, np.mean) for arm in arms)))
        shares.append(_named(*(_grouped(workload, studies, arm, kept, _over_half_an_hour) for arm in arms)))
    minutes = {name: _mean([row[name] for row in rows]) for name in rows[0]}
    intervals = {name: _interval([row[name] for row in rows]) for name in rows[0]}
    late = {name: _mean([row[name] for row in shares]) for name in rows[0] if not name.startswith("saving")}
    return Comparison(minutes, intervals, late)


def _ranks(workload: Workload, studies: Studies, ai: bool, discipline: Discipline, targets: Targets) -> list[float]:
    """Return what `waits` orders by: 0, 1, 2 for the classes, or their targets."""
    interrupting = np.array([kind.name == "interrupting" for kind in workload.kinds])[studies.kind]
    values = (targets.interrupting, targets.flagged, targets.unflagged) if discipline is Discipline.EDF else (0, 1, 2)
    flagged = studies.flagged if ai else np.zeros(len(studies.flagged), dtype=np.bool_)
    ranks: list[float] = np.where(interrupting, values[0], np.where(flagged, values[1], values[2])).tolist()
    return ranks


Groups = dict[str, float | None]


def _weighted(workload: Workload, found: Waits, with_ai: bool) -> Groups:
    """Return mean waits of groups of studies from those of (class, kind)."""
    cells = [
        (name, kind.name, rate, found[name, kind.name])
        for name, members in classes_of(workload, with_ai).items()
        for kind, rate in members
    ]

    def mean(chosen: Callable[[str, str], bool]) -> float | None:
        weights = [(rate, wait) for name, kind, rate, wait in cells if chosen(name, kind)]
        total = sum(rate for rate, _ in weights)
        return sum(rate * wait for rate, wait in weights) / total if total > 0 else None

    return {
        "all": mean(lambda name, _: name != "interrupting"),
        "positive": mean(lambda _, kind: kind == "positive"),
        "negative": mean(lambda _, kind: kind == "negative"),
        "flagged": mean(lambda name, _: name == "flagged"),
        "unflagged": mean(lambda name, _: name == "unflagged"),
        "interrupting": mean(lambda name, _: name == "interrupting"),
    }


def _grouped(
    workload: Workload, studies: Studies, wait: NDArray[np.float64], kept: slice, of: Callable[..., np.floating]
) -> Groups:
    names = np.array([kind.name for kind in workload.kinds])[studies.kind][kept]
    flagged, wait = studies.flagged[kept], wait[kept]
    others = names != "interrupting"
    groups = {
        "all": others,
        "positive": names == "positive",
        "negative": names == "negative",
        "flagged": others & flagged,
        "unflagged": others & ~flagged,
        "interrupting": ~others,
    }
    return {name: float(of(wait[members])) if members.any() else None for name, members in groups.items()}


def _over_half_an_hour(wait: NDArray[np.float64]) -> np.floating:
    return np.mean(wait > 30.0)


def _named(ai: Groups, plain: Groups) -> dict[str, float | None]:
    with_ai, without = ai["positive"], plain["positive"]
    return {
        "without_ai": plain["all"],
        "positive_without_ai": without,
        "negative_without_ai": plain["negative"],
        "positive_with_ai": with_ai,
        "negative_with_ai": ai["negative"],
        "flagged": ai["flagged"],
        "unflagged": ai["unflagged"],
        "interrupting_without_ai": plain["interrupting"],
        "interrupting_with_ai": ai["interrupting"],
        "saving_positive": None if with_ai is None or without is None else with_ai - without,
    }


def _there(values: list[float | None]) -> list[float]:
    return [one for one in values if one is not None]


def _mean(values: list[float | None]) -> float | None:
    found = _there(values)
    return float(np.mean(found)) if found else None


def _interval(values: list[float | None]) -> Interval | None:
    """Return mean plus and minus t standard errors over the replications that have a value."""
    found = _there(values)
    if len(found) < FEWEST_REPLICATIONS:
        return None
    half = float(stats.t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found)))
    return (float(np.mean(found)) - half, float(np.mean(found)) + half)
