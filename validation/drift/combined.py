"""A bank of charts, one for each stream, whose false alarms come as seldom as configured for all of them together.

Alarms of K charts add up: where each gives one in A years, all of them give one in A / K, if they are independent. Each
is therefore designed for K times the wanted interval. Streams that move together alarm together, less often; from data
of the streams in control the right interval of each chart is found by simulation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidDesign
from validation.drift.designs import BernoulliCusum, Cusum, Ewma
from validation.drift.event_chain import log_likelihood_weights
from validation.drift.run_length import either_of

Numbers = NDArray[np.float64]
AnyChart = Cusum | Ewma | BernoulliCusum

SHORTEST_BLOCKS = 2
"""So many blocks must fit into the data that are drawn from."""

NEARLY = 0.01
"""Relative precision of the interval that is solved for."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A chart, and how many observations it gets in a year."""

    name: str
    chart: AnyChart
    per_year: float


def design_bank(streams: Sequence[Stream], years: float) -> tuple[Stream, ...]:
    """Return the streams with limits that give one false alarm in `years`, all together, each as many as the others.

    Exact in the long run for independent streams whose charts start again after an alarm: 1 / sum(1 / interval).

    Raises:
        InvalidDesign: there is no stream, or no limit gives a chart the interval it needs.
    """
    if not streams or years <= 0 or min(one.per_year for one in streams) <= 0:
        raise InvalidDesign("bank: needed one stream or more, observations in each, and an interval above 0 years")
    return tuple(
        Stream(one.name, one.chart.designed(years * len(streams) * one.per_year), one.per_year) for one in streams
    )


def combined_years(streams: Sequence[Stream]) -> float:
    """Return the years between false alarms of all streams together, when they are independent."""
    return either_of(*(one.chart.run_length(one.chart.in_control) / one.per_year for one in streams))


Source = Callable[[np.random.Generator, int, int], Sequence[Numbers]]
"""Draws observations in control: (generator, sites, steps) to one array (sites, steps) for each stream."""


def independent_observations(streams: Sequence[Stream]) -> Source:
    """Return a source of independent observations in control: standard normal values, or counts of events."""

    def draw(random: np.random.Generator, sites: int, steps: int) -> Sequence[Numbers]:
        shape = (sites, steps)
        return [
            random.binomial(one.chart.trials, one.chart.p0, shape).astype(np.float64)
            if isinstance(one.chart, BernoulliCusum)
            else random.standard_normal(shape)
            for one in streams
        ]

    return draw


def block_bootstrap(observed: Numbers, block: int) -> Source:
    """Return a source that draws blocks of consecutive rows of `observed`, all streams of a row together.

    Args:
        observed: in control, shape (rows, streams): standardised values, or events of as many trials as the chart has.
        block: rows; long enough for what depends on one another in time.

    Raises:
        InvalidDesign: the block does not fit twice into the rows.

    Source: H. Künsch, Annals of Statistics 17 (1989) 1217-1241.
    """
    if block < 1 or len(observed) < SHORTEST_BLOCKS * block:
        raise InvalidDesign(f"block: {block} of {len(observed)} rows, needed 1 or more, and {SHORTEST_BLOCKS} blocks")

    def draw(random: np.random.Generator, sites: int, steps: int) -> Sequence[Numbers]:
        starts = random.integers(0, len(observed) - block + 1, (sites, -(-steps // block)))
        rows = (starts[:, :, None] + np.arange(block)).reshape(sites, -1)[:, :steps]
        return [observed[rows, stream] for stream in range(observed.shape[1])]

    return draw


def simulated_years(streams: Sequence[Stream], source: Source, sites: int, years: float, seed: int) -> float:
    """Return the mean years between alarms of the bank over `sites` times `years` of simulated observations.

    After an alarm of any chart all of them start again. Time runs in steps of the most frequent stream; another one
    gets its observations at even distances.

    Raises:
        InvalidDesign: there was no alarm to take the mean of.
    """
    per_year = max(one.per_year for one in streams)
    steps = round(years * per_year)
    random = np.random.default_rng(seed)
    observations = source(random, sites, steps)
    due = [np.diff(np.floor(np.arange(steps + 1) * one.per_year / per_year)).astype(bool) for one in streams]
    runners = [_Runner(one.chart, sites) for one in streams]
    alarms = 0
    for step in range(steps):
        alarmed = np.zeros(sites, dtype=np.bool_)
        for runner, values, is_due in zip(runners, observations, due, strict=True):
            if is_due[step]:
                alarmed[runner.take(values[:, step])] = True
        if alarmed.any():
            alarms += int(alarmed.sum())
            for runner in runners:
                runner.start_again(alarmed)
    if not alarms:
        raise InvalidDesign(f"bank: no alarm in {sites * years:g} simulated years, needed more of them")
    return sites * steps / per_year / alarms


def design_dependent_bank(
    streams: Sequence[Stream], years: float, source: Source, sites: int, simulated: float, seed: int
) -> tuple[Stream, ...]:
    """Return the streams with limits that give one false alarm in `years` on observations drawn from `source`.

    All charts keep one interval; the one that is right for the bank is found by bisection over simulations that all
    draw the same observations, `simulated` years at each of `sites`.
    """
    low, high = years / len(streams) / 2, 2 * years
    for _ in range(12):
        middle = float(np.sqrt(low * high))
        bank = design_bank(streams, middle)
        found = simulated_years(bank, source, sites, simulated, seed)
        low, high = (middle, high) if found < years else (low, middle)
        if high / low < 1 + NEARLY:
            break
    return design_bank(streams, float(np.sqrt(low * high)))


class _Runner:
    """One chart at many sites at once."""

    def __init__(self, chart: AnyChart, sites: int) -> None:
        self.chart = chart
        self.state = np.zeros((chart.sided if not isinstance(chart, Ewma) else 1, sites))
        if isinstance(chart, BernoulliCusum):
            self.weights = [log_likelihood_weights(chart.p0, p1) for p1 in chart.alternatives]
        elif isinstance(chart, Ewma):
            self.limit = chart.limit * float(np.sqrt(chart.weight / (2 - chart.weight)))

    def take(self, values: Numbers) -> NDArray[np.bool_]:
        """Return at which sites the chart alarms after this observation."""
        chart, state = self.chart, self.state
        if isinstance(chart, Ewma):
            state += chart.weight * (values - state)
            beyond: NDArray[np.bool_] = (np.abs(state[0]) if chart.sided == 2 else state[0]) > self.limit
            return beyond
        if isinstance(chart, Cusum):
            steps = [values - chart.k, -values - chart.k][: chart.sided]
        else:
            steps = [values * event + (chart.trials - values) * none for event, none in self.weights]
        np.maximum(state + np.array(steps), 0.0, out=state)
        over: NDArray[np.bool_] = np.max(state, axis=0) > chart.limit
        return over

    def start_again(self, sites: NDArray[np.bool_]) -> None:
        """Set the chart back to zero at `sites`."""
        self.state[:, sites] = 0.0
