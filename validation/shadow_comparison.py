"""A model in the shadow against the one in service, on the same live studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from validation.intervals import LEVEL, Estimate
from validation.statistics.agreement import Agreement, agreement

METHOD = (
    "Cohen's kappa with the interval of its influence values, observed agreement by Clopper-Pearson with the effective "
    "number of cases, mean difference of probabilities (shadow minus served) by Student's t over patients; 95 %, "
    "clustered by patient. Nobody knows the truth of these studies: agreement is no accuracy."
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said about a study: the probability of the finding that speaks for it, and whether it flags."""

    model: str
    probability: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A live study; None where a model did not answer, and `reason` says why the one in the shadow did not."""

    study: str
    patient: str
    served: Said | None
    shadow: Said | None
    reason: str


def shadow_document(pairs: Sequence[Pair]) -> dict[str, object]:
    """Return agreement, differences, and every study that would have been shown otherwise."""
    both = [(one, one.served, one.shadow) for one in pairs if one.served is not None and one.shadow is not None]
    patients = [one.patient for one, _, _ in both]
    found = agreement(
        np.array([served.flagged for _, served, _ in both], dtype=np.bool_),
        np.array([shadow.flagged for _, _, shadow in both], dtype=np.bool_),
        patients,
    )
    differences = np.array([shadow.probability - served.probability for _, served, shadow in both])
    return {
        "n_studies": len(pairs),
        "n_patients": len({one.patient for one in pairs}),
        "both_answered": len(both),
        "only_served_answered": sum(one.served is not None and one.shadow is None for one in pairs),
        "only_shadow_answered": sum(one.served is None and one.shadow is not None for one in pairs),
        "neither_answered": sum(one.served is None and one.shadow is None for one in pairs),
        "agreement": _agreement_object(found),
        "score_difference": _difference(differences, patients),
        "would_have_changed": [_changed(one) for one in pairs if _change_of(one)],
        "against": sorted({served.model for _, served, _ in both}),
        "method": METHOD,
    }


def _agreement_object(found: Agreement) -> dict[str, object]:
    return {
        "both_flag": found.both,
        "only_served_flags": found.only_a,
        "only_shadow_flags": found.only_b,
        "neither_flags": found.neither,
        "observed": estimate_object(found.observed.estimate),
        "kappa": estimate_object(found.kappa),
        "reason": found.reason or None,
    }


def estimate_object(estimate: Estimate) -> dict[str, object] | None:
    """Return a figure and its interval as JSON shows them, None where there is none."""
    if estimate.value is None:
        return None
    interval = None if estimate.interval is None else [round(one, 4) for one in estimate.interval]
    return {"value": round(estimate.value, 4), "ci95": interval}


def _difference(differences: "np.ndarray[tuple[int], np.dtype[np.float64]]", patients: Sequence[str]) -> object:
    if not len(differences):
        return None
    mean = float(differences.mean())
    sums = np.bincount(np.unique(np.array(patients), return_inverse=True)[1], weights=differences - mean)
    interval = None
    if len(sums) > 1:
        error = sqrt(len(sums) / (len(sums) - 1) * float(sums @ sums)) / len(differences)
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(sums) - 1)) * error
        interval = (mean - half, mean + half)
    estimate = estimate_object(Estimate(mean, interval)) or {}
    return {**estimate, "largest": round(float(np.abs(differences).max()), 4), "n": len(differences)}


def _change_of(pair: Pair) -> str:
    served, shadow = pair.served, pair.shadow
    if served is None or shadow is None:
        return "" if served is shadow else "would not answer" if shadow is None else "would answer"
    if served.flagged == shadow.flagged:
        return ""
    return "would flag" if shadow.flagged else "would not flag"


def _changed(pair: Pair) -> dict[str, object]:
    return {
        "study_instance_uid": pair.study,
        "change": _change_of(pair),
        "served_probability": None if pair.served is None else round(pair.served.probability, 4),
        "shadow_probability": None if pair.shadow is None else round(pair.shadow.probability, 4),
        "reason": pair.reason or None,
    }
