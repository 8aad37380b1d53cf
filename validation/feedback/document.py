"""What `acuity validate feedback` says about one model, as one JSON object."""

from collections.abc import Sequence

import numpy as np

from validation.feedback.local_calibration import Proposal, proposals
from validation.feedback.sampling import worth_a_look
from validation.feedback.truth import LiveCase
from validation.feedback.verification import begg_greenes
from validation.intervals import Proportion
from validation.shadow_comparison import estimate_object
from validation.statistics.agreement import agreement

BIAS = (
    "Readers answer the AI more often when it flags. Rates among the verified are biased by that: sensitivity too "
    "high, specificity too low. The corrected ones (Begg, Greenes 1983) need verification to depend on the flag alone; "
    "where people answer studies without a flag only when something was missed, their sensitivity is too low. The "
    "studies drawn at random in look_at are the remedy. A verdict is formed with the AI's answer in view: it is an "
    "opinion, no reference standard."
)
CALIBRATION = (
    "Platt's mapping of the logit, figures of studies left out of the fit (ten folds by patient). A proposal changes "
    "nothing by itself: --write makes a new version of the bundle of it, which passes `acuity validate compare` like "
    "any other."
)


def feedback_document(cases: Sequence[LiveCase], sample: int, sensitivity: float) -> dict[str, object]:
    """Return the agreement of model and people, corrected rates, `sample` studies to look at, and proposals."""
    verified = [one for one in cases if one.truth is not None]
    agreed = agreement(
        np.array([one.flagged for one in verified], dtype=np.bool_),
        np.array([bool(one.truth) for one in verified], dtype=np.bool_),
        [one.patient for one in verified],
    )
    return {
        "n_studies": len(cases),
        "n_verified": len(verified),
        "by_report": sum(one.report is not None for one in cases),
        "readers_differ": sum(one.readers_differ for one in cases),
        "agreement": {
            "observed": estimate_object(agreed.observed.estimate),
            "kappa": estimate_object(agreed.kappa),
            "reason": agreed.reason or None,
        },
        "verification": _verification(cases),
        "bias": BIAS,
        "look_at": [
            {
                "study_instance_uid": one.study,
                "probability": round(one.probability, 4),
                "flagged": one.flagged,
                "why": why,
            }
            for one, why in worth_a_look(cases, sample)
        ],
        "local_calibration": [_proposal_object(one) for one in proposals(cases, sensitivity)],
        "calibration_method": CALIBRATION,
    }


def _verification(cases: Sequence[LiveCase]) -> dict[str, object]:
    found = begg_greenes(
        np.array([one.flagged for one in cases], dtype=np.bool_),
        np.array([one.truth is not None for one in cases], dtype=np.bool_),
        np.array([bool(one.truth) for one in cases], dtype=np.bool_),
        [one.patient for one in cases],
    )
    return {
        "flagged": {"n": found.flagged, "verified": found.tp + found.fp, "tp": found.tp, "fp": found.fp},
        "not_flagged": {"n": found.unflagged, "verified": found.fn + found.tn, "fn": found.fn, "tn": found.tn},
        "apparent_sensitivity": estimate_object(found.apparent_sensitivity),
        "apparent_specificity": estimate_object(found.apparent_specificity),
        "corrected_sensitivity": estimate_object(found.sensitivity),
        "corrected_specificity": estimate_object(found.specificity),
        "reason": found.reason or None,
    }


def _proposal_object(one: Proposal) -> dict[str, object]:
    counted: dict[str, object] = {"group": one.group, "n": one.n, "n_positive": one.n_positive}
    if one.now is None or one.proposed is None:
        return {**counted, "proposal": None, "reason": one.reason}
    return {
        **counted,
        "proposal": {
            "slope": round(one.slope, 4),
            "intercept": round(one.intercept, 4),
            "threshold": round(one.threshold, 4),
        },
        "brier_gain": estimate_object(one.gain),
        "is_better": one.is_better,
        "now": _rates(one.now),
        "proposed": _rates(one.proposed),
    }


def _rates(rates: tuple[Proportion, Proportion]) -> dict[str, object]:
    names = ("sensitivity", "specificity")
    return {name: estimate_object(one.estimate) for name, one in zip(names, rates, strict=True)}
