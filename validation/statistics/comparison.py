"""Whether two AUCs differ, and whether one is not worse than the other by more than a margin."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from validation.discrimination import Numbers, clustered_covariance, placed_by
from validation.intervals import LEVEL, Interval, normal_quantile
from validation.statistics.scored_cases import ScoredCases

NON_INFERIORITY_ALPHA = 0.025
"""One-sided; the same verdict as "the lower limit of the 95 % interval lies above minus the margin"."""


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """`difference` is B minus A; the others are None where a table has no two clusters of each kind."""

    auc_a: float | None
    auc_b: float | None
    difference: float | None
    standard_error: float | None
    interval: Interval | None
    z: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """`z` and `p` are None where the standard error is zero or unknown; then nothing is shown and `met` is False."""

    margin: float
    z: float | None
    p: float | None
    met: bool


def paired_difference(a: ScoredCases, b: ScoredCases, level: float = LEVEL) -> AreaDifference:
    """Return the difference of the AUCs of two scores of the same cases, in the same order.

    Source: E. DeLong et al., Biometrics 44 (1988) 837-845; N. Obuchowski, Biometrics 53 (1997) 567-578 (clusters).
    """
    areas, covariance = areas_with_covariance(a, np.stack([a.scores, b.scores]))
    variance = None if covariance is None else float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _difference(areas[0], areas[1], variance, level)


def unpaired_difference(a: ScoredCases, b: ScoredCases, level: float = LEVEL) -> AreaDifference:
    """Return the difference of the AUCs of two independent sets of cases.

    Source: E. DeLong et al., Biometrics 44 (1988) 837-845, for each set; the variances add.
    """
    (area_a,), of_a = areas_with_covariance(a, a.scores[np.newaxis])
    (area_b,), of_b = areas_with_covariance(b, b.scores[np.newaxis])
    variance = None if of_a is None or of_b is None else float(of_a[0, 0] + of_b[0, 0])
    return _difference(area_a, area_b, variance, level)


def areas_with_covariance(cases: ScoredCases, scores: Numbers) -> tuple[list[float | None], Numbers | None]:
    """Return the AUC of each row of `scores`, shape (scores, cases), and the covariance matrix of these AUCs.

    The AUCs are None without cases of both kinds, the matrix without two clusters of each kind.
    """
    if cases.truth.all() or not cases.truth.any():
        return [None] * len(scores), None
    placed = [placed_by(cases.truth, row, cases.groups) for row in scores]
    areas: list[float | None] = [one.area for one in placed]
    if min(placed[0].clusters) < 2:
        return areas, None
    return areas, np.array([[clustered_covariance(one, other) for other in placed] for one in placed])


def non_inferiority(found: AreaDifference, margin: float) -> NonInferiority:
    """Return whether B is worse than A by less than `margin`, tested one-sided at 2.5 %.

    Source: W. Blackwelder, Controlled Clinical Trials 3 (1982) 345-353, with the standard error of DeLong.
    """
    if found.difference is None or not found.standard_error:
        return NonInferiority(margin, None, None, met=False)
    z = (found.difference + margin) / found.standard_error
    p = float(stats.norm.sf(z))
    return NonInferiority(margin, z, p, met=p < NON_INFERIORITY_ALPHA)


def _difference(area_a: float | None, area_b: float | None, variance: float | None, level: float) -> AreaDifference:
    if area_a is None or area_b is None:
        return AreaDifference(area_a, area_b, None, None, None, None, None)
    difference = area_b - area_a
    if variance is None:
        return AreaDifference(area_a, area_b, difference, None, None, None, None)
    # Scores that rank alike have a variance of zero up to rounding; a millionth of a millionth is no variance.
    error = sqrt(variance) if variance > 1e-15 else 0.0
    half = normal_quantile(level) * error
    interval = (difference - half, difference + half)
    if error > 0:
        z = difference / error
        return AreaDifference(area_a, area_b, difference, error, interval, z, float(2 * stats.norm.sf(abs(z))))
    no_difference = abs(difference) < 1e-12
    return AreaDifference(
        area_a, area_b, difference, 0.0, interval, 0.0 if no_difference else None, 1.0 if no_difference else None
    )
