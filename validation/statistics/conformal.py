"""Split conformal prediction: sets of answers that hold the truth as often as promised."""

from math import ceil

import numpy as np

from validation.discrimination import Numbers
from validation.statistics.scored_cases import Truth


def conformal_quantiles(truth: Truth, probabilities: Numbers, error_rate: float) -> tuple[float, float]:
    """Return how large the distance of probability and answer may be for (negative, positive) to stay in a set.

    The quantiles are taken within each kind, so that the promise holds for positives and for negatives by themselves.
    Too few cases of a kind give infinity: the answer is then in every set.

    Args:
        truth: of the calibration cases, which no model was fitted on.
        probabilities: of being positive.
        error_rate: how often the truth may be missing from the set, in (0, 1).

    Source: H. Papadopoulos et al., ECML 2002, 345-356; by kind: V. Vovk, Machine Learning 92 (2013) 349-376.
    """
    distances = np.where(truth, 1 - probabilities, probabilities)
    return _quantile(distances[~truth], error_rate), _quantile(distances[truth], error_rate)


def conformal_sets(probabilities: Numbers, quantiles: tuple[float, float]) -> tuple[Truth, Truth]:
    """Return for each case whether "negative" and whether "positive" is in its set; both or neither may be."""
    return probabilities <= quantiles[0], 1 - probabilities <= quantiles[1]


def _quantile(distances: Numbers, error_rate: float) -> float:
    # The product must not rise above a whole number by rounding alone.
    rank = ceil(round((len(distances) + 1) * (1 - error_rate), 9))
    return float(np.sort(distances)[rank - 1]) if rank <= len(distances) else float("inf")
