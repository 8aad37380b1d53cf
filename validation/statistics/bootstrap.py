"""Bootstrap intervals of the AUC and of a part of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from validation.discrimination import Numbers
from validation.intervals import LEVEL, Interval
from validation.statistics.scored_cases import ScoredCases, Truth

DRAWS = 2000
Figure = Callable[[Truth, Numbers], float]


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """Percentiles over `draws` samples; None without cases of both kinds, or without two clusters of each."""

    interval: Interval | None
    draws: int
    seed: int


def bootstrap(
    cases: ScoredCases, figure: Figure, seed: int, draws: int = DRAWS, level: float = LEVEL
) -> BootstrapInterval:
    """Return the percentile interval of a figure of truth and scores.

    Positives and negatives are drawn each by themselves, so that every sample has as many; clusters are drawn whole,
    those with positives and those without each by themselves.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3; clusters: C. Field, A. Welsh,
    Journal of the Royal Statistical Society B 69 (2007) 369-390.
    """
    groups = cases.groups
    with_positive = np.bincount(groups, weights=cases.truth) > 0
    with_negative = np.bincount(groups, weights=~cases.truth) > 0
    if min(int(with_positive.sum()), int(with_negative.sum())) < 2:
        return BootstrapInterval(None, draws, seed)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    strata = [np.flatnonzero(with_positive), np.flatnonzero(~with_positive)]
    random = np.random.default_rng(seed)
    found: list[float] = []
    while len(found) < draws:
        drawn = [one for stratum in strata for one in random.choice(stratum, len(stratum)).tolist()]
        sample = np.concatenate([members[one] for one in drawn])
        truth = cases.truth[sample]
        # Clusters with both kinds can leave a sample without negatives; such a sample has no figure.
        if not truth.all():
            found.append(figure(truth, cases.scores[sample]))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return BootstrapInterval((float(low), float(high)), draws, seed)
