"""Whether a scanner has fallen silent: the arrivals that its usual week would have brought since the last one.

Counted in expected arrivals instead of hours, the distances of arrivals of a Poisson process are exponential with mean
1, whatever the hour and the weekday. With N arrivals a year, a limit of ln(N Y) on that distance is exceeded once in Y
years. Bursts make long distances more frequent: where the baseline's vary more, the limit is that of a gamma
distribution with their variance. Silence is an alarm of health; no drift is looked for in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil, log1p

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Numbers = NDArray[np.float64]

HOUR = timedelta(hours=1)
HOURS_OF_WEEK = 168
FEWEST_ARRIVALS = 200


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came from `since` on although `expected` studies were due; `noticed_at` is when the limit was passed."""

    since: datetime
    noticed_at: datetime
    until: datetime
    expected: float
    is_over: bool


@dataclass(frozen=True, slots=True)
class ArrivalWatch:
    """What is usual, and the silences after the baseline; the last of them may not be over.

    `limit` is in expected arrivals. `longest_hours` is how long a silence can last unnoticed in the slowest part of the
    usual week: what this volume cannot tell sooner.
    """

    limit: float
    per_year: float
    silences: tuple[Silence, ...]
    longest_hours: float


def watch_arrivals(
    arrivals: Sequence[datetime], now: datetime, baseline_days: int, zone: tzinfo, years: float
) -> ArrivalWatch | None:
    """Return the silences after the first `baseline_days`, None while these hold fewer than 200 arrivals.

    Args:
        arrivals: of one scanner, in order of time.
        now: the end of the watch.
        baseline_days: from the first arrival on.
        zone: whose clock the usual week follows.
        years: between false alarms of this scanner's silence alone.
    """
    first = arrivals[0].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = np.array([(one - first) / HOUR for one in arrivals])
    end = baseline_days * 24.0
    total, known = (now - first) / HOUR, int(np.searchsorted(hours, end))
    if known < FEWEST_ARRIVALS or total <= end:
        return None
    of_week = _hours_of_week(first, ceil(total) + 1, zone)
    rates = _usual_week(hours[:known], of_week, int(end))
    expected_until = np.concatenate([[0.0], np.cumsum(rates[of_week])])
    clock = np.interp([*hours, total], np.arange(len(expected_until)), expected_until)
    distances = np.diff(clock)
    per_year = float(rates.sum()) * 365.25 / 7
    spread = max(1.0, float(np.var(distances[: known - 1]) / np.mean(distances[: known - 1]) ** 2))
    # Rates from so many weeks are estimates: no arrival where L were expected is as probable as (w / (w + 1))^(w L),
    # the predictive probability of a Poisson count, and not as exp(-L).
    weeks = end / HOURS_OF_WEEK
    limit = float(stats.gamma.isf(1 / (per_year * years), 1 / spread, scale=spread)) / (weeks * log1p(1 / weeks))
    found = []
    for place in np.flatnonzero((distances > limit) & (np.append(hours[1:], total) > end)).tolist():
        noticed = float(np.interp(clock[place] + limit, expected_until, np.arange(len(expected_until))))
        is_over = bool(place + 1 < len(hours))
        until = arrivals[place + 1] if is_over else now
        found.append(Silence(arrivals[place], first + noticed * HOUR, until, float(distances[place]), is_over))
    return ArrivalWatch(limit, per_year, tuple(found), _longest(rates, limit))


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
