"""Probability and threshold refitted on local truth, all together and for each site and scanner; a proposal only."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import special, stats

from triage.errors import InvalidDataset
from validation.discrimination import Numbers
from validation.feedback.truth import LiveCase
from validation.intervals import LEVEL, Estimate, Proportion, clustered_proportion
from validation.statistics.recalibration import Method, cross_validated, fit_curve
from validation.statistics.scored_cases import ScoredCases

ALL = "all"
NO_GAIN = Estimate(None, None)
FEWEST_OF_A_KIND = 20
SEED = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """New probability = expit(slope · logit(old) + intercept), flagged from `threshold` on.

    `gain` is the fall of the Brier score on studies left out of the fit. Sensitivity and specificity are of the studies
    left out, too, now and by the proposal. `reason` says why there is none.
    """

    group: str
    n: int
    n_positive: int
    reason: str
    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    gain: Estimate = NO_GAIN
    now: tuple[Proportion, Proportion] | None = None
    proposed: tuple[Proportion, Proportion] | None = None

    @property
    def is_better(self) -> bool:
        """Whether the whole interval of the gain lies above zero."""
        return self.gain.interval is not None and self.gain.interval[0] > 0


def proposals(cases: Sequence[LiveCase], sensitivity: float) -> list[Proposal]:
    """Return a proposal for all verified studies, and for each site and scanner with 20 of each kind.

    The threshold is the highest at which the left-out studies keep `sensitivity`, 0 < sensitivity <= 1.
    """
    known = [one for one in cases if one.truth is not None]
    groups = {ALL: known}
    for one in known:
        for name in (f"site: {one.site}" if one.site else "", f"scanner: {one.scanner}" if one.scanner else ""):
            if name:
                groups.setdefault(name, []).append(one)
    return [_proposal(name, members, sensitivity) for name, members in sorted(groups.items())]


def _proposal(group: str, cases: Sequence[LiveCase], sensitivity: float) -> Proposal:
    truth = np.array([bool(one.truth) for one in cases], dtype=np.bool_)
    n, positives = len(cases), int(truth.sum())
    if min(positives, n - positives) < FEWEST_OF_A_KIND:
        return Proposal(group, n, positives, f"needed {FEWEST_OF_A_KIND} positives and as many negatives")
    old = np.clip(np.array([one.probability for one in cases]), 1e-6, 1 - 1e-6)
    patients = tuple(one.patient for one in cases)
    scored = ScoredCases(tuple(one.study for one in cases), truth, special.logit(old), patients)
    try:
        curve = fit_curve(Method.PLATT, truth, scored.scores)
        left_out = cross_validated(Method.PLATT, scored, SEED)
    except InvalidDataset as error:
        return Proposal(group, n, positives, str(error))
    threshold = float(np.quantile(left_out[truth], 1 - sensitivity, method="lower"))
    flags_now = np.array([one.flagged for one in cases], dtype=np.bool_)
    return Proposal(
        group=group,
        n=n,
        n_positive=positives,
        reason="",
        slope=_number(curve.parameters["slope"]),
        intercept=_number(curve.parameters["intercept"]),
        threshold=threshold,
        gain=_mean_of((old - truth) ** 2 - (left_out - truth) ** 2, patients),
        now=_rates(flags_now, truth, patients),
        proposed=_rates(left_out >= threshold, truth, patients),
    )


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value


def _rates(
    flagged: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    truth: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    patients: Sequence[str],
) -> tuple[Proportion, Proportion]:
    def share(kind: bool) -> Proportion:
        members = [patient for patient, one in zip(patients, truth.tolist(), strict=True) if one is kind]
        return clustered_proportion((flagged == truth)[truth == kind].tolist(), members)

    return share(True), share(False)


def _mean_of(values: Numbers, clusters: Sequence[str]) -> Estimate:
    """Return the mean with Student's interval over clusters."""
    mean = float(values.mean())
    sums = np.bincount(np.unique(np.array(clusters), return_inverse=True)[1], weights=values - mean)
    if len(sums) < 2:
        return Estimate(mean, None)
    error = sqrt(len(sums) / (len(sums) - 1) * float(sums @ sums)) / len(values)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(sums) - 1)) * error
    return Estimate(mean, (mean - half, mean + half))
