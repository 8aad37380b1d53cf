"""What `acuity stats sample-size` says about a study that is planned, as one JSON object."""

from dataclasses import asdict, dataclass
from math import ceil

from triage.errors import InvalidSetting
from validation.statistics.planning import (
    ALPHA,
    NON_INFERIORITY_ALPHA,
    cases_for_exact_half_width,
    cases_for_half_width,
    cases_for_rate_non_inferiority,
    positives_for_auc,
    positives_for_auc_half_width,
    positives_for_auc_non_inferiority,
)

Document = dict[str, object]
PROBABILITIES = ("sensitivity", "specificity", "auc", "null_auc", "half_width", "power", "margin", "prevalence",
                 "discordant")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is expected and wanted; exactly one of sensitivity, specificity and auc, the rest where it applies.

    Attributes:
        sensitivity: expected.
        specificity: expected.
        auc: expected.
        null_auc: that the test must tell it from.
        half_width: of the 95 % interval that is wanted.
        power: that is wanted of a test.
        margin: of non-inferiority.
        discordant: share of cases on which two readings of the same cases differ.
        correlation: of two AUCs of the same cases.
        ratio: negatives to each positive.
        prevalence: share of positives among the cases that come, for the total.
    """

    sensitivity: float | None = None
    specificity: float | None = None
    auc: float | None = None
    null_auc: float = 0.5
    half_width: float | None = None
    power: float | None = None
    margin: float | None = None
    discordant: float | None = None
    correlation: float = 0.0
    ratio: float = 1.0
    prevalence: float | None = None


def sample_size_document(plan: Plan) -> Document:
    """Return how many cases the plan needs, rounded up, and the method that says so.

    Raises:
        InvalidSetting: the plan asks for nothing, for two things at once, or is out of range.
    """
    _require_sound(plan)
    if plan.auc is not None:
        return _of_auc(plan, plan.auc)
    if plan.sensitivity is not None:
        return _of_rate(plan, plan.sensitivity, "positive", plan.prevalence)
    share = None if plan.prevalence is None else 1 - plan.prevalence
    return _of_rate(plan, plan.specificity or 0.0, "negative", share)


def _of_rate(plan: Plan, rate: float, among: str, share: float | None) -> Document:
    if plan.margin is not None:
        power = plan.power or 0.8
        needed = _rounded_up(cases_for_rate_non_inferiority(rate, plan.margin, power, plan.discordant))
        design = "the same cases" if plan.discordant is not None else "in each of two groups"
        method = f"non-inferiority of a rate, one-sided {NON_INFERIORITY_ALPHA}, {design}"
        return {"method": method, f"n_{among}": needed, "power": power, **_total(needed, share), **_echo(plan)}
    if plan.half_width is None:
        raise InvalidSetting("sample-size: a rate alone, needed --half-width, or --non-inferiority and --power")
    needed = _rounded_up(cases_for_half_width(rate, plan.half_width))
    return {
        "method": "half width of the 95 % interval: normal (Buderer 1996); exact: expected Clopper-Pearson",
        f"n_{among}": needed,
        f"n_{among}_exact": cases_for_exact_half_width(rate, plan.half_width),
        **_total(needed, share),
        **_echo(plan),
    }


def _of_auc(plan: Plan, auc: float) -> Document:
    power = plan.power or 0.8
    if plan.margin is not None:
        exact = positives_for_auc_non_inferiority(auc, plan.margin, power, plan.ratio, plan.correlation)
        method = f"non-inferiority of an AUC, one-sided {NON_INFERIORITY_ALPHA}, Obuchowski and McClish (1997)"
    elif plan.half_width is not None:
        exact = positives_for_auc_half_width(auc, plan.half_width, plan.ratio)
        method = "half width of the 95 % interval of an AUC, Obuchowski and McClish (1997)"
    elif plan.power is not None:
        exact = positives_for_auc(auc, plan.null_auc, power, plan.ratio)
        method = f"test of an AUC, two-sided {ALPHA}, Obuchowski and McClish (1997)"
    else:
        raise InvalidSetting("sample-size: --auc alone, needed --power, --half-width or --non-inferiority")
    positives, negatives = _rounded_up(exact), _rounded_up(exact * plan.ratio)
    return {
        "method": method,
        "n_positive": positives,
        "n_negative": negatives,
        "n": positives + negatives,
        "n_positive_before_rounding": exact,
        **({"power": power} if plan.half_width is None else {}),
        **({} if plan.prevalence is None else {"n_at_prevalence": _rounded_up(positives / plan.prevalence)}),
        **_echo(plan),
    }


def _require_sound(plan: Plan) -> None:
    asked = [name for name in ("sensitivity", "specificity", "auc") if getattr(plan, name) is not None]
    if len(asked) != 1:
        found = " and ".join(f"--{name}" for name in asked) or "nothing"
        raise InvalidSetting(f"sample-size: found {found}, needed one of --sensitivity, --specificity and --auc")
    for name in PROBABILITIES:
        value = getattr(plan, name)
        if value is not None and not 0 < value < 1:
            raise InvalidSetting(f"sample-size: {name.replace('_', '-')}: found {value:g}, needed above 0 and below 1")
    if plan.auc is not None and plan.power is not None and plan.margin is None and plan.auc <= plan.null_auc:
        raise InvalidSetting(f"sample-size: auc: found {plan.auc:g}, needed more than --null-auc {plan.null_auc:g}")
    if not 0 <= plan.correlation < 1:
        raise InvalidSetting(f"sample-size: correlation: found {plan.correlation:g}, needed from 0 to below 1")
    if not 0 < plan.ratio < 1e6:
        raise InvalidSetting(f"sample-size: ratio: found {plan.ratio:g}, needed above 0")
    if plan.half_width is not None and (plan.power is not None or plan.margin is not None):
        raise InvalidSetting("sample-size: found --half-width with --power or --non-inferiority, needed one aim")
    if plan.half_width is not None and plan.half_width < 1e-3:
        raise InvalidSetting(f"sample-size: half-width: found {plan.half_width:g}, needed at least 0.001")


def _total(needed: int, share: float | None) -> Document:
    return {} if share is None else {"n": _rounded_up(needed / share)}


def _echo(plan: Plan) -> Document:
    """Return what was asked, so that the number stands beside its assumptions."""
    return {"assumed": {name: value for name, value in asdict(plan).items() if value is not None}}


def _rounded_up(number: float) -> int:
    # A whole number that rounding left a hair too large must not become the next one.
    return ceil(number - 1e-9)
