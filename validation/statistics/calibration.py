"""Whether probabilities mean what they say: of the cases at 0.3, three in ten should be positive.

Every function takes the truth of each case and its probability of being positive, in [0, 1], and at least one case.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, special, stats

from validation.discrimination import Numbers
from validation.intervals import LEVEL, Interval, wilson
from validation.statistics.scored_cases import Truth

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The cases whose probability lies in (low, high]; `interval` is the Wilson interval of the share of positives."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_positive: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class CoxFit:
    """The logistic regression of truth on the logit of the probability; all None, with the reason, where none exists.

    `slope` and `intercept` are fitted together; `in_the_large` is the intercept where the slope is held at one.
    """

    slope: float | None
    intercept: float | None
    in_the_large: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Spiegelhalter:
    """The test that all probabilities are right; `p` is two-sided."""

    z: float
    p: float


def brier_score(truth: Truth, probabilities: Numbers) -> float:
    """Return the mean squared distance of probability and truth.

    Source: G. Brier, Monthly Weather Review 78 (1950) 1-3, in its form for two outcomes, from 0 to 1.
    """
    return float(np.mean((probabilities - truth) ** 2))


def log_loss(truth: Truth, probabilities: Numbers) -> float:
    """Return the mean negative log likelihood, infinite where a case was called impossible that is not.

    Source: I. Good, Journal of the Royal Statistical Society B 14 (1952) 107-114.
    """
    return float(-np.mean(np.where(truth, _log(probabilities), _log(1 - probabilities))))


def reliability(truth: Truth, probabilities: Numbers, level: float = LEVEL) -> list[Bin]:
    """Return the bins of equal width that hold cases; a probability of 0 belongs to the first.

    Source: C. Guo et al., ICML 2017, PMLR 70, 1321-1330, section 2, for the probability of being positive.
    """
    numbers = np.maximum(np.ceil(probabilities * BINS).astype(np.int64) - 1, 0)
    found = []
    for number in np.unique(numbers):
        members = numbers == number
        n, positives = int(members.sum()), int(truth[members].sum())
        mean = float(probabilities[members].mean())
        interval = wilson(positives, n, level)
        found.append(Bin(number / BINS, (number + 1) / BINS, n, mean, positives / n, interval))
    return found


def expected_calibration_error(truth: Truth, probabilities: Numbers) -> float:
    """Return the mean distance of probability and share of positives over ten bins, weighted by their cases.

    Source: M. Naeini et al., AAAI 2015, 2901-2907; the bins are those of `reliability`.
    """
    bins = reliability(truth, probabilities)
    return sum(one.n * abs(one.mean_probability - one.share_positive) for one in bins) / len(truth)


def spiegelhalter(truth: Truth, probabilities: Numbers) -> Spiegelhalter | None:
    """Return Spiegelhalter's z, or None where every probability is 0, 0.5 or 1, which give it no variance.

    Source: D. Spiegelhalter, Statistics in Medicine 5 (1986) 421-433.
    """
    variance = float(np.sum((1 - 2 * probabilities) ** 2 * probabilities * (1 - probabilities)))
    if variance == 0.0:
        return None
    z = float(np.sum((truth - probabilities) * (1 - 2 * probabilities))) / sqrt(variance)
    return Spiegelhalter(z, float(2 * stats.norm.sf(abs(z))))


def cox_fit(truth: Truth, probabilities: Numbers) -> CoxFit:
    """Return slope and intercept of the recalibration of D. Cox, 1 and 0 for calibrated probabilities.

    Source: D. Cox, Biometrika 45 (1958) 562-565; in the large: B. Van Calster et al., BMC Medicine 17 (2019) 230.
    """
    if truth.all() or not truth.any():
        return CoxFit(None, None, None, "cases of one kind alone")
    if probabilities.min() <= 0 or probabilities.max() >= 1:
        return CoxFit(None, None, None, "a probability of exactly 0 or 1 has no logit")
    logits = special.logit(probabilities)
    in_the_large = _intercept_at_slope_one(truth, logits)
    if logits.max() == logits.min():
        return CoxFit(None, None, in_the_large, "every probability is the same")
    if separates(truth, logits):
        return CoxFit(None, None, in_the_large, "a threshold separates both kinds, the slope is infinite")
    slope, intercept = fit_logistic(logits, truth.astype(np.float64))
    return CoxFit(slope, intercept, in_the_large, "")


def separates(truth: Truth, values: Numbers) -> bool:
    """Return whether one threshold parts the kinds, ties at it allowed: then no finite logistic slope is the best."""
    of_positives, of_negatives = values[truth], values[~truth]
    return bool(of_negatives.max() <= of_positives.min() or of_positives.max() <= of_negatives.min())


def fit_logistic(values: Numbers, targets: Numbers) -> tuple[float, float]:
    """Return slope and intercept of the logistic curve of greatest likelihood; `targets` lie in [0, 1].

    Source: Newton's method, as in P. McCullagh, J. Nelder, Generalized Linear Models, 2nd ed. (1989), 4.4.
    """
    # On values of mean 0 and deviation 1 the Hessian is well conditioned, whatever the scale of the scores.
    middle, spread = float(values.mean()), float(values.std())
    design = np.stack([(values - middle) / spread, np.ones_like(values)], axis=1)

    def loss(weights: Numbers) -> float:
        linear = design @ weights
        return float(np.sum(np.logaddexp(0.0, linear) - targets * linear))

    def gradient(weights: Numbers) -> Numbers:
        return np.asarray(design.T @ (special.expit(design @ weights) - targets))

    def hessian(weights: Numbers) -> Numbers:
        fitted = special.expit(design @ weights)
        return np.asarray(design.T @ (design * (fitted * (1 - fitted))[:, np.newaxis]))

    found = optimize.minimize(loss, np.zeros(2), jac=gradient, hess=hessian, method="trust-exact", tol=1e-10)
    slope = float(found.x[0]) / spread
    return slope, float(found.x[1]) - slope * middle


def _intercept_at_slope_one(truth: Truth, logits: Numbers) -> float:
    """Return the shift of all logits at which as many positives are expected as there are."""
    reach = float(np.abs(logits).max()) + 2 * float(np.log(len(truth) + 1))
    return float(optimize.brentq(lambda shift: float(np.sum(special.expit(logits + shift) - truth)), -reach, reach))


def _log(values: Numbers) -> Numbers:
    with np.errstate(divide="ignore"):
        return np.log(values)
