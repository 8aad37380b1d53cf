"""Whether a scanner has fallen silent: the arrivals that its usual week would have brought since the last one.

Counted in expected arrivals instead of hours, the distances of arrivals of a Poisson process are exponential with mean
1, whatever the hour and the weekday. Three things make long distances more frequent, and each of them widens the limit:
studies that come in bursts, days that bring more or fewer than usual, and a usual week that is itself an estimate. Over
baselines as short as this one, drawn again and again, nine in ten give no more false silences than their share.
Silence is an alarm of health; no drift is looked for in it.

Source of the limit: A. Gandy, J. Kvaløy, Scandinavian Journal of Statistics 40 (2013) 647-668, section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from math import ceil, log

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from validation.drift.baselines import GUARANTEE
from validation.drift.promise import DAYS_PER_YEAR

Numbers = NDArray[np.float64]

HOUR = timedelta(hours=1)
HOURS_OF_WEEK = 168
FEWEST_ARRIVALS = 200

BASELINES_DRAWN = 200
STARTS_PER_HOUR = 4
"""A silence may begin at so many moments of each hour; their sum stands for the integral over the week."""

WIDEST = 20.0
"""Times the logarithm of the arrivals in the interval: no limit beyond it is looked for."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came from `since` on although `expected` studies were due; `noticed_at` is when the limit was passed.

    `is_of_site` says that the whole site was silent, whose alarm it is.
    """

    since: datetime
    noticed_at: datetime
    until: datetime
    expected: float
    is_over: bool
    is_of_site: bool = False


@dataclass(frozen=True, slots=True)
class ArrivalWatch:
    """What is usual, and the silences after the baseline; the last of them may not be over.

    `limit` is in expected arrivals. `longest_hours` is how long a silence can last unnoticed in the slowest part of the
    usual week: what this volume cannot tell sooner. `false_per_year` is the mean over baselines; nine in ten of them
    keep the interval.
    """

    limit: float
    per_year: float
    false_per_year: float
    silences: tuple[Silence, ...]
    longest_hours: float


def watch_arrivals(
    arrivals: Sequence[datetime],
    now: datetime,
    baseline_days: int,
    zone: tzinfo,
    years: float,
    of_site: Sequence[Silence] = (),
) -> ArrivalWatch | None:
    """Return the silences after the first `baseline_days`, None while these hold fewer than 200 arrivals.

    While the whole site is silent a scanner's own says nothing new: no arrival is expected of it then.

    Args:
        arrivals: of one scanner, or of all of a site, in order of time.
        now: the end of the watch.
        baseline_days: from the first arrival on.
        zone: whose clock the usual week follows.
        years: between false alarms of this scanner's silence alone.
        of_site: the silences of its whole site; they are among the answer.
    """
    first = arrivals[0].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = np.array([(one - first) / HOUR for one in arrivals])
    end = baseline_days * 24.0
    total, known = (now - first) / HOUR, int(np.searchsorted(hours, end))
    if known < FEWEST_ARRIVALS or total <= end:
        return None
    of_week = _hours_of_week(first, ceil(total) + 1, zone)
    rates = _usual_week(hours[:known], of_week, int(end))
    due = rates[of_week]
    spared = [_spared(one, due, first) for one in of_site]
    expected_until = np.concatenate([[0.0], np.cumsum(due - np.sum(spared, axis=0))])
    clock = np.interp([*hours, total], np.arange(len(expected_until)), expected_until)
    distances = np.diff(clock)
    usual = _usual(hours[:known], distances[: known - 1], rates, of_week[: int(end)])
    limit, false_per_year = _limit(usual, end / HOURS_OF_WEEK, years)
    found = []
    for place in np.flatnonzero((distances > limit) & (np.append(hours[1:], total) > end)).tolist():
        noticed = float(np.interp(clock[place] + limit, expected_until, np.arange(len(expected_until))))
        is_over = bool(place + 1 < len(hours))
        until = arrivals[place + 1] if is_over else now
        found.append(Silence(arrivals[place], first + noticed * HOUR, until, float(distances[place]), is_over))
    for one, missing in zip(of_site, spared, strict=True):
        found.append(replace(one, expected=float(missing.sum()), is_of_site=True))
    silences = tuple(sorted(found, key=lambda one: one.noticed_at))
    return ArrivalWatch(limit, usual.per_year, false_per_year, silences, _longest(rates, limit))


def _spared(silence: Silence, due: Numbers, first: datetime) -> Numbers:
    """Return the part of the arrivals `due` in each hour after `first` that a silence of the whole site takes."""
    begin, end = ((moment - first) / HOUR for moment in (silence.since, silence.until))
    hours = np.arange(len(due))
    part: Numbers = np.clip(np.minimum(hours + 1, end) - np.maximum(hours, begin), 0, 1) * due
    return part


def _hours_of_week(first: datetime, count: int, zone: tzinfo) -> NDArray[np.int64]:
    moments = ((first + hour * HOUR).astimezone(zone) for hour in range(count))
    return np.array([one.weekday() * 24 + one.hour for one in moments], dtype=np.int64)


def _usual_week(hours: Numbers, of_week: NDArray[np.int64], end: int) -> Numbers:
    """Return the arrivals per hour of the week, of the hours before `end`."""
    counts = np.bincount(of_week[hours.astype(np.int64)], minlength=HOURS_OF_WEEK).astype(np.float64)
    seen = np.bincount(of_week[:end], minlength=HOURS_OF_WEEK)
    rates: Numbers = counts / np.maximum(seen, 1)
    return rates


def _longest(rates: Numbers, limit: float) -> float:
    """Return the hours that the slowest part of the usual week takes to bring `limit` arrivals."""
    weeks = ceil(limit / rates.sum()) + 1
    clock = np.concatenate([[0.0], np.cumsum(np.tile(rates, weeks + 1))])
    starts = np.arange(HOURS_OF_WEEK)
    ends = np.interp(clock[starts] + limit, clock, np.arange(len(clock)))
    return float(np.max(ends - starts))


@dataclass(frozen=True, slots=True)
class _Usual:
    """Arrivals as they usually come: per hour of the week, `burst` at once, in days that `swing` more than by chance.

    `swing` is the variance of a day's rate around its mean of 1, as of a gamma distribution.
    """

    rates: Numbers
    burst: float
    swing: float

    @property
    def per_year(self) -> float:
        return float(self.rates.sum()) * DAYS_PER_YEAR / 7

    def nothing_came(self, expected: Numbers) -> Numbers:
        """Return the probability that nothing comes where so many were expected, within about a day."""
        bursts = expected / self.burst
        found: Numbers = np.exp(-bursts) if self.swing == 0 else (1 + self.swing * bursts) ** (-1 / self.swing)
        return found


def _usual(hours: Numbers, distances: Numbers, rates: Numbers, of_week: NDArray[np.int64]) -> _Usual:
    """Return the law of the arrivals of a baseline from its `distances`, in expected arrivals, and its whole days."""
    days = len(of_week) // 24
    counts = np.bincount((hours // 24).astype(np.int64), minlength=days)[:days].astype(np.float64)
    means = rates[of_week[: days * 24]].reshape(days, 24).sum(axis=1)
    # Of bursts of b on average the distances have the squared coefficient of variation 2 b - 1, and so, over their
    # mean, have the counts; what days vary beyond that is their swing, which adds twice itself to the distances.
    spread = max(1.0, float(np.var(distances) / np.mean(distances) ** 2))
    # Seven means were fitted to the days, which makes them look more alike than they are.
    variance = float(np.sum((counts - means) ** 2)) / max(days - 7, 1)
    swing = max(0.0, (variance - spread * float(means.mean())) / float(np.mean(means**2)))
    return _Usual(rates, max(1.0, (1 + spread) / 2 - swing), swing)


def _limit(usual: _Usual, weeks: float, years: float) -> tuple[float, float]:
    """Return the limit that nine in ten baselines of `weeks` keep, and the false silences a year of their mean.

    A baseline's limit is wrong by what its own week is wrong: at its limit, another number of arrivals than it says
    has really failed to come, for each moment of the week at which a silence may begin.
    """
    alarms = partial(_false_per_year, usual, _drawn_weeks(usual, weeks))
    lowest = max(1.0, log(usual.per_year * years))
    wanted = log(1 / years)
    limit = optimize.brentq(
        lambda one: log(float(np.quantile(alarms(one), GUARANTEE)) + 1e-300) - wanted, 0.5, WIDEST * lowest, xtol=1e-3
    )
    return float(limit), float(np.mean(alarms(limit)))


def _drawn_weeks(usual: _Usual, weeks: float) -> Numbers:
    """Return usual weeks as other baselines would have them, shape (BASELINES_DRAWN, 168), arrivals per hour."""
    random = np.random.default_rng(1)
    shape = (BASELINES_DRAWN, 7)
    days = random.gamma(weeks / usual.swing, usual.swing, shape) if usual.swing > 0 else np.full(shape, weeks)
    bursts = random.poisson(np.repeat(days, 24, axis=1) * usual.rates / usual.burst)
    return np.asarray(bursts * usual.burst / weeks, dtype=np.float64)


def _false_per_year(usual: _Usual, drawn: Numbers, limit: float) -> Numbers:
    """Return the false silences a year of each drawn week, whose clock is wrong, at the limit."""
    starts = (np.arange(HOURS_OF_WEEK * STARTS_PER_HOUR) + 0.5) / STARTS_PER_HOUR
    begin = usual.rates[starts.astype(np.int64)] / STARTS_PER_HOUR / usual.burst
    fewest = max(float(drawn.sum(axis=1).min()), 1.0)
    weeks = ceil(limit / fewest) + 2
    hours = np.arange(weeks * HOURS_OF_WEEK + 1)
    true = np.concatenate([[0.0], np.cumsum(np.tile(usual.rates, weeks))])
    found = np.empty(len(drawn))
    for place, rates in enumerate(drawn):
        own = np.concatenate([[0.0], np.cumsum(np.tile(rates, weeks))])
        ends = np.interp(np.interp(starts, hours, own) + limit, own, hours)
        missing = np.interp(ends, hours, true) - np.interp(starts, hours, true)
        found[place] = float(begin @ usual.nothing_came(missing)) * DAYS_PER_YEAR / 7
    return found
