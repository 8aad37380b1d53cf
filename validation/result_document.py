"""The result of a validation run as JSON and as tables; the keys are those of the contract, and more."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from validation.answers import StudyAnswer
from validation.discrimination import RocArea
from validation.figures import AtPoint, Calibration, Figures, Subgroup
from validation.intervals import Proportion
from validation.labelled_images import Dataset
from validation.located import HIT_RULE, LocatedFigures
from validation.outlines import DiceFigures
from validation.statistics.froc import RATES
from validation.training_overlap import TrainingOverlap

PREDICTION_COLUMNS = ("level", "study", "patient", "image", "truth", "score", "flagged", "state", "reason")
ANSWERED, REFUSED = "answered", "refused"
METHOD = (
    "AUC: empirical, logit interval with Obuchowski's variance clustered by patient (DeLong's with one case each; "
    "Newcombe's score interval where that variance is zero). Rates: Clopper-Pearson interval with the effective number "
    "of cases of patients (Rao-Scott, Korn-Graubard). 95 %, not adjusted for the number of figures."
)
NO_SEGMENTATION = "the model answers with probabilities and boxes, not with outlines"
NO_OUTLINES = "the data set has no masks, or nothing to compare them with"
NO_BOXES = "the data set has no boxes"

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Measured:
    """All that a run found.

    `seconds` is time from reading the images to the findings, over all studies, shared among the workers;
    of those of the platform as if one had answered.
    """

    bundle: Bundle
    dataset: Dataset
    answers: tuple[StudyAnswer, ...]
    figures: Figures
    overlap: TrainingOverlap
    out_of_fold: int
    dice: DiceFigures | None
    device: str
    seconds: float
    measured_at: str
    environment: dict[str, Json]
    located: LocatedFigures | None = None


def as_object(measured: Measured) -> dict[str, Json]:
    """Return the JSON document that the command prints; null where the labels allow no figure."""
    figures, dataset = measured.figures, measured.dataset
    answered = [one for one in measured.answers if one.probability is not None]
    images = sum(len(one.images) for one in answered)
    return {
        "bundle": measured.bundle.identity.name,
        "bundle_digest": measured.bundle.identity.digest,
        "dataset": dataset.description.name,
        "dataset_digest": dataset.digest,
        "device": measured.device,
        "n_images": figures.n_images,
        "n_studies": figures.n_studies,
        "n_positive_studies": figures.n_positive_studies,
        "image_auc": area_object(figures.image_auc),
        "study_auc": area_object(figures.study_auc),
        "operating_points": [_point_object(one) for one in figures.at_points],
        "dice": dice_object(measured.dice),
        "froc": _froc_object(measured.located),
        "subgroups": [_subgroup_object(one) for one in figures.subgroups],
        "images_per_s": round(images / measured.seconds, 2) if measured.seconds > 0 and images else None,
        "calibration": _calibration_object(figures.calibration),
        "bundle_version": measured.bundle.identity.version,
        "provider": next((one.provider for one in answered), None),
        "n_patients": figures.n_patients,
        "n_refused": figures.n_refused,
        "n_refused_positive": figures.n_refused_positive,
        "n_unlabelled_rows": dataset.unlabelled_rows,
        "trained_on_this_data": measured.overlap.trained_on,
        "n_patients_in_training": measured.overlap.patients,
        "n_patients_out_of_fold": measured.out_of_fold,
        "not_measured": _not_measured(measured),
        "method": METHOD,
        "measured_at": measured.measured_at,
        "environment": measured.environment,
    }


def write_predictions(path: Path, answers: Sequence[StudyAnswer], threshold: float) -> None:
    """Write one row per study and one per image; truth and score are empty where there is none.

    `threshold` is that of the active operating point, which flags studies.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PREDICTION_COLUMNS)
        for one in answers:
            writer.writerows(_rows(one, threshold))


def area_object(area: RocArea) -> Json:
    """Return an AUC with its interval and what it is of; None when there is none."""
    if area.estimate.value is None:
        return None
    interval = area.estimate.interval
    ci95: Json = [round(interval[0], 4), round(interval[1], 4)] if interval else None
    return {"value": round(area.estimate.value, 4), "ci95": ci95, "n": area.n, "n_positive": area.n_positive}


def _rows(one: StudyAnswer, threshold: float) -> Iterable[tuple[object, ...]]:
    study, state = one.study, ANSWERED if one.probability is not None else REFUSED
    of_study = ("study", study.study, study.patient, "", _truth(study.label))
    if one.probability is not None:
        yield (*of_study, repr(one.probability), int(one.probability >= threshold), state, "")
    else:
        yield (*of_study, "", "", state, one.refusal)
        for image in study.images:
            yield ("image", study.study, study.patient, image.name, _truth(image.label), "", "", state, one.refusal)
    for answer in one.images:
        score = repr(answer.probability)
        yield ("image", study.study, study.patient, answer.name, _truth(answer.image.label), score, "", state, "")


