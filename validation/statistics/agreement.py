"""How far two raters agree on yes or no beyond chance, the cases perhaps sharing clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from validation.intervals import LEVEL, Estimate, Proportion, clustered_proportion, normal_quantile
from validation.statistics.scored_cases import Truth


@dataclass(frozen=True, slots=True)
class Agreement:
    """The table of both raters, the share of cases they agree on, and kappa; `reason` says what kappa lacks."""

    both: int
    only_a: int
    only_b: int
    neither: int
    observed: Proportion
    kappa: Estimate
    reason: str


def agreement(a: Truth, b: Truth, clusters: Sequence[str], level: float = LEVEL) -> Agreement:
    """Return how far `a` and `b` agree; kappa has no value where both raters always say the same one thing.

    The variance of kappa is that of its influence values, summed over clusters; with one case each it is the one of
    Fleiss, Cohen and Everitt but for the factor n/(n - 1). Where the raters never differ it would be zero, and no
    interval is given: that of the observed share says how much was seen.

    Source: J. Cohen, Educational and Psychological Measurement 20 (1960) 37-46; J. Fleiss, J. Cohen, B. Everitt,
    Psychological Bulletin 72 (1969) 323-327.
    """
    table = (int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))
    same = a == b
    observed = clustered_proportion(same.tolist(), clusters, level)
    if not len(a):
        return Agreement(*table, observed, Estimate(None, None), "no case")
    share_a, share_b = float(a.mean()), float(b.mean())
    expected = share_a * share_b + (1 - share_a) * (1 - share_b)
    if expected == 1.0:
        return Agreement(*table, observed, Estimate(None, None), "both always say the same one thing")
    agreed = float(same.mean())
    kappa = (agreed - expected) / (1 - expected)
    by_chance = np.where(a, share_b, 1 - share_b) + np.where(b, share_a, 1 - share_a) - 2 * expected
    influence = ((same - agreed) * (1 - expected) - (1 - agreed) * by_chance) / (1 - expected) ** 2
    sums = np.bincount(np.unique(np.array(clusters), return_inverse=True)[1], weights=influence)
    if agreed == 1.0 or len(sums) < 2:
        reason = "no disagreement, an interval would have no width" if agreed == 1.0 else "one cluster has no variance"
        return Agreement(*table, observed, Estimate(kappa, None), reason)
    half = normal_quantile(level) * sqrt(len(sums) / (len(sums) - 1) * float(sums @ sums)) / len(a)
    return Agreement(*table, observed, Estimate(kappa, (max(-1.0, kappa - half), min(1.0, kappa + half))), "")
