"""The figures of a planar model's card, all from patients that the scoring network did not see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import from_numpy
from torch.nn import functional

from inference.masks import masks_on_images
from inference.postprocess import calibrated
from models.training.calibration import BrierScores, brier_scores
from models.training.figures import AtThreshold, Estimate, bootstrapped, clustered_auc, exact_proportion, rounded
from models.training.lesion_folds import CrossValidated
from models.training.lesion_images import ImageSet, read_grey, read_mask
from models.training.lesion_recipe import Recipe
from models.triage_spec import TriageSpec

MIN_SUBGROUP = 10
"""Of positives and of negatives each; with fewer a subgroup's AUC says nothing and is left out."""


@dataclass(frozen=True, slots=True)
class SubgroupFigure:
    """The images of one subgroup; `image_auc` is None where it would say nothing."""

    column: str
    value: str
    images: int
    positive_images: int
    image_auc: Estimate | None


@dataclass(frozen=True, slots=True)
class MaskFigures:
    """How masks agree with the outlines. A missed lesion counts 0; where both are empty there is nothing to compare.

    `counted_per` says whether Dice is of one image or of all slices of a study together.
    """

    counted_per: str
    compared: int
    dice_mean: Estimate
    dice_median: float
    missed: int
    peak_inside: Estimate
    map_share_inside: float


@dataclass(frozen=True, slots=True)
class LesionFigures:
    """What cross-validation by patient gave; `study_auc` is None where no study is negative."""

    patients: int
    images: int
    labelled_images: int
    positive_images: int
    studies: int
    positive_studies: int
    image_auc: Estimate
    study_auc: Estimate | None
    image_brier: float
    brier_of_curves: BrierScores
    counted: str
    at_thresholds: tuple[AtThreshold, ...]
    subgroups: tuple[SubgroupFigure, ...]
    masks: MaskFigures | None


def lesion_figures(recipe: Recipe, images: ImageSet, result: CrossValidated, spec: TriageSpec) -> LesionFigures:
    """Return the figures of the out-of-fold answers at the thresholds of `spec`."""
    seed, truth = recipe.plan.seed, images.targets[:, 0]
    known = ~np.isnan(truth)
    positive, logits = truth[known] == 1, result.unseen.logits[known, 0].astype(np.float64)
    patients, studies = images.patients[known], images.studies[known]
    study_truth, study_logits, study_patients = of_studies(positive, logits, studies, patients)
    probabilities = calibrated(logits, spec.calibration.image)
    at = (positive, probabilities)
    if recipe.counted == "study":
        at = (study_truth, calibrated(study_logits, spec.calibration.study))
    return LesionFigures(
        patients=len(set(images.patients)),
        images=len(images),
        labelled_images=int(known.sum()),
        positive_images=int(positive.sum()),
        studies=len(study_truth),
        positive_studies=int(study_truth.sum()),
        image_auc=area(positive, logits, patients, seed),
        study_auc=None if study_truth.all() else area(study_truth, study_logits, study_patients, seed),
        brier_of_curves=brier_scores(logits, positive, patients, seed),
        image_brier=rounded(float(np.mean((probabilities - positive) ** 2))),
        counted=recipe.counted,
        at_thresholds=tuple(
            AtThreshold(
                point,
                exact_proportion(int((at[1][at[0]] >= point.threshold).sum()), int(at[0].sum())),
                exact_proportion(int((at[1][~at[0]] < point.threshold).sum()), int((~at[0]).sum())),
            )
            for point in spec.operating_points
        ),
        subgroups=tuple(
            _subgroup(column, value, images.column(column)[known], positive, logits, patients, seed)
            for column in recipe.subgroups
            for value in sorted(set(images.column(column)) - {""})
        ),
        masks=_mask_figures(recipe, images, result) if images.lesion_known.any() else None,
    )


def of_studies(
    positive: NDArray[np.bool_], logits: NDArray[np.float64], studies: NDArray[np.str_], patients: NDArray[np.str_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.str_]]:
    """Return truth, logit and patient of every study: positive when an image is, its logit the highest of an image."""
    names, member = np.unique(studies, return_inverse=True)
    truth, highest = np.zeros(len(names), dtype=bool), np.full(len(names), -np.inf)
    owner = np.empty(len(names), dtype=patients.dtype)
    np.logical_or.at(truth, member, positive)
    np.maximum.at(highest, member, logits)
    owner[member] = patients
    return truth, highest, owner


