"""Differences of two proportions, of the same cases or of different ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from validation.intervals import LEVEL, Interval, wilson
from validation.statistics.scored_cases import Truth


@dataclass(frozen=True, slots=True)
class Mcnemar:
    """`b` cases are right in A alone, `c` in B alone; both p-values are two-sided."""

    b: int
    c: int
    p_exact: float
    p_midp: float


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """How many cases A and B are both right on, only A, only B, and neither; whole numbers or effective ones."""

    both: float
    only_a: float
    only_b: float
    neither: float

    @property
    def total(self) -> float:
        return self.both + self.only_a + self.only_b + self.neither


def mcnemar(b: int, c: int) -> Mcnemar:
    """Return the exact conditional test of paired proportions and its mid-p version.

    Source: Q. McNemar, Psychometrika 12 (1947) 153-157; M. Fagerland et al., BMC Medical Research Methodology 13 (2013)
    91, which also says what holds where b equals c.
    """
    if b + c == 0:
        return Mcnemar(b, c, 1.0, 1.0)
    at = float(stats.binom.pmf(min(b, c), b + c, 0.5))
    if b == c:
        return Mcnemar(b, c, 1.0, 1.0 - at / 2)
    exact = min(1.0, 2 * float(stats.binom.cdf(min(b, c), b + c, 0.5)))
    return Mcnemar(b, c, exact, exact - at)


def newcombe_independent(
    successes_a: int, trials_a: int, successes_b: int, trials_b: int, level: float = LEVEL
) -> Interval:
    """Return the interval of B's share minus A's, of different cases, from the Wilson intervals of both.

    Source: R. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
    """
    a, b = successes_a / trials_a, successes_b / trials_b
    (low_a, high_a), (low_b, high_b) = wilson(successes_a, trials_a, level), wilson(successes_b, trials_b, level)
    difference = b - a
    below, above = (b - low_b) ** 2 + (high_a - a) ** 2, (high_b - b) ** 2 + (a - low_a) ** 2
    return _around(difference, below, above)


def newcombe_paired(counts: PairedCounts, level: float = LEVEL) -> Interval:
    """Return the interval of B's share minus A's, of the same cases, at least one.

    Source: R. Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.
    """
    right_a, right_b, n = counts.both + counts.only_a, counts.both + counts.only_b, counts.total
    a, b = right_a / n, right_b / n
    (low_a, high_a), (low_b, high_b) = wilson(right_a, n, level), wilson(right_b, n, level)
    phi = _correlation(counts)
    below = (b - low_b) ** 2 - 2 * phi * (b - low_b) * (high_a - a) + (high_a - a) ** 2
    above = (high_b - b) ** 2 - 2 * phi * (high_b - b) * (a - low_a) + (a - low_a) ** 2
    return _around(b - a, below, above)


def newcombe_clustered(right_a: Truth, right_b: Truth, clusters: Sequence[str], level: float = LEVEL) -> Interval:
    """Return the interval of B's share minus A's, of the same cases, which share clusters.

    As many independent cases as would give the difference the variance that it has between clusters, never more than
    there are, go into `newcombe_paired`. Where A and B differ on no case, or everywhere alike, that variance says
    nothing about how much the cases of a cluster resemble one another: each cluster then counts as one case.

    Source: N. Obuchowski, Statistics in Medicine 17 (1998) 1495-1507 (variance); E. Korn, B. Graubard, Survey
    Methodology 24 (1998) 193-201 (effective number of cases).
    """
    change = right_b.astype(np.float64) - right_a
    residuals = change - change.mean()
    n, sums = len(change), np.bincount(np.unique(np.array(clusters), return_inverse=True)[1], weights=residuals)
    between = len(sums) / max(1, len(sums) - 1) * float(sums @ sums)
    alone = n / max(1, n - 1) * float(residuals @ residuals)
    effective = n * min(1.0, alone / between) if between > 0 and len(sums) > 1 else float(len(sums))
    pairs = ((right_a & right_b), (right_a & ~right_b), (~right_a & right_b), (~right_a & ~right_b))
    return newcombe_paired(PairedCounts(*(float(one.sum()) * effective / n for one in pairs)), level)


def _around(difference: float, below: float, above: float) -> Interval:
    """Return the interval from squares of distances; rounding may leave one a hair below zero, or an end beyond 1."""
    return (max(-1.0, difference - sqrt(max(0.0, below))), min(1.0, difference + sqrt(max(0.0, above))))


def _correlation(counts: PairedCounts) -> float:
    """Return the correlation of the two answers, a positive one corrected for continuity."""
    a, b = counts.both + counts.only_a, counts.both + counts.only_b
    margins = a * (counts.total - a) * b * (counts.total - b)
    if margins == 0:
        return 0.0
    product = counts.both * counts.neither - counts.only_a * counts.only_b
    corrected = max(product - counts.total / 2, 0.0) if product > 0 else float(product)
    return corrected / sqrt(margins)
