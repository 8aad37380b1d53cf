"""What `acuity stats roc` says about scored cases, as one JSON object."""

from dataclasses import dataclass

from validation.discrimination import Numbers, RocArea, roc_area
from validation.intervals import normal_quantile
from validation.statistics.at_threshold import Share, net_benefit, predictive_values, rates
from validation.statistics.bootstrap import area_of_samples, bootstrap, of_samples
from validation.statistics.calibration import (
    brier_score,
    cox_fit,
    expected_calibration_error,
    reliability,
    spiegelhalter,
)
from validation.statistics.partial_area import partial_area
from validation.statistics.scored_cases import ScoredCases, Truth

LEVEL = 0.95
Document = dict[str, object]
OF_PROBABILITIES = ("brier", "ece10", "calibration_slope", "calibration_intercept", "calibration_in_the_large",
                    "spiegelhalter_z", "spiegelhalter_p", "reliability")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RocRequest:
    """What is asked beside the figures that are always given; None asks for nothing.

    Attributes:
        threshold: a score that flags; gives counts and rates.
        prevalence: gives the predictive values that the threshold would have there.
        net_benefit: threshold probabilities.
        specificity: the range of the partial area.
        bootstrap: asks for percentile intervals, drawn with `seed`.
        seed: of the bootstrap.
    """

    threshold: float | None = None
    prevalence: float | None = None
    net_benefit: tuple[float, ...] = ()
    specificity: tuple[float, float] | None = None
    bootstrap: bool = False
    seed: int = 1


def roc_document(cases: ScoredCases, request: RocRequest) -> Document:
    """Return the figures; what cannot be given is null, and `reasons` says why."""
    reasons: dict[str, str] = {}
    found = roc_area(cases.truth.tolist(), cases.scores.tolist(), cases.clusters, LEVEL)
    document = _area(found, reasons) | _calibration(cases, reasons)
    if cases.clusters is not None:
        document["n_clusters"] = len(set(cases.clusters))
    if request.threshold is not None:
        document |= _at_threshold(cases, request.threshold, request.prevalence, reasons)
    if request.net_benefit:
        document["net_benefit"] = _net_benefit(cases, request.net_benefit, reasons)
    if request.specificity is not None:
        document["partial_auc"] = _partial(cases, request)
    if request.bootstrap:
        drawn = bootstrap(cases, area_of_samples(cases), request.seed)
        document["bootstrap"] = {"ci95": drawn.interval, "draws": drawn.draws, "seed": drawn.seed}
    return document | {"reasons": reasons}


def share_document(share: Share) -> Document:
    """Return a proportion with its intervals; `clustered` only where cases have clusters."""
    document: Document = {
        "value": share.value,
        "clopper_pearson": share.clopper_pearson,
        "wilson": share.wilson,
        "successes": share.successes,
        "trials": share.trials,
    }
    return document if share.clustered is None else document | {"clustered": share.clustered}


def _area(found: RocArea, reasons: dict[str, str]) -> Document:
    area, error = found.estimate.value, found.standard_error
    plain = None
    if area is None:
        reasons["auc"] = f"{found.n_positive} of {found.n} cases are positive, needed both kinds"
    elif error is None:
        reasons["ci95"] = "one case or cluster of a kind has no variance, needed two of each"
    else:
        half = normal_quantile(LEVEL) * error
        plain = (max(0.0, area - half), min(1.0, area + half))
        if error == 0.0:
            reasons["ci95_logit"] = "the variance of DeLong is 0; this is the score interval of Newcombe (2006)"
    return {
        "n": found.n,
        "n_positive": found.n_positive,
        "auc": area,
        "auc_se": error,
        "ci95": plain,
        "ci95_logit": found.estimate.interval,
    }


def _calibration(cases: ScoredCases, reasons: dict[str, str]) -> Document:
    if cases.outside is not None:
        reasons |= dict.fromkeys(OF_PROBABILITIES, cases.outside)
        return dict.fromkeys(OF_PROBABILITIES)
    cox, test = cox_fit(cases.truth, cases.scores), spiegelhalter(cases.truth, cases.scores)
    if cox.reason:
        reasons |= dict.fromkeys(("calibration_slope", "calibration_intercept"), cox.reason)
    if cox.in_the_large is None:
        reasons["calibration_in_the_large"] = cox.reason
    if test is None:
        reasons["spiegelhalter_z"] = "every probability is 0, 0.5 or 1: no variance"
    return {
        "brier": brier_score(cases.truth, cases.scores),
        "ece10": expected_calibration_error(cases.truth, cases.scores),
        "calibration_slope": cox.slope,
        "calibration_intercept": cox.intercept,
        "calibration_in_the_large": cox.in_the_large,
        "spiegelhalter_z": None if test is None else test.z,
        "spiegelhalter_p": None if test is None else test.p,
        "reliability": [
            {
                "above": one.low,
                "to": one.high,
                "n": one.n,
                "mean_probability": one.mean_probability,
                "share_positive": one.share_positive,
                "wilson": one.interval,
            }
            for one in reliability(cases.truth, cases.scores, LEVEL)
        ],
    }


def _at_threshold(cases: ScoredCases, threshold: float, prevalence: float | None, reasons: dict[str, str]) -> Document:
    found = rates(cases, threshold, LEVEL)
    sensitivity, specificity = found["sensitivity"], found["specificity"]
    for name, one in found.items():
        if one.value is None:
            reasons[name] = "no case to divide by"
    document: Document = {
        "threshold": threshold,
        "tp": sensitivity.successes,
        "fp": specificity.trials - specificity.successes,
        "tn": specificity.successes,
        "fn": sensitivity.trials - sensitivity.successes,
    }
    document |= {name: share_document(one) for name, one in found.items()}
    if prevalence is not None:
        ppv, npv = predictive_values(sensitivity, specificity, prevalence, LEVEL)
        document["at_prevalence"] = {
            "prevalence": prevalence,
            "ppv": {"value": ppv.value, "ci95": ppv.interval},
            "npv": {"value": npv.value, "ci95": npv.interval},
        }
    return document


def _net_benefit(cases: ScoredCases, thresholds: tuple[float, ...], reasons: dict[str, str]) -> list[Document] | None:
    if cases.outside is not None:
        reasons["net_benefit"] = cases.outside
        return None
    found = [net_benefit(cases.truth, cases.scores, threshold) for threshold in thresholds]
    return [{"threshold": one.threshold, "model": one.model, "treat_all": one.treat_all} for one in found]


def _partial(cases: ScoredCases, request: RocRequest) -> Document:
    low, high = request.specificity or (0.0, 1.0)
    found = partial_area(cases.truth.tolist(), cases.scores.tolist(), low, high)
    document: Document = {"specificity": found.specificity, "raw": found.raw, "corrected": found.corrected}
    if request.bootstrap and found.raw is not None:
        raw = of_samples(cases, lambda truth, scores: _raw(truth, scores, low, high))
        drawn = bootstrap(cases, raw, request.seed)
        document["ci95_raw"] = drawn.interval
    return document


def _raw(truth: Truth, scores: Numbers, low: float, high: float) -> float:
    return partial_area(truth.tolist(), scores.tolist(), low, high).raw or 0.0
