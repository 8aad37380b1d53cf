"""How well scores tell positives from negatives: the area under the ROC curve, its interval clustered by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from validation.intervals import LEVEL, Estimate, Interval, normal_quantile

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RocArea:
    """The AUC of `n` cases; `standard_error` and interval are None where there are too few clusters for them."""

    n: int
    n_positive: int
    estimate: Estimate
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Placements:
    """Where each positive stands among the negatives and each negative among the positives, and in which cluster."""

    of_positives: Numbers
    of_negatives: Numbers
    positive_groups: NDArray[np.int64]
    negative_groups: NDArray[np.int64]

    @property
    def area(self) -> float:
        return float(self.of_positives.mean())

    @property
    def clusters(self) -> tuple[int, int]:
        """How many clusters have positives, and how many have negatives."""
        return len(np.unique(self.positive_groups)), len(np.unique(self.negative_groups))


def roc_area(
    truth: Sequence[bool], scores: Sequence[float], clusters: Sequence[str] | None = None, level: float = LEVEL
) -> RocArea:
    """Return the AUC, ties counting one half, with its standard error and logit interval.

    Args:
        truth: of each case.
        scores: of each case, higher is more suspicious.
        clusters: whose case it is; None for independent cases, which gives the variance of DeLong.
        level: of the interval.

    Source: N. Obuchowski, Biometrics 53 (1997) 567-578 (clusters); E. DeLong et al., Biometrics 44 (1988) 837-845.
    """
    is_positive = np.array(truth, dtype=np.bool_)
    values = np.array(scores, dtype=np.float64)
    groups = numbered(clusters, len(values))
    positives = int(is_positive.sum())
    if positives in (0, len(values)):
        return RocArea(len(values), positives, Estimate(None, None), None)
    placed = placed_by(is_positive, values, groups)
    if min(placed.clusters) < 2:
        return RocArea(len(values), positives, Estimate(placed.area, None), None)
    # The covariance within clusters can outweigh the others in tiny sets; a variance is never negative.
    variance = max(0.0, clustered_covariance(placed, placed))
    interval = _interval(placed.area, variance, placed.clusters, level)
    return RocArea(len(values), positives, Estimate(placed.area, interval), sqrt(variance))


def numbered(clusters: Sequence[str] | None, count: int) -> NDArray[np.int64]:
    """Return the number of the cluster of each of `count` cases; without clusters each case is one of its own."""
    return np.arange(count) if clusters is None else np.unique(np.array(clusters), return_inverse=True)[1]


def placed_by(truth: NDArray[np.bool_], scores: Numbers, groups: NDArray[np.int64]) -> Placements:
    """Return the placements of scored cases of both kinds; `groups` numbers the cluster of each case."""
    of_positives, of_negatives = placements(scores[truth], scores[~truth])
    return Placements(of_positives, of_negatives, groups[truth], groups[~truth])


def placements(positives: Numbers, negatives: Numbers) -> tuple[Numbers, Numbers]:
    """Return, for each positive, the share of negatives below it, and for each negative that of positives above it.

    Ties count one half. The cases lie along the last axis; each row before it is a set of scores of its own. By ranks,
    as in X. Sun, W. Xu, IEEE Signal Processing Letters 21 (2014) 1389-1393.
    """
    m, n = positives.shape[-1], negatives.shape[-1]
    together = stats.rankdata(np.concatenate([positives, negatives], axis=-1), axis=-1)
    of_positives = (together[..., :m] - stats.rankdata(positives, axis=-1)) / n
    of_negatives = 1 - (together[..., m:] - stats.rankdata(negatives, axis=-1)) / m
    return of_positives, of_negatives


def roc_points(truth: Sequence[bool], scores: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return (1 - specificity, sensitivity) for every threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-np.array(scores, dtype=np.float64), kind="stable")
    positive = np.array(truth, dtype=np.float64)[order]
    last_of_value = np.append(np.diff(np.array(scores, dtype=np.float64)[order]) != 0, True)
    hits, alarms = np.cumsum(positive)[last_of_value], np.cumsum(1 - positive)[last_of_value]
    across, up = alarms / max(1.0, alarms[-1]), hits / max(1.0, hits[-1])
    return ((0.0, 0.0), *zip(across.tolist(), up.tolist(), strict=True))


def clustered_covariance(first: Placements, second: Placements) -> float:
    """Return the covariance of two AUCs of the same cases, by sums over clusters; with one case each it is DeLong's.

    Needs at least two clusters with positives and two with negatives.

    Source: N. Obuchowski, Biometrics 53 (1997) 567-578; E. DeLong et al., Biometrics 44 (1988) 837-845.
    """
    m, n = len(first.of_positives), len(first.of_negatives)
    positives, negatives = first.positive_groups, first.negative_groups
    size = int(max(positives.max(), negatives.max())) + 1
    sums = [
        (
            np.bincount(positives, weights=one.of_positives - one.area, minlength=size),
            np.bincount(negatives, weights=one.of_negatives - one.area, minlength=size),
        )
        for one in (first, second)
    ]
    with_positives, with_negatives = len(np.unique(positives)), len(np.unique(negatives))
    count = len(np.unique(np.concatenate([positives, negatives])))
    s10 = with_positives / ((with_positives - 1) * m) * float(sums[0][0] @ sums[1][0])
    s01 = with_negatives / ((with_negatives - 1) * n) * float(sums[0][1] @ sums[1][1])
    s11 = count / (count - 1) * float(sums[0][0] @ sums[1][1] + sums[0][1] @ sums[1][0])
    return s10 / m + s01 / n + s11 / (m * n)


def _interval(area: float, variance: float, patients: tuple[int, int], level: float) -> Interval:
    """Return the interval on the logit scale, which stays inside [0, 1].

    Where the variance is zero (all positives above all negatives, say) it would shrink to a point and claim certainty;
    there the score interval of Newcombe is used, with patients in place of cases.
    """
    if variance == 0.0 or area in (0.0, 1.0):
        return score_interval(area, *patients, level)
    half = normal_quantile(level) * sqrt(variance) / (area * (1 - area))
    middle = log(area / (1 - area))
    return (_expit(middle - half), _expit(middle + half))


def score_interval(area: float, positives: int, negatives: int, level: float = LEVEL) -> Interval:
    """Return the interval of an AUC from its value and the numbers of cases alone.

    Source: R. Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5.
    """
    z = normal_quantile(level)
    half_size = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + half_size * (1 - theta) / (2 - theta) + half_size * theta / (1 + theta)
        return abs(area - theta) - z * sqrt(theta * (1 - theta) * spread / (positives * negatives))

    low = 0.0 if area == 0.0 else _root(excess, 1e-12, area - 1e-12)
    high = 1.0 if area == 1.0 else _root(excess, 1 - 1e-12, area + 1e-12)
    return (low, high)


def _root(excess: Callable[[float], float], outer: float, inner: float) -> float:
    """Return where `excess` is zero between its arguments, or the border of [0, 1] at `outer` if nowhere."""
    if excess(outer) <= 0:
        return float(round(outer))
    return float(optimize.brentq(excess, min(outer, inner), max(outer, inner)))


def _expit(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit >= 0 else exp(logit) / (1 + exp(logit))
