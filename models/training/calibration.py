"""Platt scaling, what else was tried, and operating points, from scores of patients that no scoring network saw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from inference.postprocess import study_logit
from models.triage_spec import Aggregation, LogisticCurve, OperatingPoint
from triage.errors import InvalidDataset

AGGREGATIONS = tuple(Aggregation(smooth, top) for smooth in (1, 3) for top in (1, 2, 3, 5))
"""What may be chosen between; few and simple, so that choosing on 61 studies flatters little."""


def best_aggregation(logits: list[NDArray[np.float64]], truth: NDArray[np.bool_]) -> Aggregation:
    """Return the aggregation with the highest study AUC; among equals the one that separates the means best.

    Args:
        logits: of the slices of each study.
        truth: whether the study has a bleed.
    """

    def merit(aggregation: Aggregation) -> tuple[float, float]:
        scores = study_logits(logits, aggregation)
        spread = float(np.std(scores)) or 1.0
        return round(auc(truth, scores), 3), float(scores[truth].mean() - scores[~truth].mean()) / spread

    return max(AGGREGATIONS, key=merit)


def study_logits(logits: list[NDArray[np.float64]], aggregation: Aggregation) -> NDArray[np.float64]:
    """Return one logit per study."""
    return np.array([study_logit(one, aggregation) for one in logits])


def fitted_curve(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> LogisticCurve:
    """Return the logistic curve from logit to probability, its slope held back a little by a ridge penalty."""
    model = LogisticRegression(C=1.0).fit(logits[:, np.newaxis], truth)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        # Scores that order backwards cannot be repaired by a curve; a flat one says that they mean nothing.
        slope, intercept = 0.01, float(np.log(truth.mean() / (1 - truth.mean())))
    return LogisticCurve(round(slope, 6), round(intercept, 6))


@dataclass(frozen=True, slots=True)
class BrierScores:
    """Brier score of three ways from logit to probability, each fitted to nine tenths of the patients at a time."""

    platt: float
    temperature: float
    isotonic: float


def brier_scores(
    logits: NDArray[np.float64], truth: NDArray[np.bool_], patients: NDArray[np.str_], seed: int, repeats: int = 10
) -> BrierScores:
    """Return how well each way does on patients that its curve was not fitted to, the mean of `repeats` divisions.

    Sources: J. Platt, Probabilistic Outputs for Support Vector Machines, 1999; C. Guo et al., On Calibration of Modern
    Neural Networks, ICML 2017 (temperature); B. Zadrozny and C. Elkan, KDD 2002 (isotonic regression).
    """
    names, member = np.unique(patients, return_inverse=True)
    random, errors = np.random.default_rng(seed), []
    for _ in range(repeats):
        parts = random.permutation(len(names))[member] % 10
        for part in set(parts):
            seen, unseen = parts != part, parts == part
            curves = [fit(logits[seen], truth[seen]) for fit in (_platt, _temperature, _isotonic)]
            errors.append([(curve(logits[unseen]) - truth[unseen]) ** 2 for curve in curves])
    platt, temperature, isotonic = (float(np.concatenate(one).mean()) for one in zip(*errors, strict=True))
    return BrierScores(round(platt, 4), round(temperature, 4), round(isotonic, 4))


Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _platt(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> Curve:
    curve = fitted_curve(logits, truth)
    return lambda others: np.asarray(expit(curve.slope * others + curve.intercept))


def _temperature(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> Curve:
    signed = np.where(truth, -logits, logits)
    slope = minimize_scalar(lambda one: np.logaddexp(0, one * signed).mean(), bounds=(0.01, 20), method="bounded").x
    return lambda others: np.asarray(expit(slope * others))


def _isotonic(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> Curve:
    steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(logits, truth)
    return lambda others: np.asarray(steps.predict(others))


def operating_points(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[OperatingPoint, ...]:
    """Return high sensitivity (0.95), balanced (Youden) and high specificity (0.95), thresholds never falling.

    A threshold lies midway between two neighbouring scores, so that rounding elsewhere does not move a study over it.
    """
    edges = np.unique(probabilities)
    cuts = (np.concatenate([[0.0], edges]) + np.concatenate([edges, [1.0]])) / 2
    sensitivity = np.array([(probabilities[truth] >= cut).mean() for cut in cuts])
    specificity = np.array([(probabilities[~truth] < cut).mean() for cut in cuts])
    balanced = float(cuts[int(np.argmax(np.round(sensitivity + specificity, 9)))])
    sensitive = min(balanced, float(cuts[sensitivity >= 0.95].max()))
    specific = max(balanced, float(cuts[specificity >= 0.95].min()))
    named = (("high_sensitivity", sensitive), ("balanced", balanced), ("high_specificity", specific))
    return tuple(OperatingPoint(name, round(threshold, 6)) for name, threshold in named)


def auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve: the share of pairs in the right order, ties counting half (Mann-Whitney)."""
    positive = int(truth.sum())
    pairs = positive * (len(truth) - positive)
    if not pairs:
        raise InvalidDataset(f"{positive} of {len(truth)} cases positive, needed some and not all")
    return float((rankdata(scores)[truth].sum() - positive * (positive + 1) / 2) / pairs)
