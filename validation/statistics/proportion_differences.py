"""Differences of two proportions, of the same cases or of different ones."""

from dataclasses import dataclass
from math import sqrt

from scipy import stats

from validation.intervals import LEVEL, Interval, wilson


@dataclass(frozen=True, slots=True)
class Mcnemar:
    """`b` cases are right in A alone, `c` in B alone; both p-values are two-sided."""

    b: int
    c: int
    p_exact: float
    p_midp: float


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """How many cases A and B are both right on, only A, only B, and neither."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def total(self) -> int:
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
    return (
        difference - sqrt((b - low_b) ** 2 + (high_a - a) ** 2),
        difference + sqrt((high_b - b) ** 2 + (a - low_a) ** 2),
    )


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
    # Both are squares of a distance, which rounding may leave a hair below zero.
    return (b - a - sqrt(max(0.0, below)), b - a + sqrt(max(0.0, above)))


def _correlation(counts: PairedCounts) -> float:
    """Return the correlation of the two answers, a positive one corrected for continuity."""
    a, b = counts.both + counts.only_a, counts.both + counts.only_b
    margins = a * (counts.total - a) * b * (counts.total - b)
    if margins == 0:
        return 0.0
    product = counts.both * counts.neither - counts.only_a * counts.only_b
    corrected = max(product - counts.total / 2, 0.0) if product > 0 else float(product)
    return corrected / sqrt(margins)
