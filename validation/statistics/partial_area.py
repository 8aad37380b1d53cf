"""The area under a part of the ROC curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validation.discrimination import Numbers, roc_points


@dataclass(frozen=True, slots=True)
class PartialArea:
    """`raw` is the area itself, at most the width of the range; `corrected` is 0.5 for chance and 1 for perfection.

    Both are None without cases of both kinds.
    """

    specificity: tuple[float, float]
    raw: float | None
    corrected: float | None


def partial_area(truth: Sequence[bool], scores: Sequence[float], low: float, high: float) -> PartialArea:
    """Return the area under the ROC curve between two specificities, 0 <= low < high <= 1.

    Between two thresholds the curve is straight, so that the whole range gives the AUC with ties counting one half.

    Source: D. McClish, Medical Decision Making 9 (1989) 190-195, with her correction.
    """
    if all(truth) or not any(truth):
        return PartialArea((low, high), None, None)
    points = np.array(roc_points(truth, scores))
    across, up = points[:, 0], points[:, 1]
    first, last = 1 - high, 1 - low
    inside = (across > first) & (across < last)
    # Where the curve rises vertically at a border, its lower end belongs to the last and its upper to the first.
    ends = np.array([_height(across, up, first, upper=True), _height(across, up, last, upper=False)])
    xs = np.concatenate([[first], across[inside], [last]])
    ys = np.concatenate([ends[:1], up[inside], ends[1:]])
    raw = float(np.trapezoid(ys, xs))
    by_chance, at_best = (last**2 - first**2) / 2, last - first
    return PartialArea((low, high), raw, (1 + (raw - by_chance) / (at_best - by_chance)) / 2)


def _height(across: Numbers, up: Numbers, x: float, upper: bool) -> float:
    at = np.flatnonzero(across == x)
    if len(at):
        return float(up[at[-1 if upper else 0]])
    return float(np.interp(x, across, up))
