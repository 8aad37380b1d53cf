"""Performance from labels that come late: by the date of the study, with the share that has its label by now.

Readers' answers are the labels: `missed` among studies in which they found something, `false_flag` among the others.
Neither moves with prevalence. Which studies get an answer is not by chance, so each figure stands beside its share.

Sources: change point and its likelihood set, D. Siegmund, International Statistical Review 56 (1988) 31-48; the test
that may be looked at daily, a mixture of likelihood ratios (H. Robbins, Annals of Mathematical Statistics 41 (1970)
1397-1409) whose inverse is at any time at most as probable as its value (Ville 1939).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray
from scipy import special

from triage.surveillance import StudyRecord
from validation.intervals import Estimate, Proportion, clopper_pearson

Numbers = NDArray[np.float64]

ERRORS = {"sensitivity": "missed", "specificity": "false_flag"}
"""Each figure with the event that speaks against it."""

SET_DEPTH = 2.9957
"""The logarithm of 20: a day is in the set while its log likelihood is less than this below the largest."""

WORTH_TELLING = 20.0
"""An e-value that is reached by chance in at most one of 20 whole histories."""

SMALLEST_TAIL, LARGEST_EXPONENT = 1e-250, 700.0
"""Beyond them the machine's numbers end."""


@dataclass(frozen=True, slots=True)
class LabelledPeriod:
    """One week by date of study: `labelled` of `studies` that a model answered have a reader's answer."""

    begins: date
    studies: int
    labelled: int
    sensitivity: Proportion
    specificity: Proportion


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The most likely first day of another rate, the days that are nearly as likely, and the rates around it."""

    first_day: date
    earliest: date
    latest: date
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class LabelledFigure:
    """A figure over the whole time, where it most likely changed, and the evidence that it is below the claim.

    `e_value` may be looked at each day: were the claim true, it would ever reach 20 in at most 5 % of histories.
    `claim` is None where none was given.
    """

    name: str
    value: Proportion
    change: ChangePoint | None
    claim: float | None
    e_value: float | None

    @property
    def is_below_claim(self) -> bool:
        """Whether the labels speak against the claim."""
        return self.e_value is not None and self.e_value >= WORTH_TELLING


@dataclass(frozen=True, slots=True)
class LabelledPerformance:
    """What labels say about one model by now."""

    studies: int
    labelled: int
    periods: tuple[LabelledPeriod, ...]
    figures: tuple[LabelledFigure, ...]


def labelled_performance(
    records: Sequence[StudyRecord], zone: tzinfo, claims: dict[str, float] | None = None
) -> LabelledPerformance:
    """Return the performance of the answered records by week of the study, and over all of them.

    Args:
        records: of one model version.
        zone: whose days they are.
        claims: sensitivity and specificity that the model was released with, as far as they are to be tested.
    """
    answered = sorted((one for one in records if "flagged" in one.events), key=lambda one: one.received_at)
    days = [one.received_at.astimezone(zone).date() for one in answered]
    weeks = [day - timedelta(days=day.weekday()) for day in days]
    periods = []
    for week in sorted(set(weeks)):
        own = [one for one, begins in zip(answered, weeks, strict=True) if begins == week]
        periods.append(LabelledPeriod(week, len(own), _labelled(own), *(_right(own, e) for e in ERRORS.values())))
    figures = tuple(_figure(name, answered, days, (claims or {}).get(name)) for name in ERRORS)
    return LabelledPerformance(len(answered), _labelled(answered), tuple(periods), figures)


def change_point(events: Sequence[bool], days: Sequence[date]) -> ChangePoint | None:
    """Return where the rate of `events` most likely changed; None where no change is worth telling.

    A change is worth telling when its log likelihood ratio exceeds what 5 % of histories without one reach
    (a bound over all days: log(20) plus the log of the number of days).
    """
    happened = np.array(events, dtype=np.float64)
    places = [place for place in range(1, len(days)) if days[place] != days[place - 1]]
    if not places:
        return None
    total, count = float(happened.sum()), len(happened)
    before, earlier = np.cumsum(happened)[np.array(places) - 1], np.array(places, dtype=np.float64)
    likelihood = _log_likelihood(before, earlier) + _log_likelihood(total - before, count - earlier)
    best = int(np.argmax(likelihood))
    alone = _log_likelihood(np.array([total]), np.array([float(count)]))[0]
    if likelihood[best] - alone < log(20) + log(len(places)):
        return None
    inside = np.flatnonzero(likelihood >= likelihood[best] - SET_DEPTH)
    at = [days[places[place]] for place in (best, int(inside[0]), int(inside[-1]))]
    rates = float(before[best] / earlier[best]), float((total - before[best]) / (count - earlier[best]))
    return ChangePoint(at[0], at[1], at[2], *rates)


def e_value_above(events: int, trials: int, rate: float) -> float:
    """Return the evidence that events are more frequent than `rate`, which may be looked at after each trial.

    The mean of the likelihood ratios of all higher rates, each as likely as the others; order does not matter.
    """
    tail = float(special.betaincc(events + 1, trials - events + 1, rate))
    if tail < SMALLEST_TAIL:
        # Far fewer events than the rate says: every ratio is below 1, and falls from the rate on.
        share = np.geomspace(1e-12, 1 - 1e-9, 4000)
        higher = rate + (1 - rate) * share
        ratios = events * np.log(higher / rate) + (trials - events) * np.log((1 - higher) / (1 - rate))
        return float(np.trapezoid(np.exp(ratios), share))
    log_evidence = float(special.betaln(events + 1, trials - events + 1)) + log(tail) - log(1 - rate)
    found = log_evidence - events * log(rate) - (trials - events) * log(1 - rate)
    return exp(found) if found < LARGEST_EXPONENT else inf


def _figure(name: str, answered: Sequence[StudyRecord], days: Sequence[date], claim: float | None) -> LabelledFigure:
    error = ERRORS[name]
    known = [(one.events[error], day) for one, day in zip(answered, days, strict=True) if error in one.events]
    wrong = sum(event for event, _ in known)
    return LabelledFigure(
        name=name,
        value=_right(answered, error),
        change=change_point([event for event, _ in known], [day for _, day in known]) if known else None,
        claim=claim,
        e_value=None if claim is None else e_value_above(wrong, len(known), 1 - claim),
    )


def _labelled(records: Sequence[StudyRecord]) -> int:
    return sum(not one.events.keys().isdisjoint(ERRORS.values()) for one in records)


def _right(records: Sequence[StudyRecord], error: str) -> Proportion:
    told = [one.events[error] for one in records if error in one.events]
    right, count = len(told) - sum(told), len(told)
    if not count:
        return Proportion(0, 0, Estimate(None, None))
    return Proportion(right, count, Estimate(right / count, clopper_pearson(right, count)))


def _log_likelihood(events: Numbers, trials: Numbers) -> Numbers:
    rates = events / trials
    return np.asarray(special.xlogy(events, rates) + special.xlogy(trials - events, 1 - rates), dtype=np.float64)
