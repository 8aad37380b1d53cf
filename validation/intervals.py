"""Proportions with 95 % intervals, for independent cases and for cases that share patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

LEVEL = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; None where the data allow none."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Proportion:
    """`successes` of `trials`, and the interval of the share."""

    successes: int
    trials: int
    estimate: Estimate


def clopper_pearson(successes: float, trials: float, level: float = LEVEL) -> Interval:
    """Return the exact interval of a binomial proportion; whole numbers or effective ones.

    Source: C. Clopper, E. Pearson, Biometrika 26 (1934) 404-413, in its beta form.
    """
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, trials - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return (low, high)


def wilson(successes: float, trials: float, level: float = LEVEL) -> Interval:
    """Return the score interval of a binomial proportion.

    Source: E. Wilson, JASA 22 (1927) 209-212.
    """
    z = normal_quantile(level)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return (max(0.0, middle - half), min(1.0, middle + half))


def clustered_proportion(successes: Sequence[bool], clusters: Sequence[str], level: float = LEVEL) -> Proportion:
    """Return a proportion whose cases come in clusters, its interval by the effective number of cases.

    The variance of the share is that of a ratio estimator over clusters (Rao and Scott); as many independent cases as
    would have that variance, never more than there are, go into the Clopper-Pearson interval (Korn and Graubard).
    With one case per cluster it is the Clopper-Pearson interval. Where all cases agree the variance says nothing about
    how much the cases of a cluster resemble one another: each cluster then counts as one case.

    Source: J. Rao, A. Scott, Biometrics 48 (1992) 577-585; E. Korn, B. Graubard, Survey Methodology 24 (1998) 193-201.
    """
    total, hits = len(successes), sum(successes)
    if total == 0:
        return Proportion(0, 0, Estimate(None, None))
    share = hits / total
    effective = effective_cases(successes, clusters)
    return Proportion(hits, total, Estimate(share, clopper_pearson(share * effective, effective, level)))


def normal_quantile(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability `level`."""
    return float(stats.norm.ppf((1 + level) / 2))


def effective_cases(successes: Sequence[bool], clusters: Sequence[str]) -> float:
    """Return how many independent cases would have the variance of this share; see `clustered_proportion`."""
    share = sum(successes) / len(successes)
    names, members = np.unique(np.array(clusters), return_inverse=True)
    total, count = len(successes), len(names)
    if share in (0.0, 1.0) or count < 2:
        return float(count)
    residuals = np.bincount(members, weights=np.array(successes, dtype=np.float64) - share)
    variance = count / (count - 1) * float(residuals @ residuals) / total**2
    if variance == 0.0:
        return float(total)
    # p(1 - p) / (n - 1) is the same estimator with one case per cluster, so that n comes out exactly there.
    return min(float(total), 1 + share * (1 - share) / variance)
