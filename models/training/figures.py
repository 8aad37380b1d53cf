"""The figures of the model card, all from out-of-fold scores, intervals clustered by patient."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from inference.postprocess import calibrated
from models.training.calibration import auc, study_logits
from models.training.head_ct_dataset import LABELS
from models.triage_spec import OperatingPoint, TriageSpec

REPETITIONS = 2000
"""Bootstrap samples of patients."""

Interval = tuple[float, float]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    ci95: Interval


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Sensitivity and specificity for studies at an operating point, with exact (Clopper-Pearson) intervals."""

    point: OperatingPoint
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class SubtypeFigure:
    """How slices with one subtype are told from slices without any bleed, by the haemorrhage logit."""

    subtype: str
    slices: int
    patients: int
    slice_auc: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """What cross-validation by patient gave."""

    patients: int
    positive_patients: int
    slices: int
    positive_slices: int
    slice_auc: Estimate
    study_auc: Estimate
    slice_brier: float
    study_brier: float
    at_thresholds: tuple[AtThreshold, ...]
    subtypes: tuple[SubtypeFigure, ...]


def figures_of(logits: list[Scores], labels: list[NDArray[np.float32]], spec: TriageSpec, seed: int) -> Figures:
    """Return the figures of out-of-fold slice `logits` (slices,) against `labels` (slices, LABELS), one per patient."""
    truth = [one[:, 0] > 0 for one in labels]
    positive = np.array([one.any() for one in truth])
    studies = study_logits(logits, spec.aggregation)
    image_probabilities = calibrated(np.concatenate(logits), spec.calibration.image)
    study_probabilities = calibrated(studies, spec.calibration.study)
    return Figures(
        patients=len(labels),
        positive_patients=int(positive.sum()),
        slices=sum(len(one) for one in truth),
        positive_slices=int(sum(one.sum() for one in truth)),
        slice_auc=clustered_auc(truth, logits, seed),
        study_auc=clustered_auc([np.array([one]) for one in positive], [np.array([one]) for one in studies], seed),
        slice_brier=rounded(float(np.mean((image_probabilities - np.concatenate(truth)) ** 2))),
        study_brier=rounded(float(np.mean((study_probabilities - positive) ** 2))),
        at_thresholds=tuple(_at(point, study_probabilities, positive) for point in spec.operating_points),
        subtypes=tuple(
            _subtype(index, logits, labels, seed)
            for index in range(1, len(LABELS))
            if any(one[:, index].any() for one in labels)
        ),
    )


def clustered_auc(truth: list[NDArray[np.bool_]], scores: list[Scores], seed: int) -> Estimate:
    """Return the AUC over all entries, its interval from drawing patients with replacement."""

    def area(chosen: NDArray[np.int64]) -> float:
        picked = np.concatenate([truth[index] for index in chosen])
        if picked.all() or not picked.any():
            return float("nan")
        return auc(picked, np.concatenate([scores[index] for index in chosen]))

    return bootstrapped(area, len(truth), seed)


def exact_proportion(successes: int, trials: int) -> Estimate:
    """Return a proportion with its Clopper-Pearson interval."""
    interval = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    return Estimate(rounded(successes / trials), (rounded(float(interval.low)), rounded(float(interval.high))))


def rounded(value: float) -> float:
    """Return `value` with the four decimals that figures are kept with."""
    return round(value, 4)


def bootstrapped(figure: Callable[[NDArray[np.int64]], float], patients: int, seed: int) -> Estimate:
    """Return `figure` of all patients, its interval from drawing the indices of patients with replacement."""
    random = np.random.default_rng(seed)
    samples = np.array([figure(random.integers(0, patients, patients)) for _ in range(REPETITIONS)])
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return Estimate(rounded(figure(np.arange(patients))), (rounded(float(low)), rounded(float(high))))


def _at(point: OperatingPoint, probabilities: Scores, positive: NDArray[np.bool_]) -> AtThreshold:
    flagged = probabilities >= point.threshold
    return AtThreshold(
        point,
        exact_proportion(int((flagged & positive).sum()), int(positive.sum())),
        exact_proportion(int((~flagged & ~positive).sum()), int((~positive).sum())),
    )


def _subtype(index: int, logits: list[Scores], labels: list[NDArray[np.float32]], seed: int) -> SubtypeFigure:
    kept = [(one[:, index] > 0) | (one[:, 0] == 0) for one in labels]
    truth = [(one[:, index] > 0)[keep] for one, keep in zip(labels, kept, strict=True)]
    scores = [one[keep] for one, keep in zip(logits, kept, strict=True)]
    return SubtypeFigure(
        LABELS[index],
        int(sum(one.sum() for one in truth)),
        sum(bool(one.any()) for one in truth),
        clustered_auc(truth, scores, seed),
    )
