"""How well a predicted mask covers the true one; a missed lesion has the worst value and is never left out."""

from dataclasses import dataclass
from enum import Enum
from math import sqrt

import numpy as np
from scipy import ndimage

from validation.statistics.surfaces import Mask, surface_distances

HD_SHARE = 0.95


class Kind(Enum):
    """What the two masks hold."""

    BOTH = "both"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"
    BOTH_EMPTY = "both empty"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Dice and surface Dice (`nsd`) from 0 to 1, and the 95th percentile of the surface distance in mm."""

    kind: Kind
    dice: float
    hd95_mm: float
    nsd: float


@dataclass(frozen=True, slots=True)
class LesionFigures:
    """Means over the true lesions and the false ones, which have the worst values as the missed ones have.

    All three are None where there is neither.
    """

    n_lesions: int
    n_missed: int
    n_false: int
    dice: float | None
    hd95_mm: float | None
    nsd: float | None


def overlap(truth: Mask, predicted: Mask, spacing_mm: tuple[float, ...], tolerance_mm: float) -> Overlap:
    """Return the agreement of two masks of one shape.

    Where one mask is empty and the other is not: Dice 0, surface Dice 0, distance the diagonal of the image. Where
    both are: Dice 1, surface Dice 1, distance 0.

    Args:
        truth: shape (slices, rows, columns) or (rows, columns).
        predicted: of the same shape.
        spacing_mm: of the voxels along each axis.
        tolerance_mm: how far a surface may be off and still counts as agreeing.

    Source: L. Dice, Ecology 26 (1945) 297-302; surface Dice and the percentile weighted by area, the larger of both
    directions: S. Nikolov et al., arXiv:1809.04430 (2018); worst values: A. Reinke et al., Nature Methods 21 (2024)
    182-194.
    """
    if not truth.any() and not predicted.any():
        return Overlap(Kind.BOTH_EMPTY, 1.0, 0.0, 1.0)
    if not truth.any() or not predicted.any():
        diagonal = sqrt(sum((n * size) ** 2 for n, size in zip(truth.shape, spacing_mm, strict=True)))
        return Overlap(Kind.MISSED if truth.any() else Kind.FALSE_ALARM, 0.0, diagonal, 0.0)
    dice = 2 * int((truth & predicted).sum()) / (int(truth.sum()) + int(predicted.sum()))
    both = surface_distances(truth, predicted, spacing_mm)
    hd95 = max(one.percentile(HD_SHARE) for one in both)
    agreeing = sum(one.area_within(tolerance_mm) for one in both)
    return Overlap(Kind.BOTH, dice, hd95, agreeing / sum(float(one.areas.sum()) for one in both))


def lesion_figures(truth: Mask, predicted: Mask, spacing_mm: tuple[float, ...], tolerance_mm: float) -> LesionFigures:
    """Return the agreement lesion by lesion, so that leaving out a small one cannot hide behind a large one.

    A lesion is a part that hangs together (over corners too). A true lesion is compared with all predicted parts that
    touch it; a predicted part that touches none is a false lesion.

    Source: the lesion-wise figures of BraTS 2023, A. Saluja et al., arXiv:2305.08992, without their dilation.
    """
    everywhere = np.ones((3,) * truth.ndim, dtype=np.int64)
    lesions, n_lesions = ndimage.label(truth, everywhere)
    parts, n_parts = ndimage.label(predicted, everywhere)
    found = []
    for number in range(1, n_lesions + 1):
        lesion = lesions == number
        touching = np.setdiff1d(np.unique(parts[lesion]), [0])
        found.append(overlap(lesion, np.isin(parts, touching), spacing_mm, tolerance_mm))
    n_false = n_parts - len(np.setdiff1d(np.unique(parts[truth]), [0]))
    found += [overlap(np.zeros_like(truth), np.ones_like(truth), spacing_mm, tolerance_mm)] * n_false
    n_missed = sum(one.kind is Kind.MISSED for one in found)
    if not found:
        return LesionFigures(0, 0, 0, None, None, None)
    means = (float(np.mean([getattr(one, name) for one in found])) for name in ("dice", "hd95_mm", "nsd"))
    return LesionFigures(n_lesions, n_missed, n_false, *means)
