"""Whether the model, or anybody, can answer without the lesion: shortcuts in the data and in the network."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from validation.asking import Asked, Asker
from validation.discrimination import RocArea, roc_area
from validation.labelled_images import Dataset, LabelledImage
from validation.outlines import read_mask
from validation.result_document import Json, area_object
from validation.statistics.scored_cases import ScoredCases
from validation.suites.chosen_cases import cases_of, common_cases, subset
from validation.suites.part_result import PartResult, limits, rounded
from validation.suites.shortcuts import baselines
from validation.suites.suite_file import Probes

MARGIN_PIXELS, RING_PIXELS = 5, 15
"""A lesion is taken away with this margin, and replaced by the median of a ring of this width around it."""

SEEN = {"frame": "outer frame of the images", "size": "size of image and file"}
"""What a finding calls what shows no lesion."""


def probes(asker: Asker, plan: Probes, seed: int) -> PartResult:
    """Return the AUC of what sees no lesion, and how the score falls when the lesion is taken away.

    Raises:
        InvalidDataset: an image or a mask cannot be decoded.
    """
    dataset, unit = asker.subject.dataset, asker.subject.unit
    figures: dict[str, Json] = {"unit": unit, "max_auc": plan.max_auc}
    findings = []
    areas = baselines([image for study in dataset.studies for image in study.images])
    named = {
        f"baseline_{name}": (f"the labels can be told from the {SEEN.get(name, name)} alone", area)
        for name, area in areas.items()
    }
    studies = subset(dataset, plan.positive, plan.negative, seed)
    unaltered = asker.ask("unaltered", studies)
    framed = asker.ask(f"frame only {plan.frame}", studies, partial(_frame_only, plan.frame))
    cases = cases_of(framed.answers, unit)
    area = roc_area(cases.truth.tolist(), cases.scores.tolist(), cases.clusters)
    named["model_frame_only"] = (f"the model answers from the {SEEN['frame']} alone", area)
    figures["n_refused_frame_only"] = len(framed.refused)
    for name, (said, one) in named.items():
        figures[name] = area_object(one)
        # A thumbnail may show a large lesion, so its figure stands for itself; frame and size show none.
        if name != "baseline_thumbnail" and _surely_above(one, plan.max_auc):
            findings.append(f"shortcut: {said}: AUC {one.estimate.value:.3f}, surely above {plan.max_auc}")
    if dataset.description.columns is not None and dataset.description.columns.mask is not None:
        without = asker.ask("lesion taken away", studies, partial(_without, dataset))
        figures["lesion_taken_away"], no_fall = _fall(unaltered, without, unit)
        findings += [no_fall] if no_fall else []
    return PartResult(figures, tuple(findings))


def _surely_above(area: RocArea, limit: float) -> bool:
    interval = area.estimate.interval
    return interval is not None and interval[0] > limit


def _frame_only(frame: float, _image: LabelledImage, pixels: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (round(size * frame) for size in pixels.shape)
    kept = pixels.copy()
    kept[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns] = int(np.median(pixels))
    return kept


def _without(dataset: Dataset, image: LabelledImage, pixels: NDArray[Any]) -> NDArray[Any]:
    columns = dataset.description.columns
    name = image.row.get(columns.mask, "") if columns is not None and columns.mask is not None else ""
    lesion = read_mask(dataset, name) if name else np.zeros(pixels.shape, dtype=np.bool_)
    if lesion.shape != pixels.shape or not lesion.any():
        return pixels
    lesion = ndimage.binary_dilation(lesion, iterations=MARGIN_PIXELS)
    ring = ndimage.binary_dilation(lesion, iterations=RING_PIXELS) & ~lesion
    kept = pixels.copy()
    kept[lesion] = int(np.median(pixels[ring] if ring.any() else pixels))
    return kept


def _fall(unaltered: Asked, without: Asked, unit: str) -> tuple[dict[str, Json], str | None]:
    """Return how much lower the positives score without their lesion, and what is wrong if that is not sure."""
    before, after = common_cases(cases_of(unaltered.answers, unit), cases_of(without.answers, unit))
    area = roc_area(after.truth.tolist(), after.scores.tolist(), after.clusters)
    change, interval = _mean_change(before, after)
    figures: dict[str, Json] = {
        "n": int(before.truth.sum()),
        "n_refused": len(without.refused),
        "auc": area_object(area),
        "score_change": rounded(change),
        "ci95": limits(interval),
    }
    if interval is not None and interval[1] >= 0:
        return figures, f"shortcut: without its lesion a positive scores {change:+.3f}, needed surely less than with it"
    return figures, None


def _mean_change(before: ScoredCases, after: ScoredCases) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean change of the positives with the t interval over patients (each weighs as its cases)."""
    changes, groups = (after.scores - before.scores)[before.truth], before.groups[before.truth]
    patients = np.unique(groups, return_inverse=True)[1]
    count = int(patients.max()) + 1 if len(patients) else 0
    if count < 2:
        return (float(changes.mean()) if len(changes) else None), None
    mean = float(changes.mean())
    residuals = np.bincount(patients, weights=changes - mean)
    error = float(np.sqrt(count / (count - 1) * (residuals @ residuals))) / len(changes)
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return mean, (mean - half, mean + half)
