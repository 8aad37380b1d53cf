"""Sensitivity and specificity where only some studies were verified, and more often those that were flagged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from validation.intervals import LEVEL, Estimate, clustered_proportion, normal_quantile
from validation.statistics.scored_cases import Truth


@dataclass(frozen=True, slots=True)
class Verified:
    """Counts of all studies and of the verified ones; rates as seen among the verified, and corrected for all.

    `reason` says what the correction lacks.
    """

    flagged: int
    unflagged: int
    tp: int
    fp: int
    fn: int
    tn: int
    apparent_sensitivity: Estimate
    apparent_specificity: Estimate
    sensitivity: Estimate
    specificity: Estimate
    reason: str


def begg_greenes(
    flagged: Truth, verified: Truth, truth: Truth, clusters: Sequence[str], level: float = LEVEL
) -> Verified:
    """Return both kinds of rates; `truth` counts only where `verified` holds.

    The correction takes the share of positives among the verified flagged studies for that of all flagged ones, and
    likewise among those without a flag. It needs verification to depend on nothing but the flag. Intervals are logit
    ones by the delta method, summed over clusters.

    Source: C. Begg, R. Greenes, Biometrics 39 (1983) 207-215.
    """
    tp, fp = int((verified & flagged & truth).sum()), int((verified & flagged & ~truth).sum())
    fn, tn = int((verified & ~flagged & truth).sum()), int((verified & ~flagged & ~truth).sum())
    names = np.array(clusters, dtype=np.str_)

    def apparent(right: Truth, among: Truth) -> Estimate:
        return clustered_proportion(right[among].tolist(), names[among].tolist(), level).estimate

    sensitivity, specificity, reason = Estimate(None, None), Estimate(None, None), ""
    if tp + fp == 0 or fn + tn == 0:
        reason = "no verified study with a flag, or none without: nothing to correct by"
    else:
        sensitivity = _corrected(flagged, verified, truth, names, level)
        specificity = _corrected(~flagged, verified, ~truth, names, level)
        if sensitivity.interval is None or specificity.interval is None:
            reason = "a cell of the verified studies is empty: an interval would have no width"
    return Verified(
        flagged=int(flagged.sum()),
        unflagged=int((~flagged).sum()),
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        apparent_sensitivity=apparent(flagged, verified & truth),
        apparent_specificity=apparent(~flagged, verified & ~truth),
        sensitivity=sensitivity,
        specificity=specificity,
        reason=reason,
    )


def _corrected(test: Truth, verified: Truth, condition: Truth, names: "np.ndarray", level: float) -> Estimate:
    """Return P(test | condition), the condition known of the verified alone."""
    share = float(test.mean())
    among = (float(condition[verified & test].mean()), float(condition[verified & ~test].mean()))
    found, missed = among[0] * share, among[1] * (1 - share)
    if found + missed == 0:
        return Estimate(None, None)
    value = found / (found + missed)
    if not 0 < value < 1:
        return Estimate(value, None)
    spread = _logit_error(test, verified, condition, share, among, names)
    half = normal_quantile(level) * spread
    low, high = special.expit([special.logit(value) - half, special.logit(value) + half])
    return Estimate(value, (float(low), float(high)))


def _logit_error(
    test: Truth,
    verified: Truth,
    condition: Truth,
    share: float,
    among: tuple[float, float],
    names: "np.ndarray",
) -> float:
    """Return the standard error of the logit: log share/(1 - share) plus the log of the ratio of both shares."""
    n = len(test)
    influence = np.asarray((test - share) / (share * (1 - share)), dtype=np.float64)
    for side, rate, sign in ((test, among[0], 1), (~test, among[1], -1)):
        seen = verified & side
        step = sign * seen * (condition - rate) / (rate * float(seen.sum()) / n)
        influence = np.asarray(influence + step, dtype=np.float64)
    sums = np.bincount(np.unique(names, return_inverse=True)[1], weights=influence)
    return float(np.sqrt(len(sums) / max(1, len(sums) - 1) * float(sums @ sums))) / n
