"""Performance without labels: what calibrated scores promise, before and after the prevalence is corrected.

A calibrated score is the probability that the case is positive, so that sums of it count the positives that are
expected above and below a threshold. This holds only while positives look like the positives of the reference and
negatives like its negatives. Where the share of positives has moved, the scores are first moved with it.

Source: J. Białek et al., arXiv 2401.08348 (2024) (expected confusion matrix); M. Saerens et al., Neural Computation 14
(2002) 21-41, equations 2.4 and 2.9 (prevalence).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from triage.errors import InvalidDataset
from validation.intervals import normal_quantile

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

METRICS = ("auc", "sensitivity", "specificity", "ppv")
UNAFFECTED = ("auc", "sensitivity", "specificity")
"""What a change of prevalence alone does not move; ppv moves with it, and is no sign of a worse model."""

LEVEL = 0.05
"""Of the alarms, together."""

FEWEST_DRAWS = 50
EDGE = 1e-9
SAME = 1e-12

ASSUMPTIONS = (
    "Estimated from scores alone, on the assumption that positives and negatives still look like those of the "
    "reference and only their shares may differ (prior shift). With prior correction the share is estimated, without "
    "it it is taken as unchanged. If cases of one class look different (another scanner, other patients, harder "
    "lesions) or the meaning of the label has changed, these figures can be wrong and nothing here can tell: only "
    "labels can."
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Isotonic regression of truth on score: `levels` at the scores `knots`, straight lines between, flat outside."""

    knots: Numbers
    levels: Numbers
    prevalence: float

    def of(self, scores: Numbers) -> Numbers:
        """Return the calibrated probability of each score."""
        return np.interp(scores, self.knots, self.levels)


def calibrate(truth: Flags, scores: Numbers) -> Calibration:
    """Return the isotonic calibration of a labelled reference, equal scores taken together.

    Source: B. Zadrozny, C. Elkan, KDD (2002) 694-699.
    """
    knots, members, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(members, weights=truth) / counts
    levels = optimize.isotonic_regression(shares, weights=counts.astype(np.float64)).x
    return Calibration(knots, levels, float(truth.mean()))


def estimated_prevalence(calibrated: Numbers, reference_prevalence: float) -> float | None:
    """Return the share of positives at which the calibrated scores are most likely; None where scores tell nothing.

    The likelihood is concave in the share; its maximum, where EM would end, is found as the root of its slope.
    """
    positive = calibrated / reference_prevalence
    negative = (1 - calibrated) / (1 - reference_prevalence)
    gain = positive - negative
    if np.abs(gain).max() < SAME:
        return None

    def slope(share: float) -> float:
        return float(np.mean(gain / (share * positive + (1 - share) * negative)))

    if slope(EDGE) <= 0:
        return 0.0
    if slope(1 - EDGE) >= 0:
        return 1.0
    return float(optimize.brentq(slope, EDGE, 1 - EDGE, xtol=1e-10))


def with_prevalence(calibrated: Numbers, reference_prevalence: float, prevalence: float) -> Numbers:
    """Return the probabilities that hold at another prevalence (Saerens 2002, equation 2.4)."""
    positive = calibrated * prevalence / reference_prevalence
    negative = (1 - calibrated) * (1 - prevalence) / (1 - reference_prevalence)
    total = positive + negative
    # A score that was certain of what the new prevalence rules out says nothing any more.
    moved: Numbers = np.where(total > 0, positive / np.where(total > 0, total, 1.0), prevalence)
    return moved


def expected_metrics(probabilities: Numbers, scores: Numbers, threshold: float) -> dict[str, float | None]:
    """Return METRICS as expected when each case is positive with its probability; None where nothing is divided by.

    A score flags when it reaches `threshold`. The AUC is over pairs, equal scores counting one half.
    """
    flagged = scores >= threshold
    tp, fp = float(probabilities[flagged].sum()), float((1 - probabilities[flagged]).sum())
    fn, tn = float(probabilities[~flagged].sum()), float((1 - probabilities[~flagged]).sum())
    return {
        "auc": _expected_auc(probabilities, scores),
        "sensitivity": _share(tp, fn),
        "specificity": _share(tn, fp),
        "ppv": _share(tp, fp),
    }


def _share(part: float, rest: float) -> float | None:
    return part / (part + rest) if part + rest > SAME else None


def _expected_auc(probabilities: Numbers, scores: Numbers) -> float | None:
    _, members = np.unique(scores, return_inverse=True)
    positive = np.bincount(members, weights=probabilities)
    negative = np.bincount(members, weights=1 - probabilities)
    pairs = float(positive.sum() * negative.sum())
    below = np.cumsum(negative) - negative
    return float(positive @ (below + negative / 2)) / pairs if pairs > SAME else None


