"""Whether the criteria of a plan are met, each with its value, its interval and what was needed.

Every criterion must be met, so the chance of a false acceptance is that of a single one at most and no criterion needs
a stricter level for there being several. Source: R. Berger, Technometrics 24 (1982) 295-300.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from triage.errors import InvalidPlan
from validation.discrimination import roc_area, score_interval
from validation.gate.cases import A, B, Cases, treated
from validation.gate.plan import Criterion, JudgedBy, Measure, Missing, Of
from validation.intervals import Estimate, Interval, clustered_proportion
from validation.statistics.comparison import paired_difference
from validation.statistics.proportion_differences import newcombe_clustered
from validation.statistics.scored_cases import ScoredCases, Truth

NO_FIGURE = Estimate(None, None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A criterion on all cases or on one `subgroup` ("column: value").

    `n` counts the cases that the measure divides by, `patients` theirs; `figures` are those of reference and candidate.
    `met` is None where the cases are too few to judge.
    """

    criterion: Criterion
    subgroup: str
    n: int
    patients: int
    figures: tuple[float | None, float | None]
    estimate: Estimate
    met: bool | None


def judge(criterion: Criterion, cases: Cases, missing: Missing) -> Iterator[Judged]:
    """Yield the criterion on all cases, or on each subgroup that it names, those too small to judge among them.

    Raises:
        InvalidPlan: a column of the subgroups has no value in any case.
    """
    if not criterion.subgroups:
        yield _judged(criterion, "", cases, missing)
    for column in criterion.subgroups:
        values = [row.get(column, "") for row in cases.rows]
        if not any(values):
            raise InvalidPlan(f"{criterion.name}: subgroups: no study has a {column}, needed a column of labels.csv")
        for value in sorted(set(values) - {""}):
            chosen = np.array([one == value for one in values])
            yield _judged(criterion, f"{column}: {value}", cases.only(chosen), missing)


def _judged(criterion: Criterion, subgroup: str, cases: Cases, missing: Missing) -> Judged:
    # Whether a model answered is what is measured there: nothing may be filled in or left out.
    if criterion.measure is not Measure.ANSWERED:
        cases = treated(cases, missing)
    cases = cases.only(_divided_by(criterion.measure, cases))
    n, patients = len(cases.truth), len(set(cases.patients.tolist()))
    positives = int(cases.truth.sum())
    fewest = min(positives, n - positives) if criterion.measure is Measure.AUC else n
    if subgroup and fewest < criterion.minimum_cases:
        return Judged(criterion, subgroup, n, patients, (None, None), NO_FIGURE, None)
    if not fewest:
        return Judged(criterion, subgroup, n, patients, (None, None), NO_FIGURE, False)
    figures, estimate = (_areas if criterion.measure is Measure.AUC else _rates)(criterion, cases)
    return Judged(criterion, subgroup, n, patients, figures, estimate, _is_met(criterion, estimate))


def _divided_by(measure: Measure, cases: Cases) -> Truth:
    if measure is Measure.SENSITIVITY:
        return cases.truth
    return ~cases.truth if measure is Measure.SPECIFICITY else np.ones_like(cases.truth)


def _is_met(criterion: Criterion, estimate: Estimate) -> bool:
    lower = None if estimate.interval is None else estimate.interval[0]
    reached = lower if criterion.judged_by is JudgedBy.LOWER_LIMIT else estimate.value
    # Margins are decimal fractions: a difference of exactly -0.05 must not fail by the last bit.
    return reached is not None and reached >= criterion.at_least - 1e-12


def _rates(criterion: Criterion, cases: Cases) -> tuple[tuple[float, float], Estimate]:
    right = cases.answered if criterion.measure is Measure.ANSWERED else cases.flagged == cases.truth
    patients, figures = cases.patients.tolist(), (float(right[A].mean()), float(right[B].mean()))
    if criterion.of is Of.CANDIDATE:
        return figures, clustered_proportion(right[B].tolist(), patients).estimate
    return figures, Estimate(figures[B] - figures[A], newcombe_clustered(right[A], right[B], patients))


def _areas(criterion: Criterion, cases: Cases) -> tuple[tuple[float | None, float | None], Estimate]:
    patients = tuple(cases.patients.tolist())
    names = tuple(map(str, range(len(patients))))
    first, second = (ScoredCases(names, cases.truth, row, patients) for row in cases.scores)
    found = paired_difference(first, second)
    figures = (found.auc_a, found.auc_b)
    if criterion.of is Of.CANDIDATE:
        return figures, roc_area(cases.truth.tolist(), cases.scores[B].tolist(), patients).estimate
    if found.standard_error == 0.0 and found.auc_a is not None and found.auc_b is not None:
        return figures, Estimate(found.difference, _without_variance(cases, found.auc_a, found.auc_b))
    return figures, Estimate(found.difference, found.interval)


def _without_variance(cases: Cases, area_a: float, area_b: float) -> Interval:
    """Return the interval where no case tells both models apart, say because both are perfect.

    Models that score every case alike differ by nothing. Otherwise the interval of zero width would claim certainty; it
    is then put together from the score intervals of both AUCs, with patients in place of cases, as if independent.

    Source: G. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702.
    """
    if np.array_equal(cases.scores[A], cases.scores[B]):
        return (0.0, 0.0)
    kinds = [len(set(cases.patients[cases.truth == kind].tolist())) for kind in (True, False)]
    (low_a, high_a), (low_b, high_b) = (score_interval(area, kinds[0], kinds[1]) for area in (area_a, area_b))
    difference = area_b - area_a
    return (
        difference - sqrt((area_b - low_b) ** 2 + (high_a - area_a) ** 2),
        difference + sqrt((high_b - area_b) ** 2 + (area_a - low_a) ** 2),
    )
