"""p-values of several tests, adjusted for there being several."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def bonferroni(p_values: Sequence[float]) -> list[float]:
    """Return each p-value times the number of tests, at most 1.

    Source: O. Dunn, JASA 56 (1961) 52-64.
    """
    return [min(1.0, one * len(p_values)) for one in p_values]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted step down, which keeps the chance of any false finding.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    values = np.array(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return [float(one) for one in adjusted]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted step up, which keeps the expected share of false findings.

    Source: Y. Benjamini, Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289-300.
    """
    return [float(one) for one in stats.false_discovery_control(np.array(p_values, dtype=np.float64), method="bh")]