@dataclass(frozen=True, slots=True)
class Reference:
    """Labelled cases; both kinds are there."""

    truth: Flags
    scores: Numbers

    def __post_init__(self) -> None:
        if self.truth.all() or not self.truth.any():
            kind = "negative" if self.truth.all() else "positive"
            raise InvalidDataset(f"reference: no {kind} case among {len(self.truth)}, needed both kinds")


Figures = Mapping[str, float | None]
Drawn = tuple[Figures, Figures, Figures]
"""With prior correction, without, and of the labelled reference itself."""

Interval = tuple[float, float]
Estimates = Mapping[str, tuple[float | None, Interval | None]]


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """What is estimated about one period; keys are METRICS and `prevalence`, values (estimate, 95 % interval).

    `alarms` are those of UNAFFECTED that differ from the reference with the prior corrected, at a level of 5 % for all
    of them and all periods together (Bonferroni): a change of prevalence alone is none.
    """

    period: str
    n: int
    corrected: Estimates
    uncorrected: Estimates
    alarms: tuple[str, ...]


def estimate_periods(
    reference: Reference, periods: Mapping[str, Numbers], threshold: float, draws: int, seed: int
) -> tuple[PeriodFigures, ...]:
    """Return the figures of each period, intervals by bootstrap of the reference and of the period together.

    Args:
        reference: labelled.
        periods: scores by the name of their period.
        threshold: a score that reaches it flags.
        draws: of the bootstrap; percentiles of them are the interval.
        seed: of the bootstrap.

    Raises:
        InvalidDataset: too few draws for an interval.
    """
    if draws < FEWEST_DRAWS:
        raise InvalidDataset(f"bootstrap: {draws} draws, needed {FEWEST_DRAWS} or more")
    random = np.random.default_rng(seed)
    points = _figures(reference, periods, threshold)
    drawn = []
    for _ in range(draws):
        copies = {name: random.choice(scores, len(scores)) for name, scores in periods.items()}
        drawn.append(_figures(_resampled(reference, random), copies, threshold))
    tests = len(UNAFFECTED) * len(periods)
    return tuple(
        PeriodFigures(
            period=name,
            n=len(periods[name]),
            corrected=_with_intervals(points[name][0], [one[name][0] for one in drawn]),
            uncorrected=_with_intervals(points[name][1], [one[name][1] for one in drawn]),
            alarms=_alarms(points[name], [one[name] for one in drawn], tests),
        )
        for name in periods
    )


def _resampled(reference: Reference, random: np.random.Generator) -> Reference:
    """Return as many cases drawn with replacement, once more if one kind was not drawn."""
    while True:
        rows = random.integers(0, len(reference.truth), len(reference.truth))
        if 0 < int(reference.truth[rows].sum()) < len(rows):
            return Reference(reference.truth[rows], reference.scores[rows])


def _figures(reference: Reference, periods: Mapping[str, Numbers], threshold: float) -> dict[str, Drawn]:
    calibration = calibrate(reference.truth, reference.scores)
    own = expected_metrics(calibration.of(reference.scores), reference.scores, threshold)
    answer: dict[str, Drawn] = {}
    for name, scores in periods.items():
        calibrated = calibration.of(scores)
        found = estimated_prevalence(calibrated, calibration.prevalence)
        moved = calibrated if found is None else with_prevalence(calibrated, calibration.prevalence, found)
        corrected = {**expected_metrics(moved, scores, threshold), "prevalence": found}
        uncorrected = {**expected_metrics(calibrated, scores, threshold), "prevalence": float(calibrated.mean())}
        answer[name] = (corrected, uncorrected, own)
    return answer


def _with_intervals(point: Figures, drawn: Sequence[Figures]) -> Estimates:
    answer: dict[str, tuple[float | None, Interval | None]] = {}
    for name, value in point.items():
        values = [found for one in drawn if (found := one[name]) is not None]
        if value is None or len(values) < FEWEST_DRAWS:
            answer[name] = (value, None)
        else:
            low, high = np.quantile(values, [0.025, 0.975]).tolist()
            answer[name] = (value, (low, high))
    return answer


def _alarms(point: Drawn, drawn: Sequence[Drawn], tests: int) -> tuple[str, ...]:
    found = []
    for name in UNAFFECTED:
        now, before = point[0][name], point[2][name]
        pairs = [(one[0][name], one[2][name]) for one in drawn]
        differences = [a - b for a, b in pairs if a is not None and b is not None]
        if now is None or before is None or len(differences) < FEWEST_DRAWS:
            continue
        if abs(now - before) > normal_quantile(1 - LEVEL / tests) * float(np.std(differences)) + SAME:
            found.append(name)
    return tuple(found)
