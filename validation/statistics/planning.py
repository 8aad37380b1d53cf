"""How many cases a study needs, before it is done.

Numbers of cases are not rounded here; a plan rounds up.
"""

from math import exp, sqrt

import numpy as np
from scipy import stats

from validation.intervals import LEVEL, normal_quantile

ALPHA, NON_INFERIORITY_ALPHA = 0.05, 0.025
LARGEST = 10_000_000


def cases_for_half_width(rate: float, half_width: float, level: float = LEVEL) -> float:
    """Return how many positives make the interval of a sensitivity (negatives: specificity) so narrow.

    Source: N. Buderer, Academic Emergency Medicine 3 (1996) 895-900.
    """
    return normal_quantile(level) ** 2 * rate * (1 - rate) / half_width**2


def cases_for_exact_half_width(rate: float, half_width: float, level: float = LEVEL) -> int:
    """Return the least number of cases whose Clopper-Pearson interval is expected to be so narrow.

    Source: the expected length, L. Brown et al., Statistical Science 16 (2001) 101-133, section 4.2.1.
    """
    low, high = 0, 1
    while expected_half_width(rate, high, level) > half_width and high < LARGEST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if expected_half_width(rate, middle, level) > half_width else (low, middle)
    return high


def expected_half_width(rate: float, trials: int, level: float = LEVEL) -> float:
    """Return the mean of half the length of the Clopper-Pearson interval over all outcomes of `trials`."""
    reach = 8 * sqrt(trials * rate * (1 - rate)) + 8
    hits = np.arange(max(0, int(trials * rate - reach)), min(trials, int(trials * rate + reach)) + 1)
    tail = (1 - level) / 2
    low = np.where(hits > 0, stats.beta.ppf(tail, np.maximum(hits, 1), trials - hits + 1), 0.0)
    high = np.where(hits < trials, stats.beta.ppf(1 - tail, hits + 1, np.maximum(trials - hits, 1)), 1.0)
    return float(np.sum(stats.binom.pmf(hits, trials, rate) * (high - low))) / 2


def auc_variance(area: float, ratio: float) -> float:
    """Return the variance of an AUC times the number of positives, `ratio` negatives to each.

    For two normal distributions seen through rating scales; continuous scores need fewer cases than it says.

    Source: N. Obuchowski, D. McClish, Statistics in Medicine 16 (1997) 1529-1542.
    """
    a = sqrt(2) * float(stats.norm.ppf(area))
    return 0.0099 * exp(-(a**2) / 2) * (5 * a**2 + 8 + (a**2 + 8) / ratio)


def positives_for_auc(area: float, null_area: float, power: float, ratio: float, alpha: float = ALPHA) -> float:
    """Return how many positives a two-sided test needs to tell `area` from `null_area`.

    Source: N. Obuchowski et al., Clinical Chemistry 50 (2004) 1118-1125.
    """
    at_null = normal_quantile(1 - alpha) * sqrt(auc_variance(null_area, ratio))
    at_area = float(stats.norm.ppf(power)) * sqrt(auc_variance(area, ratio))
    return (at_null + at_area) ** 2 / (area - null_area) ** 2


def positives_for_auc_half_width(area: float, half_width: float, ratio: float, level: float = LEVEL) -> float:
    """Return how many positives make the interval of an AUC so narrow.

    Source: N. Obuchowski et al., Clinical Chemistry 50 (2004) 1118-1125.
    """
    return normal_quantile(level) ** 2 * auc_variance(area, ratio) / half_width**2


def positives_for_auc_non_inferiority(
    area: float, margin: float, power: float, ratio: float, correlation: float, alpha: float = NON_INFERIORITY_ALPHA
) -> float:
    """Return how many positives show that an equally good AUC of the same cases is not worse by `margin`, one-sided.

    Args:
        area: of both.
        margin: above 0.
        power: to be had.
        ratio: negatives to each positive.
        correlation: of the two AUCs over cases; 0 for different cases, then in each group.
        alpha: one-sided.

    Source: W. Blackwelder, Controlled Clinical Trials 3 (1982) 345-353, with the variance of Obuchowski and McClish.
    """
    return _both_quantiles(alpha, power) ** 2 * 2 * auc_variance(area, ratio) * (1 - correlation) / margin**2


def cases_for_rate_non_inferiority(
    rate: float, margin: float, power: float, discordant: float | None, alpha: float = NON_INFERIORITY_ALPHA
) -> float:
    """Return how many cases show that an equally good rate is not worse by `margin`, one-sided.

    Args:
        rate: of both.
        margin: above 0.
        power: to be had.
        discordant: the share of cases on which two readings of the same cases differ; None for different cases, then
            the number is that of each group.
        alpha: one-sided.

    Source: W. Blackwelder, Controlled Clinical Trials 3 (1982) 345-353; same cases: Y. Lu, J. Bean, Statistics in
    Medicine 14 (1995) 1831-1839.
    """
    variance = 2 * rate * (1 - rate) if discordant is None else discordant
    return _both_quantiles(alpha, power) ** 2 * variance / margin**2


def _both_quantiles(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power))
