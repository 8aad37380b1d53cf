"""What a chart is measured against when target and spread are estimates, and limits that make up for it.

A chart whose target is estimated has a run length that depends on the estimate: one that happens to lie low alarms
early, for ever. Limits are widened until so many of the possible estimates keep the wanted run length.

Source: A. Gandy, J. Kvaløy, Scandinavian Journal of Statistics 40 (2013) 647-668, section 2 (parametric bootstrap).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from triage.errors import InvalidDataset
from validation.drift.designs import BernoulliCusum, Cusum, Ewma
from validation.drift.run_length import limit_for
from validation.drift.series import Events, Values

Numbers = NDArray[np.float64]

ENOUGH, PLENTY = 200, 500
"""Points: with k 0.5, h 4 from 200 of them 5 % of charts keep less than half the run length, from 500 0.1 %."""

DRAWS = 500
GUARANTEE = 0.9
"""Share of possible baselines that keep the wanted run length with adjusted limits."""

WIDEST = 12.0
"""Beyond it no limit is looked for."""

FURTHEST_SD = 1e100
"""From the target."""

FINE_ENOUGH = 1e-4
"""Of a limit that is itself drawn by lot."""


@dataclass(frozen=True, slots=True)
class NormalBaseline:
    """Mean and standard deviation; `points` is from how many they were estimated, None where they are given."""

    mean: float
    sd: float
    points: int | None
    end: int

    def standardised(self, series: Values) -> Numbers:
        """Return the values as standard deviations from the mean.

        Raises:
            InvalidDataset: a value lies so far out that sums of such values are no numbers any more.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found = (series.values - self.mean) / self.sd
        near = np.isnan(series.values) | (np.abs(found) < FURTHEST_SD)
        if not near.all():
            value = series.values[~near][0]
            raise InvalidDataset(f"value: found {value:g}, needed less than {FURTHEST_SD:g} sd from {self.mean:g}")
        return np.asarray(found)


@dataclass(frozen=True, slots=True)
class RateBaseline:
    """Share of events in `trials`, from the rows before `end`."""

    rate: float
    trials: int
    end: int


def normal_baseline(series: Values, points: int) -> NormalBaseline:
    """Return mean and standard deviation (n - 1) of the first `points` values that are there.

    Raises:
        InvalidDataset: there are fewer values, or all are equal.
    """
    places = np.flatnonzero(~np.isnan(series.values))
    if points < 2 or len(places) <= points:
        raise InvalidDataset(
            f"baseline: {len(places)} values, needed more than the {points} of it, and 2 or more of it"
        )
    values = series.values[places[:points]]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, sd = float(values.mean()), float(values.std(ddof=1))
    if not isfinite(sd):
        raise InvalidDataset(f"baseline: the {points} values have no standard deviation, needed smaller ones")
    if np.ptp(values) == 0:
        raise InvalidDataset(f"baseline: all {points} values are {values[0]:g}, needed some spread, or --mean and --sd")
    return NormalBaseline(mean, sd, points, int(places[points - 1]) + 1)


def rate_baseline(series: Events, points: int) -> RateBaseline:
    """Return the rate of events in the first `points` rows with trials.

    Raises:
        InvalidDataset: there are fewer rows, or no event, or nothing else.
    """
    places = np.flatnonzero(series.trials > 0)
    if points < 1 or len(places) <= points:
        raise InvalidDataset(f"baseline: {len(places)} rows with trials, needed more than the {points} of it")
    rows = places[:points]
    events, trials = float(series.events[rows].sum()), float(series.trials[rows].sum())
    if events in (0.0, trials):
        raise InvalidDataset(f"baseline: {events:g} events in {trials:g} trials, needed some of both kinds, or --p0")
    return RateBaseline(events / trials, int(trials), int(rows[-1]) + 1)


def warning_about(points: int) -> list[str]:
    """Return what must be said about limits from so many points; nothing where they are plenty."""
    if points >= PLENTY:
        return []
    return [
        f"limits from {points} points do not keep the designed run length: {ENOUGH} to {PLENTY} are needed; "
        "--adjust widens them by bootstrap (Gandy and Kvaløy 2013)"
    ]


def kept_run_length(chart: Cusum | Ewma, points: int, guarantee: float = GUARANTEE, seed: int = 1) -> float:
    """Return the run length that `guarantee` of the charts with limits from `points` values keep in control."""
    return _kept(chart, _estimates(points, seed), guarantee)


def adjusted(chart: Cusum | Ewma, run_length: float, points: int, guarantee: float, seed: int) -> Cusum | Ewma:
    """Return the chart with the limit at which `guarantee` of the baselines of `points` values keep `run_length`.

    Raises:
        InvalidDesign: no limit up to 12 does, the baseline is too short.
    """
    estimates = _estimates(points, seed)
    # Two calls, so that the type of each chart stays known.
    if isinstance(chart, Ewma):
        ewma = chart
        return ewma.with_limit(_wide_enough(lambda one: _kept(ewma.with_limit(one), estimates, guarantee), run_length))
    cusum = chart
    return cusum.with_limit(_wide_enough(lambda one: _kept(cusum.with_limit(one), estimates, guarantee), run_length))


def adjusted_for_rate(chart: BernoulliCusum, run_length: float, trials: int, guarantee: float) -> BernoulliCusum:
    """Return the chart with the limit at which `guarantee` of the baselines of `trials` trials keep `run_length`.

    The rate is the only estimate, and a limit grows with what the estimate lacks: one quantile of it answers, on
    each side of a two-sided chart.
    """
    tail = (1 - guarantee) / chart.sided
    unlucky = [stats.binom.ppf(tail, trials, chart.p0), stats.binom.ppf(1 - tail, trials, chart.p0)]
    if chart.sided == 1:
        unlucky = unlucky[:1] if chart.p1 > chart.p0 else unlucky[1:]
    charts = [_with_rate(chart, min(max(float(count), 0.5), trials - 0.5) / trials) for count in unlucky]
    return chart.with_limit(max(one.designed(run_length, level=chart.p0).limit for one in charts))


def _with_rate(chart: BernoulliCusum, rate: float) -> BernoulliCusum:
    """Return the chart that the estimate `rate` leads to, its odds ratio kept."""
    ratio = chart.p1 / (1 - chart.p1) / (chart.p0 / (1 - chart.p0))
    odds = ratio * rate / (1 - rate)
    return BernoulliCusum(rate, odds / (1 + odds), chart.limit, chart.sided, chart.trials)


def _estimates(points: int, seed: int) -> Numbers:
    """Return DRAWS pairs (mean, sd) that `points` standard normal values give."""
    random = np.random.default_rng(seed)
    means = random.normal(0.0, 1 / np.sqrt(points), DRAWS)
    spreads = np.sqrt(random.chisquare(points - 1, DRAWS) / (points - 1))
    return np.column_stack([means, spreads])


def _wide_enough(kept: Callable[[float], float], run_length: float) -> float:
    return limit_for(kept, run_length, WIDEST, FINE_ENOUGH)


def _kept(chart: Cusum | Ewma, estimates: Numbers, guarantee: float) -> float:
    lengths = [chart.run_length(-mean / sd, 1 / sd) for mean, sd in estimates.tolist()]
    return float(np.quantile(lengths, 1 - guarantee))
