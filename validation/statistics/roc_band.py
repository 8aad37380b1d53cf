"""How far the ROC curve of these cases may lie from that of others: a band around it, point by point."""

from dataclasses import dataclass

import numpy as np

from validation.discrimination import Numbers
from validation.intervals import LEVEL
from validation.statistics.bootstrap import drawn_weights
from validation.statistics.scored_cases import ScoredCases

DRAWS, GRID = 500, 101


@dataclass(frozen=True, slots=True)
class RocBand:
    """Limits of the sensitivity at each share of false positives in `across`, from 0 to 1."""

    across: Numbers
    low: Numbers
    high: Numbers


def roc_band(cases: ScoredCases, seed: int, draws: int = DRAWS, level: float = LEVEL) -> RocBand | None:
    """Return pointwise percentiles of curves of samples; None without two clusters of each kind.

    Clusters are drawn whole, as in `bootstrap`. Source: K. Linnet, Statistics in Medicine 6 (1987) 147-158, by
    resampling; B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3.
    """
    weights = drawn_weights(cases, np.random.default_rng(seed), draws)
    if weights is None:
        return None
    order = np.argsort(-cases.scores, kind="stable")
    ends = np.append(np.diff(cases.scores[order]) != 0, True)
    across, curves = np.linspace(0, 1, GRID), []
    for row in weights[:, order]:
        hits, alarms = np.cumsum(row * cases.truth[order])[ends], np.cumsum(row * ~cases.truth[order])[ends]
        if hits[-1] and alarms[-1]:
            xs, ys = np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])
            # Where the curve rises straight up, its top is the sensitivity there.
            curves.append(np.maximum(np.interp(across, xs, ys), ys[np.searchsorted(xs, across, side="right") - 1]))
    low, high = np.quantile(np.array(curves), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return RocBand(across, low, high)
