"""Charts as they run: the statistic after each row, the first alarm, and when the change began."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from validation.drift.designs import BernoulliCusum, Cusum, Ewma
from validation.drift.event_chain import log_likelihood_weights
from validation.drift.series import Events

Numbers = NDArray[np.float64]

ROUNDING = 1e-9
"""Sums of logarithms that should be zero, or the limit, are off by less than this."""


@dataclass(frozen=True, slots=True)
class ChartRun:
    """What a chart said about a series, row by row.

    `statistic` is the larger of `upper` and `lower` for a two-sided CUSUM; of an EWMA it is the average itself, in
    standard deviations of a row from the target. `change_point_index` is the last row before the alarm at which the
    statistic that alarmed was zero (of an EWMA: not beyond the target); None when there was none or no alarm.
    `first_changed_index` is the row after it.
    """

    limit: float
    statistic: Numbers
    upper: Numbers
    lower: Numbers | None
    alarm_index: int | None
    alarm_side: str | None
    change_point_index: int | None
    first_changed_index: int | None


def run_cusum(chart: Cusum, values: Numbers, start: int = 0) -> ChartRun:
    """Return the run over standardised `values` from row `start` on; a NaN leaves the statistic as it was."""
    steps = np.where(np.isnan(values), 0.0, values)
    allowance = np.where(np.isnan(values), 0.0, chart.k)
    upper = _reflected(steps - allowance, start)
    lower = _reflected(-steps - allowance, start) if chart.sided == 2 else None
    return _judged(chart.limit, upper, lower, lambda one: one > chart.limit)


def run_events(chart: BernoulliCusum, series: Events, start: int = 0) -> ChartRun:
    """Return the run over events of trials; a row without trials leaves the statistic as it was."""
    sides = []
    for p1 in chart.alternatives:
        event, no_event = log_likelihood_weights(chart.p0, p1)
        sides.append(_reflected(series.events * event + (series.trials - series.events) * no_event, start))
    upper, lower = (sides[0], sides[1]) if len(sides) == 2 else (sides[0], None)
    if chart.p1 < chart.p0 and lower is not None:
        upper, lower = lower, upper
    return _judged(chart.limit, upper, lower, lambda one: one > chart.limit + ROUNDING)


def run_ewma(chart: Ewma, values: Numbers, start: int = 0) -> ChartRun:
    """Return the run over standardised `values` from row `start` on; a NaN leaves the average as it was.

    Source of the change point: T. Nishina, Quality and Reliability Engineering International 8 (1992) 355-363.
    """
    average, path = 0.0, np.zeros(len(values))
    for row in range(start, len(values)):
        if not np.isnan(values[row]):
            average = chart.weight * float(values[row]) + (1 - chart.weight) * average
        path[row] = average
    limit = chart.limit * sqrt(chart.weight / (2 - chart.weight))
    return _judged(limit, path, -path if chart.sided == 2 else None, lambda one: one > limit, statistic=path)


def _reflected(steps: Numbers, start: int) -> Numbers:
    """Return S = max(0, S + step) after each row, zero before row `start`."""
    value, path = 0.0, np.zeros(len(steps))
    for row, step in enumerate(steps[start:].tolist(), start=start):
        value = max(0.0, value + step)
        value = 0.0 if value < ROUNDING else value
        path[row] = value
    return path


def _judged(
    limit: float,
    upper: Numbers,
    lower: Numbers | None,
    is_beyond: Callable[[Numbers], NDArray[np.bool_]],
    statistic: Numbers | None = None,
) -> ChartRun:
    sides = {"upper": upper} if lower is None else {"upper": upper, "lower": lower}
    firsts = {name: int(np.argmax(is_beyond(path))) for name, path in sides.items() if is_beyond(path).any()}
    side = min(firsts, key=lambda name: firsts[name]) if firsts else None
    alarm = firsts[side] if side else None
    zeros = np.flatnonzero(sides[side][:alarm] <= 0) if side else np.array([], dtype=np.int64)
    change = int(zeros[-1]) if len(zeros) else None
    both = upper if lower is None else np.maximum(upper, lower)
    return ChartRun(
        limit=limit,
        statistic=both if statistic is None else statistic,
        upper=upper,
        lower=lower,
        alarm_index=alarm,
        alarm_side=side,
        change_point_index=change,
        first_changed_index=None if alarm is None else (0 if change is None else change + 1),
    )