def area(positive: NDArray[np.bool_], logits: NDArray[np.float64], patients: NDArray[np.str_], seed: int) -> Estimate:
    """Return the AUC with an interval from drawing patients with replacement."""
    groups = by_patient(patients)
    return clustered_auc([positive[group] for group in groups], [logits[group] for group in groups], seed)


def by_patient(patients: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """Return the indices of each patient's entries, patients by name."""
    order = np.argsort(patients, kind="stable")
    _, starts = np.unique(patients[order], return_index=True)
    return np.split(order, starts[1:])


def _subgroup(
    column: str,
    value: str,
    values: NDArray[np.str_],
    positive: NDArray[np.bool_],
    logits: NDArray[np.float64],
    patients: NDArray[np.str_],
    seed: int,
) -> SubgroupFigure:
    own = values == value
    count, positives = int(own.sum()), int(positive[own].sum())
    enough = min(positives, count - positives) >= MIN_SUBGROUP
    return SubgroupFigure(
        column, value, count, positives, area(positive[own], logits[own], patients[own], seed) if enough else None
    )


def _mask_figures(recipe: Recipe, images: ImageSet, result: CrossValidated) -> MaskFigures:
    dice, patients = dice_scores(recipe, images, np.arange(len(images)), result.unseen.maps)
    peak, inside = _pointing(images, result)
    return MaskFigures(
        counted_per="image" if recipe.accepts.stills else "study",
        compared=len(dice),
        dice_mean=mean_dice(dice, patients, recipe.plan.seed),
        dice_median=rounded(float(np.median(dice))),
        missed=int((dice == 0).sum()),
        peak_inside=exact_proportion(int(peak.sum()), len(peak)),
        map_share_inside=rounded(float(inside.mean())),
    )


def dice_scores(
    recipe: Recipe, images: ImageSet, chosen: NDArray[np.int64], maps: NDArray[np.float16]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return the Dice of every still, or of all slices of a study together, and its patient, from maps of `chosen`.

    Where nothing was outlined and nothing found there is no Dice, and the entry is left out.
    """
    if recipe.segmentation is None:
        raise ValueError(f"{recipe.name}: masks in the data, needed a segmentation in the recipe")
    common, total = np.zeros(len(chosen)), np.zeros(len(chosen))
    for place, index in enumerate(chosen):
        shape, path = read_grey(images.files[index]).shape, images.mask_files[index]
        logits = maps[place][np.newaxis].astype(np.float32)
        found = masks_on_images(logits, images.placements[index], (shape[0], shape[1]), recipe.segmentation)[0]
        truth = read_mask(path) if path else np.zeros(shape, dtype=bool)
        common[place], total[place] = (found & truth).sum(), found.sum() + truth.sum()
    units = np.arange(len(chosen))
    if not recipe.accepts.stills:
        units = np.unique(images.studies[chosen], return_inverse=True)[1]
    overlap, size = np.bincount(units, common), np.bincount(units, total)
    owner = np.empty(len(size), dtype=images.patients.dtype)
    owner[units] = images.patients[chosen]
    compared = size > 0
    return 2 * overlap[compared] / size[compared], owner[compared]


def mean_dice(dice: NDArray[np.float64], patients: NDArray[np.str_], seed: int) -> Estimate:
    """Return the mean with an interval from drawing patients with replacement."""
    groups = by_patient(patients)
    return bootstrapped(
        lambda drawn: float(np.concatenate([dice[groups[one]] for one in drawn]).mean()), len(groups), seed
    )


def _pointing(images: ImageSet, result: CrossValidated) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return, for images with a lesion, whether the map's highest cell lies in it and the map's share inside.

    Source: J. Zhang et al., Top-Down Neural Attention by Excitation Backprop, IJCV 2018 (pointing game).
    """
    chosen = np.flatnonzero(images.lesion.any(axis=(1, 2)))
    maps = result.unseen.maps[chosen].astype(np.float64)
    lesion = from_numpy(images.lesion[chosen].astype(np.float32) / 255)[:, None]
    cells = functional.adaptive_avg_pool2d(lesion, (maps.shape[1], maps.shape[2]))[:, 0].numpy() >= 0.5
    probabilities = 1 / (1 + np.exp(-maps))
    flat = maps.reshape(len(maps), -1)
    peak = cells.reshape(len(maps), -1)[np.arange(len(maps)), flat.argmax(axis=1)]
    share = (probabilities * cells).sum(axis=(1, 2)) / probabilities.sum(axis=(1, 2))
    return peak, share
