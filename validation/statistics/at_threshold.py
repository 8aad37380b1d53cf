"""What a locked threshold does: counts, shares with intervals, predictive values at another prevalence, net benefit."""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy import special

from validation.discrimination import Numbers
from validation.intervals import LEVEL, Interval, clopper_pearson, clustered_proportion, normal_quantile, wilson
from validation.statistics.scored_cases import ScoredCases, Truth


@dataclass(frozen=True, slots=True)
class Share:
    """`successes` of `trials`; value and intervals are None without trials, `clustered` also without clusters."""

    successes: int
    trials: int
    value: float | None
    clopper_pearson: Interval | None
    wilson: Interval | None
    clustered: Interval | None


@dataclass(frozen=True, slots=True)
class Predictive:
    """A predictive value with its interval; None where the rate that it divides by is zero."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Net benefit per case of flagging by the model, and of flagging everybody."""

    threshold: float
    model: float
    treat_all: float


def share(successes: int, trials: int, level: float = LEVEL) -> Share:
    """Return a proportion of independent cases with its exact and its score interval."""
    if trials == 0:
        return Share(0, 0, None, None, None, None)
    exact, score = clopper_pearson(successes, trials, level), wilson(successes, trials, level)
    return Share(successes, trials, successes / trials, exact, score, None)


def rates(cases: ScoredCases, threshold: float, level: float = LEVEL) -> dict[str, Share]:
    """Return sensitivity, specificity, ppv and npv; a case is flagged when its score reaches `threshold`.

    With clusters each share has one interval more, by the effective number of cases (see `clustered_proportion`); the
    other two hold for independent cases alone.
    """
    flagged = cases.scores >= threshold
    of = {
        "sensitivity": (flagged, cases.truth),
        "specificity": (~flagged, ~cases.truth),
        "ppv": (cases.truth, flagged),
        "npv": (~cases.truth, ~flagged),
    }
    return {name: _share_among(cases, right, among, level) for name, (right, among) in of.items()}


def predictive_values(
    sensitivity: Share, specificity: Share, prevalence: float, level: float = LEVEL
) -> tuple[Predictive, Predictive]:
    """Return PPV and NPV at a prevalence other than that of the cases, 0 < prevalence < 1.

    The interval is the logit one; where sensitivity or specificity is 0 or 1 it is the adjusted logit one, for which
    z²/2 right and z²/2 wrong cases are added to each.

    Source: N. Mercaldo et al., Statistics in Medicine 26 (2007) 2170-2183.
    """
    if sensitivity.value is None or specificity.value is None:
        return Predictive(None, None), Predictive(None, None)
    odds = log(prevalence / (1 - prevalence))
    rates_found = (sensitivity.value, specificity.value)
    extra = normal_quantile(level) ** 2 if {*rates_found} & {0.0, 1.0} else 0.0
    sizes = (sensitivity.trials + extra, specificity.trials + extra)
    se = (sensitivity.successes + extra / 2) / sizes[0]
    sp = (specificity.successes + extra / 2) / sizes[1]
    z = normal_quantile(level)
    spread_ppv = z * sqrt((1 - se) / se / sizes[0] + sp / (1 - sp) / sizes[1])
    spread_npv = z * sqrt(se / (1 - se) / sizes[0] + (1 - sp) / sp / sizes[1])
    middle_ppv, middle_npv = log(se / (1 - sp)) + odds, log(sp / (1 - se)) - odds
    true_positive, false_positive = prevalence * rates_found[0], (1 - prevalence) * (1 - rates_found[1])
    true_negative, false_negative = (1 - prevalence) * rates_found[1], prevalence * (1 - rates_found[0])
    return (
        _predictive(true_positive, false_positive, middle_ppv, spread_ppv),
        _predictive(true_negative, false_negative, middle_npv, spread_npv),
    )


def net_benefit(truth: Truth, probabilities: Numbers, threshold: float) -> NetBenefit:
    """Return the net benefit at a threshold probability, 0 < threshold < 1: TP/n - FP/n * threshold/(1 - threshold).

    Source: A. Vickers, E. Elkin, Medical Decision Making 26 (2006) 565-574.
    """
    weight = threshold / (1 - threshold)
    flagged = probabilities >= threshold
    prevalence = float(truth.mean())
    model = float(np.mean(flagged & truth) - weight * np.mean(flagged & ~truth))
    return NetBenefit(threshold, model, prevalence - weight * (1 - prevalence))


def _share_among(cases: ScoredCases, right: Truth, among: Truth, level: float) -> Share:
    found = share(int((right & among).sum()), int(among.sum()), level)
    if cases.clusters is None or found.trials == 0:
        return found
    members = [name for name, chosen in zip(cases.clusters, among.tolist(), strict=True) if chosen]
    clustered = clustered_proportion(right[among].tolist(), members, level).estimate.interval
    return Share(found.successes, found.trials, found.value, found.clopper_pearson, found.wilson, clustered)


def _predictive(right: float, wrong: float, middle: float, spread: float) -> Predictive:
    if right + wrong == 0:
        return Predictive(None, None)
    low, high = special.expit([middle - spread, middle + spread])
    return Predictive(right / (right + wrong), (float(low), float(high)))
