"""Curves from scores to probabilities, fitted on cases of known truth, and how well they do on cases left out."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from triage.errors import InvalidDataset
from validation.discrimination import Numbers
from validation.statistics.calibration import fit_logistic, separates
from validation.statistics.scored_cases import ScoredCases, Truth

FOLDS = 10


class Method(Enum):
    """How scores become probabilities."""

    TEMPERATURE = "temperature"
    PLATT = "platt"
    ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve: its parameters by name, and the function from scores to probabilities."""

    method: Method
    parameters: dict[str, object]
    apply: Callable[[Numbers], Numbers]


def fit_curve(method: Method, truth: Truth, scores: Numbers) -> Curve:
    """Return the curve of `method` of greatest likelihood (isotonic: least squares).

    Raises:
        InvalidDataset: the cases do not determine the curve, or temperature is asked of scores that are no logits'.
    """
    if truth.all() or not truth.any():
        raise InvalidDataset(f"truth: every case is {int(truth.all())}, needed both 0 and 1 to fit a curve")
    return {Method.TEMPERATURE: _temperature, Method.PLATT: _platt, Method.ISOTONIC: _isotonic}[method](truth, scores)


def cross_validated(method: Method, cases: ScoredCases, seed: int) -> Numbers:
    """Return for each case its probability by a curve that was fitted without it and without its cluster.

    Clusters are dealt out to ten folds, those with positives and those without each evenly.

    Raises:
        InvalidDataset: as `fit_curve`, for the cases outside a fold.
    """
    folds = _folds(cases, np.random.default_rng(seed))
    probabilities = np.empty_like(cases.scores)
    for fold in np.unique(folds):
        outside = folds != fold
        if not outside.any():
            raise InvalidDataset("case: all in one cluster, needed at least two clusters to leave one out")
        curve = fit_curve(method, cases.truth[outside], cases.scores[outside])
        probabilities[~outside] = curve.apply(cases.scores[~outside])
    return probabilities


def _folds(cases: ScoredCases, random: np.random.Generator) -> NDArray[np.int64]:
    groups = cases.groups
    has_positive = np.bincount(groups, weights=cases.truth) > 0
    fold_of_group = np.empty(len(has_positive), dtype=np.int64)
    for kind in (True, False):
        members = np.flatnonzero(has_positive == kind)
        fold_of_group[random.permutation(members)] = np.arange(len(members)) % FOLDS
    return np.asarray(fold_of_group[groups])


def _temperature(truth: Truth, scores: Numbers) -> Curve:
    """Return the division of logits by one number.

    Source: C. Guo et al., ICML 2017, PMLR 70, 1321-1330, section 4.2.
    """
    if scores.min() <= 0 or scores.max() >= 1:
        raise InvalidDataset(
            f"score: found {scores.min():g} to {scores.max():g}, "
            "needed probabilities above 0 and below 1 for a temperature"
        )
    logits = special.logit(scores)

    def slope_of_loss(inverse: float) -> float:
        return float(np.sum((special.expit(logits * inverse) - truth) * logits))

    # The loss is convex in 1/T: it has its least point where its slope, negative at 0, has become positive.
    if slope_of_loss(0.0) >= 0 or bool(np.all(np.where(truth, logits, -logits) >= 0)):
        raise InvalidDataset("score: no finite temperature above 0 fits best: 0.5 parts the kinds, or scores mislead")
    largest = 1.0
    while slope_of_loss(largest) < 0:
        largest *= 2
    inverse = float(optimize.brentq(slope_of_loss, 0.0, largest, xtol=1e-13))
    return Curve(Method.TEMPERATURE, {"temperature": 1 / inverse}, lambda new: _tempered(new, inverse))


def _tempered(scores: Numbers, inverse: float) -> Numbers:
    return np.asarray(special.expit(special.logit(scores) * inverse))


def _platt(truth: Truth, scores: Numbers) -> Curve:
    """Return the logistic curve of the scores, its targets drawn in by the prior of Platt.

    Source: J. Platt, in Advances in Large Margin Classifiers (1999) 61-74; H. Lin et al., Machine Learning 68 (2007)
    267-276.
    """
    if scores.min() == scores.max():
        raise InvalidDataset(f"score: every case has {scores[0]:g}, needed different scores to fit a curve")
    positives, negatives = int(truth.sum()), int((~truth).sum())
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = fit_logistic(scores, targets)
    return Curve(
        Method.PLATT,
        {"slope": slope, "intercept": intercept},
        lambda new: np.asarray(special.expit(slope * new + intercept)),
    )


def _isotonic(truth: Truth, scores: Numbers) -> Curve:
    """Return the rising step function of least squares, straight between its corners and level beyond them.

    Source: B. Zadrozny, C. Elkan, KDD 2002, 694-699; pool adjacent violators, R. Barlow et al. (1972).
    """
    values, members = np.unique(scores, return_inverse=True)
    counts = np.bincount(members).astype(np.float64)
    shares = np.bincount(members, weights=truth) / counts
    fitted = np.asarray(optimize.isotonic_regression(shares, weights=counts).x)
    kept = np.ones(len(values), dtype=np.bool_)
    kept[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    xs, ys = values[kept], fitted[kept]
    parameters: dict[str, object] = {"scores": xs.tolist(), "probabilities": ys.tolist()}
    return Curve(Method.ISOTONIC, parameters, lambda new: np.asarray(np.interp(new, xs, ys)))


def is_separated(cases: ScoredCases) -> bool:
    """Return whether one threshold parts the kinds."""
    return separates(cases.truth, cases.scores)