def _truth(label: bool | None) -> str:
    return "" if label is None else str(int(label))


def _proportion_object(proportion: Proportion) -> Json:
    value, interval = proportion.estimate.value, proportion.estimate.interval
    if value is None or interval is None:
        return None
    ci95: Json = [round(interval[0], 4), round(interval[1], 4)]
    return {"value": round(value, 4), "ci95": ci95, "x": proportion.successes, "n": proportion.trials}


def _point_object(at: AtPoint) -> Json:
    return {
        "name": at.point.name,
        "threshold": at.point.threshold,
        "sensitivity": _proportion_object(at.sensitivity),
        "specificity": _proportion_object(at.specificity),
        "ppv": _proportion_object(at.ppv),
        "npv": _proportion_object(at.npv),
        "active": at.active,
        "tp": at.tp,
        "fp": at.fp,
        "tn": at.tn,
        "fn": at.fn,
    }


def _subgroup_object(one: Subgroup) -> Json:
    return {
        "column": one.column,
        "value": one.value,
        "n_studies": one.n_studies,
        "n_positive_studies": one.n_positive_studies,
        "n_images": one.n_images,
        "image_auc": area_object(one.image_auc),
        "study_auc": area_object(one.study_auc),
        "sensitivity": _proportion_object(one.sensitivity),
        "specificity": _proportion_object(one.specificity),
    }


def _froc_object(located: LocatedFigures | None) -> Json:
    """Return sensitivities at false positives per image; None where the set has no boxes."""
    if located is None:
        return None
    found = located.froc
    sensitivities = zip(RATES, found.sensitivities, strict=True)
    return {
        "cpm": None if found.cpm is None else round(found.cpm, 4),
        "ci95_cpm": [round(one, 4) for one in located.interval] if located.interval else None,
        "sensitivity_at": {f"{rate:g}": None if one is None else round(one, 4) for rate, one in sensitivities},
        "ap": None if found.ap is None else round(found.ap, 4),
        "n_images": found.n_cases,
        "n_lesions": found.n_lesions,
        "n_hit": found.n_hit,
        "n_false_positives": found.n_false_positives,
        "hit_rule": HIT_RULE,
    }


def _calibration_object(found: Calibration | None) -> Json:
    """Return the calibration of study probabilities; None without an answered study."""
    if found is None:
        return None
    bins: list[Json] = [
        {
            "mean_probability": round(one.mean_probability, 4),
            "share_positive": round(one.share_positive, 4),
            "ci95": [round(one.interval[0], 4), round(one.interval[1], 4)],
            "n": one.n,
        }
        for one in found.bins
    ]
    cox = found.cox
    return {
        "n": found.n,
        "brier": round(found.brier, 4),
        "ece10": round(found.expected_error, 4),
        "slope": None if cox.slope is None else round(cox.slope, 4),
        "intercept": None if cox.intercept is None else round(cox.intercept, 4),
        "reason": cox.reason or None,
        "bins": bins,
    }


def dice_object(dice: DiceFigures | None) -> Json:
    """Return mean and median Dice and of how many; None when there is nothing to compare."""
    if dice is None or not dice.values:
        return None
    return {
        "mean": round(float(np.mean(dice.values)), 4),
        "median": round(float(np.median(dice.values)), 4),
        "per": dice.per,
        "n": len(dice.values),
        "n_missed": sum(value == 0 for value in dice.values),
        "n_both_empty": dice.n_both_empty,
    }


def why_no_dice(measured: Measured) -> str | None:
    """Return why there is no Dice, None where there is one."""
    if measured.bundle.spec.segmentation is None:
        return NO_SEGMENTATION
    return NO_OUTLINES if dice_object(measured.dice) is None else None


def _not_measured(measured: Measured) -> Json:
    """Say of each figure that is null why it is."""
    figures = measured.figures
    reasons: dict[str, Json] = {} if measured.located else {"froc": NO_BOXES}
    if reason := why_no_dice(measured):
        reasons["dice"] = reason
    if figures.study_auc.estimate.value is None:
        reasons["study_auc"] = _why_no_area(figures.study_auc, "answered studies")
    if figures.image_auc.estimate.value is None:
        of = "answered images with a label of their own"
        reasons["image_auc"] = _why_no_area(figures.image_auc, of)
    return reasons


def _why_no_area(area: RocArea, of: str) -> str:
    return f"{area.n_positive} positive of {area.n} {of}, needed both kinds"
