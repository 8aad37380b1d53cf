"""What `acuity stats segmentation` says about masks, as one JSON object."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from triage.errors import InvalidDataset
from validation.statistics.mask_files import StoredMask, read_mask, require_same_grid
from validation.statistics.segmentation import Kind, Overlap, lesion_figures, overlap

Document = dict[str, object]
FIGURES = ("dice", "hd95_mm", "nsd")
DEFINITION = (
    "hd95_mm: the larger of both 95th percentiles of surface distance, weighted by area; nsd: share of both surfaces "
    "within tolerance_mm; a mask empty on one side alone: dice 0, nsd 0, hd95_mm the diagonal of the image"
)


def segmentation_document(
    truths: Sequence[Path], predictions: Sequence[Path], spacing_mm: tuple[float, ...] | None, tolerance_mm: float
) -> Document:
    """Return the figures of each pair of masks, and their means; a pair is the n-th of each, or the one truth for all.

    Args:
        truths: one, or as many as predictions.
        predictions: at least one.
        spacing_mm: between slices, rows and columns; the last two hold for flat images; None takes the files'.
        tolerance_mm: of the surface Dice.

    Raises:
        InvalidDataset: a file cannot be read, a pair does not fit together, or no spacing is known.
    """
    if len(truths) not in (1, len(predictions)):
        raise InvalidDataset(f"--predictions: found {len(predictions)} for {len(truths)} truths, needed one for each")
    pairs = zip(truths if len(truths) > 1 else [truths[0]] * len(predictions), predictions, strict=True)
    found = [_pair(read_mask(truth), read_mask(predicted), spacing_mm, tolerance_mm) for truth, predicted in pairs]
    wholes = [whole for whole, _ in found]
    kinds = [whole.kind for whole in wholes]
    means = {name: float(np.mean([getattr(one, name) for one in wholes])) for name in FIGURES}
    medians = {name: float(np.median([getattr(one, name) for one in wholes])) for name in FIGURES}
    return {
        **means,
        "median": medians,
        "n": len(found),
        "n_missed": kinds.count(Kind.MISSED),
        "n_false_alarms": kinds.count(Kind.FALSE_ALARM),
        "n_both_empty": kinds.count(Kind.BOTH_EMPTY),
        "tolerance_mm": tolerance_mm,
        "definition": DEFINITION,
        "cases": [document for _, document in found],
    }


def _pair(
    truth: StoredMask, predicted: StoredMask, spacing_mm: tuple[float, ...] | None, tolerance_mm: float
) -> tuple[Overlap, Document]:
    require_same_grid(truth, predicted)
    spacing = _spacing(truth, spacing_mm)
    whole = overlap(truth.values, predicted.values, spacing, tolerance_mm)
    lesions = lesion_figures(truth.values, predicted.values, spacing, tolerance_mm)
    return whole, {
        "truth": truth.name,
        "prediction": predicted.name,
        "kind": whole.kind.value,
        **{name: getattr(whole, name) for name in FIGURES},
        "spacing_mm": spacing,
        "lesionwise": asdict(lesions),
    }


def _spacing(mask: StoredMask, given: tuple[float, ...] | None) -> tuple[float, ...]:
    # Flat images take the last two of three numbers.
    is_flat = mask.values.ndim == 2 and given is not None and len(given) == 3
    spacing = mask.spacing_mm if given is None else given[1:] if is_flat else given
    if spacing is None:
        raise InvalidDataset(f"{mask.name}: has no spacing of its own, needed --spacing z,y,x in mm")
    if len(spacing) != mask.values.ndim:
        raise InvalidDataset(
            f"{mask.name}: {mask.values.ndim} axes, found {len(spacing)} numbers in --spacing, needed one for each axis"
        )
    if min(spacing) <= 0 or not np.isfinite(spacing).all():
        raise InvalidDataset(f"{mask.name}: spacing {spacing} mm, needed more than 0")
    return spacing
