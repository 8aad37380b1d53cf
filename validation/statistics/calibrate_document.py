"""What `acuity stats calibrate` says about a curve from scores to probabilities, as one JSON object."""

from math import isinf

from triage.errors import InvalidDataset
from validation.discrimination import Numbers
from validation.statistics.calibration import brier_score, cox_fit, expected_calibration_error, log_loss
from validation.statistics.recalibration import FOLDS, Method, cross_validated, fit_curve
from validation.statistics.scored_cases import ScoredCases, Truth

Document = dict[str, object]


def calibrate_document(cases: ScoredCases, method: Method, seed: int) -> Document:
    """Return the curve that all cases give, and how good probabilities are before it and by it.

    `in_sample` flatters, since the same cases fitted the curve; `cross_validated` does not.

    Raises:
        InvalidDataset: the cases do not determine the curve.
    """
    reasons: dict[str, str] = {}
    curve = fit_curve(method, cases.truth, cases.scores)
    left_out = None
    try:
        left_out = _quality(cases.truth, cross_validated(method, cases, seed))
    except InvalidDataset as error:
        reasons["cross_validated"] = f"a fold left too little: {error}"
    if cases.outside is not None:
        reasons["before"] = cases.outside
    return {
        "method": method.value,
        "n": len(cases.names),
        "n_positive": int(cases.truth.sum()),
        **curve.parameters,
        "before": None if cases.outside is not None else _quality(cases.truth, cases.scores),
        "in_sample": _quality(cases.truth, curve.apply(cases.scores)),
        "cross_validated": left_out,
        "folds": FOLDS,
        "seed": seed,
        "reasons": reasons,
    }


def _quality(truth: Truth, probabilities: Numbers) -> Document:
    loss, cox = log_loss(truth, probabilities), cox_fit(truth, probabilities)
    return {
        "brier": brier_score(truth, probabilities),
        "ece10": expected_calibration_error(truth, probabilities),
        # JSON has no infinity: a case that was called impossible leaves no finite loss.
        "log_loss": None if isinf(loss) else loss,
        "calibration_slope": cox.slope,
        "calibration_intercept": cox.intercept,
    }
