"""Several readers, several modalities, the same cases: whether the modalities differ in AUC.

The analysis of variance of Obuchowski and Rockette with the degrees of freedom of Hillis, for a fully crossed design.

Source: N. Obuchowski, H. Rockette, Communications in Statistics - Simulation 24 (1995) 285-308; S. Hillis, Statistics
in Medicine 26 (2007) 596-619; S. Hillis et al., Academic Radiology 15 (2008) 647-661; S. Hillis, Statistics in Medicine
33 (2014) 330-360 (fixed readers, fixed cases).
"""

from dataclasses import dataclass
from itertools import combinations
from math import inf, isinf, sqrt

import numpy as np
from scipy import stats

from validation.discrimination import Numbers, placements
from validation.intervals import LEVEL, Interval
from validation.statistics.scored_cases import Truth


@dataclass(frozen=True, slots=True)
class ErrorCovariances:
    """Of the AUCs of one reader in one modality, over cases.

    Attributes:
        variance: of one AUC, the mean over readers and modalities.
        cov1: same reader, different modalities.
        cov2: different readers, same modality; 0 with one reader.
        cov3: different readers, different modalities; 0 with one reader.
    """

    variance: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean AUC of the modality `first` minus that of `second`, numbered in the order of the AUCs."""

    first: int
    second: int
    value: float
    interval: Interval | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """One test that all modalities are equal; `f`, `df2` and `p` are None, with the reason, where there is none.

    `df2` is infinite with fixed readers: the statistic is then a chi-square over `df1`.
    """

    f: float | None
    df1: int
    df2: float | None
    p: float | None
    differences: tuple[Difference, ...]
    reason: str


def reader_areas(truth: Truth, ratings: Numbers) -> Numbers:
    """Return the AUC of each reader in each modality, shape (modalities, readers).

    Args:
        truth: shape (cases,), both kinds.
        ratings: shape (modalities, readers, cases), higher is more suspicious.
    """
    of_positives, _ = _placements(truth, ratings)
    return np.asarray(of_positives.mean(axis=1).reshape(ratings.shape[:2]))


def delong_covariance(truth: Truth, ratings: Numbers) -> Numbers:
    """Return the covariance matrix of all AUCs, readers of the first modality first; two cases of each kind needed.

    Source: E. DeLong et al., Biometrics 44 (1988) 837-845.
    """
    of_positives, of_negatives = _placements(truth, ratings)
    within = np.atleast_2d(np.cov(of_positives)) / of_positives.shape[1]
    return np.asarray(within + np.atleast_2d(np.cov(of_negatives)) / of_negatives.shape[1])


def jackknife_covariance(truth: Truth, ratings: Numbers) -> Numbers:
    """Return the covariance matrix of all AUCs from leaving out one case at a time; two cases of each kind needed.

    Source: B. Efron, C. Stein, Annals of Statistics 9 (1981) 586-596.
    """
    of_positives, of_negatives = _placements(truth, ratings)
    areas = of_positives.mean(axis=1, keepdims=True)
    # Without one case the AUC is the mean of what is left: no AUC has to be computed again.
    left_out = [(areas * one.shape[1] - one) / (one.shape[1] - 1) for one in (of_positives, of_negatives)]
    deviations = np.concatenate(left_out, axis=1)
    deviations = deviations - deviations.mean(axis=1, keepdims=True)
    cases = deviations.shape[1]
    return np.asarray((cases - 1) / cases * deviations @ deviations.T)


def error_covariances(covariance: Numbers, modalities: int, readers: int) -> ErrorCovariances:
    """Return the means of a covariance matrix over pairs of the same kind."""
    modality, reader = np.divmod(np.arange(modalities * readers), readers)
    same_modality = modality[:, np.newaxis] == modality
    same_reader = reader[:, np.newaxis] == reader

    def mean_where(chosen: Truth) -> float:
        return float(covariance[chosen].mean()) if chosen.any() else 0.0

    return ErrorCovariances(
        variance=mean_where(same_modality & same_reader),
        cov1=mean_where(~same_modality & same_reader),
        cov2=mean_where(same_modality & ~same_reader),
        cov3=mean_where(~same_modality & ~same_reader),
    )


def random_readers_random_cases(areas: Numbers, errors: ErrorCovariances, level: float = LEVEL) -> Analysis:
    """Return the test that holds for other readers and other cases; it needs two readers.

    Args:
        areas: shape (modalities, readers), at least two modalities.
        errors: of these AUCs.
        level: of the intervals.
    """
    modalities, readers = areas.shape
    if readers < 2:
        return _none(areas, "one reader says nothing about other readers")
    interaction = _mean_squares(areas)[1]
    spread = interaction + readers * max(errors.cov2 - errors.cov3, 0.0)
    df2 = spread**2 / (interaction**2 / ((modalities - 1) * (readers - 1))) if interaction > 0 else inf
    return _tested(areas, spread, df2, level)


def fixed_readers(areas: Numbers, errors: ErrorCovariances, level: float = LEVEL) -> Analysis:
    """Return the test that holds for these readers and other cases."""
    readers = areas.shape[1]
    spread = errors.variance - errors.cov1 + (readers - 1) * max(errors.cov2 - errors.cov3, 0.0)
    return _tested(areas, spread, inf, level)


def fixed_cases(areas: Numbers, level: float = LEVEL) -> Analysis:
    """Return the test that holds for other readers of these cases; it needs two readers."""
    modalities, readers = areas.shape
    if readers < 2:
        return _none(areas, "one reader says nothing about other readers")
    return _tested(areas, _mean_squares(areas)[1], float((modalities - 1) * (readers - 1)), level)


def _placements(truth: Truth, ratings: Numbers) -> tuple[Numbers, Numbers]:
    rows = ratings.reshape(-1, ratings.shape[-1])
    return placements(rows[:, truth], rows[:, ~truth])


def _mean_squares(areas: Numbers) -> tuple[float, float]:
    """Return the mean squares of the modalities, and of modalities by readers (0 with one reader)."""
    modalities, readers = areas.shape
    by_modality, by_reader = areas.mean(axis=1, keepdims=True), areas.mean(axis=0, keepdims=True)
    between = readers * float(((by_modality - areas.mean()) ** 2).sum()) / (modalities - 1)
    residuals = areas - by_modality - by_reader + areas.mean()
    interaction = float((residuals**2).sum()) / max(1, (modalities - 1) * (readers - 1))
    # What rounding leaves of residuals that are zero must not count as a spread.
    return between, interaction if interaction > 1e-20 else 0.0


def _tested(areas: Numbers, spread: float, df2: float, level: float) -> Analysis:
    modalities, readers = areas.shape
    if spread <= 1e-15:
        return _none(areas, "no spread to compare the difference with")
    df1 = modalities - 1
    f = _mean_squares(areas)[0] / spread
    p = float(stats.chi2.sf(f * df1, df1)) if isinf(df2) else float(stats.f.sf(f, df1, df2))
    error = sqrt(2 / readers * spread)
    reference = stats.norm() if isinf(df2) else stats.t(df2)
    half = float(reference.ppf((1 + level) / 2)) * error
    differences = tuple(
        Difference(one.first, one.second, one.value, (one.value - half, one.value + half),
                   float(2 * reference.sf(abs(one.value) / error)))
        for one in _differences(areas)
    )  # fmt: skip
    return Analysis(f, df1, df2, p, differences, "")


def _none(areas: Numbers, reason: str) -> Analysis:
    return Analysis(None, len(areas) - 1, None, None, _differences(areas), reason)


def _differences(areas: Numbers) -> tuple[Difference, ...]:
    means = areas.mean(axis=1)
    pairs = combinations(range(len(means)), 2)
    return tuple(Difference(one, other, float(means[one] - means[other]), None, None) for one, other in pairs)
