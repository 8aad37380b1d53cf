"""Whether the model serves some groups worse: each against all others, with a minimum size and Holm's adjustment."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import asin, sqrt

import numpy as np
from scipy import stats

from validation.answering import Subject
from validation.answers import StudyAnswer
from validation.asking import Asked
from validation.intervals import effective_cases
from validation.result_document import Json
from validation.statistics.comparison import unpaired_difference
from validation.statistics.multiplicity import holm
from validation.statistics.scored_cases import ScoredCases
from validation.suites.chosen_cases import cases_of
from validation.suites.part_result import PartResult, rounded
from validation.suites.suite_file import Subgroups


@dataclass(frozen=True, slots=True)
class _Test:
    """One figure of a group and of the rest; `p` is one-sided: that the group is worse."""

    column: str
    value: str
    figure: str
    of_group: float
    of_rest: float
    p: float


def subgroups(asked: Asked, subject: Subject, plan: Subgroups) -> PartResult:
    """Return the tests of every group that is large enough, with adjusted p, and which groups were too small.

    A column of the studies divides studies; one whose values differ within studies divides images. AUC: DeLong with
    clusters; a patient who is in both groups makes it cautious. Sensitivity and specificity at the active threshold:
    the difference of arcsines with effective numbers of cases (J. Cohen, Statistical Power Analysis, 1988, 6.2).
    """
    tests: list[_Test] = []
    small: list[Json] = []
    for column in plan.columns:
        groups = list(_groups(asked.answers, subject.unit, column))
        for value, group, rest in groups:
            if min(_kinds(group)) == 0 or not _large_enough(group, plan) or not _large_enough(rest, plan):
                positive, negative = _kinds(group)
                small.append({"column": column, "value": value, "n_positive": positive, "n_negative": negative})
            else:
                tests += _tests(column, value, group, rest, subject.bundle.spec.active.threshold)
    adjusted = holm([one.p for one in tests])
    below = [(one, p) for one, p in zip(tests, adjusted, strict=True) if p < plan.alpha]
    rows: list[Json] = [
        {
            "column": one.column,
            "value": one.value,
            "figure": one.figure,
            "group": rounded(one.of_group),
            "rest": rounded(one.of_rest),
            "p": rounded(one.p, 6),
            "p_holm": rounded(p, 6),
        }
        for one, p in zip(tests, adjusted, strict=True)
    ]
    findings = tuple(
        f"worse group: {one.column} {one.value}: {one.figure} {one.of_group:.3f}, all others {one.of_rest:.3f} "
        f"(p {p:.2g}, Holm over {len(tests)} tests)"
        for one, p in below
    )
    return PartResult({"tests": rows, "too_small": small, "alpha": plan.alpha}, findings)


def _groups(answers: Iterable[StudyAnswer], unit: str, column: str) -> Iterable[tuple[str, ScoredCases, ScoredCases]]:
    """Yield each value of `column` with the cases that have it and those that have another."""
    given = [one for one in answers if one.probability is not None]
    by_study = unit == "study" and all(column in one.study.row for one in given)
    cases = cases_of(given, "study" if by_study else "image")
    rows = (
        [one.study.row[column] for one in given]
        if by_study
        else [image.image.row.get(column, "") for one in given for image in one.images if image.image.label is not None]
    )
    values = np.array(rows)
    for value in sorted(set(rows) - {""}):
        yield value, _part(cases, values == value), _part(cases, (values != value) & (values != ""))


def _part(cases: ScoredCases, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> ScoredCases:
    places = np.flatnonzero(chosen)
    clusters = cases.clusters or cases.names
    return ScoredCases(
        tuple(cases.names[one] for one in places),
        cases.truth[places],
        cases.scores[places],
        tuple(clusters[one] for one in places),
    )


def _kinds(cases: ScoredCases) -> tuple[int, int]:
    positive = int(cases.truth.sum())
    return positive, len(cases.truth) - positive


def _large_enough(cases: ScoredCases, plan: Subgroups) -> bool:
    positive, negative = _kinds(cases)
    return positive >= plan.min_positive and negative >= plan.min_negative


def _tests(column: str, value: str, group: ScoredCases, rest: ScoredCases, threshold: float) -> list[_Test]:
    found = unpaired_difference(rest, group)
    tests = []
    if found.z is not None and found.auc_a is not None and found.auc_b is not None:
        tests.append(_Test(column, value, "AUC", found.auc_b, found.auc_a, float(stats.norm.cdf(found.z))))
    for figure, kind in (("sensitivity", True), ("specificity", False)):
        (share, effective), (of_rest, effective_rest) = (_right(one, kind, threshold) for one in (group, rest))
        z = 2 * (asin(sqrt(share)) - asin(sqrt(of_rest))) / sqrt(1 / effective + 1 / effective_rest)
        tests.append(_Test(column, value, figure, share, of_rest, float(stats.norm.cdf(z))))
    return tests


def _right(cases: ScoredCases, kind: bool, threshold: float) -> tuple[float, float]:
    """Return the share of the cases of one kind that are called rightly, and the effective number of them."""
    among = cases.truth == kind
    right = ((cases.scores >= threshold) == kind)[among].tolist()
    clusters = [one for one, chosen in zip(cases.clusters or cases.names, among, strict=True) if chosen]
    return sum(right) / len(right), effective_cases(right, clusters)
