"""Bootstrap intervals of figures of scored cases."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.discrimination import Numbers
from validation.intervals import LEVEL, Interval
from validation.statistics.scored_cases import ScoredCases, Truth

DRAWS, BLOCK = 2000, 100
Weights = NDArray[np.int64]
Figure = Callable[[Weights], Numbers]
"""From how often each case was drawn, shape (samples, cases), to one figure for each sample."""


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """Percentiles over `draws` samples; None without cases of both kinds, or without two clusters of each."""

    interval: Interval | None
    draws: int
    seed: int


def bootstrap(
    cases: ScoredCases, figure: Figure, seed: int, draws: int = DRAWS, level: float = LEVEL
) -> BootstrapInterval:
    """Return the percentile interval of a figure.

    Positives and negatives are drawn each by themselves, so that every sample has as many; clusters are drawn whole,
    those with positives and those without each by themselves.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3; clusters: C. Field, A. Welsh,
    Journal of the Royal Statistical Society B 69 (2007) 369-390.
    """
    random = np.random.default_rng(seed)
    found = np.empty(0)
    while len(found) < draws:
        of_cases = drawn_weights(cases, random, BLOCK)
        if of_cases is None:
            return BootstrapInterval(None, draws, seed)
        # Clusters with both kinds can leave a sample without negatives; such a sample has no figure.
        found = np.append(found, figure(of_cases[(of_cases * ~cases.truth).any(axis=1)]))
    low, high = np.quantile(found[:draws], [(1 - level) / 2, (1 + level) / 2])
    return BootstrapInterval((float(low), float(high)), draws, seed)


def drawn_weights(cases: ScoredCases, random: np.random.Generator, samples: int) -> Weights | None:
    """Return how often each case is drawn in each sample, shape (samples, cases); None without two clusters of a kind.

    Clusters are drawn whole, those with positives and those without each by themselves.
    """
    groups = cases.groups
    with_positive = np.bincount(groups, weights=cases.truth) > 0
    with_negative = np.bincount(groups, weights=~cases.truth) > 0
    if min(int(with_positive.sum()), int(with_negative.sum())) < 2:
        return None
    weights = np.zeros((samples, len(with_positive)), dtype=np.int64)
    for stratum in (np.flatnonzero(with_positive), np.flatnonzero(~with_positive)):
        if size := len(stratum):
            weights[:, stratum] = drawn_counts(random, size, samples)
    return np.asarray(weights[:, groups])


def drawn_counts(random: np.random.Generator, size: int, samples: int) -> Weights:
    """Return how often each of `size` things is drawn in `size` draws with replacement, shape (samples, size)."""
    drawn = random.integers(0, size, (samples, size)) + size * np.arange(samples)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=samples * size).reshape(samples, size)


def area_of_samples(cases: ScoredCases) -> Figure:
    """Return the function that gives the AUC of each sample, ties counting one half."""
    order = np.argsort(cases.scores, kind="stable")
    truth = cases.truth[order]
    ends = np.flatnonzero(np.append(np.diff(cases.scores[order]) != 0, True))

    def areas(weights: Weights) -> Numbers:
        ordered = weights[:, order]
        negatives, positives = (np.cumsum(ordered * kind, axis=1)[:, ends] for kind in (~truth, truth))
        below = negatives - np.diff(negatives, axis=1, prepend=0) / 2
        pairs = negatives[:, -1] * positives[:, -1]
        return np.asarray((np.diff(positives, axis=1, prepend=0) * below).sum(axis=1) / pairs)

    return areas


def of_samples(cases: ScoredCases, figure: Callable[[Truth, Numbers], float]) -> Figure:
    """Return the function that works out `figure` on the truth and scores of each sample in turn."""

    def figures(weights: Weights) -> Numbers:
        return np.array([figure(np.repeat(cases.truth, row), np.repeat(cases.scores, row)) for row in weights])

    return figures
