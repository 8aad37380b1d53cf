"""Average run lengths of charts that count events, by the Markov chain of the values that their statistic can take."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, log

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from triage.errors import InvalidDesign
from validation.drift.run_length import LONGEST

MOST_STATES = 20_000
"""Of the lattice; four digits and more."""

MOST_STATES_OF_RARE_EVENTS = 200_000
"""Where the coarsest lattice of single events has more; its steps are then small against the weight of an event."""

STATES_OF_RARE_GROUPS = 2_000
"""Where the coarsest lattice of groups of trials has more than enough; their equations are less sparse."""

FINEST = (2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Largest steps per trial without an event that are tried for the lattice, finest first."""

SAME_RATIO = 1e-9
ON_LATTICE = 1e-9
"""How far a limit may lie above a lattice point, in steps, and count as it."""

NEGLIGIBLE = 1e-15


@dataclass(frozen=True, slots=True)
class Lattice:
    """The values that the statistic takes, as whole steps: an event adds `up`, a trial without one takes `down`.

    `is_exact` is whether the weights are such whole steps; otherwise they are the nearest ones, or, where `up` and
    `down` are no whole numbers, a group's sum is split between the two nearest steps so that its mean is kept.
    """

    step: float
    up: float
    down: float
    is_exact: bool

    def states(self, limit: float) -> int:
        """Return how many values from zero up to `limit` there are."""
        return floor(limit / self.step + ON_LATTICE) + 1


def log_likelihood_weights(p0: float, p1: float) -> tuple[float, float]:
    """Return what an event and a trial without one add: ln(p1/p0) and ln((1-p1)/(1-p0)).

    Source: M. Reynolds, Z. Stoumbos, Journal of Quality Technology 31 (1999) 87-108, equation 4.
    """
    return log(p1 / p0), log((1 - p1) / (1 - p0))


def lattice_for(p0: float, p1: float, limit: float, trials: int) -> Lattice:
    """Return the finest lattice for a chart for p1 > p0 that has few enough states up to `limit`."""
    event, no_event = log_likelihood_weights(p0, p1)
    ratio = event / -no_event
    for finest in FINEST:
        steps = Fraction(ratio).limit_denominator(finest)
        step = -no_event / steps.denominator
        is_exact = abs(steps.numerator / steps.denominator / ratio - 1) < SAME_RATIO
        most = MOST_STATES_OF_RARE_EVENTS if (finest, trials) == (1, 1) else MOST_STATES
        if steps.numerator > 0 and limit / step < most:
            return Lattice(step, float(steps.numerator), float(steps.denominator), is_exact)
    if trials == 1:
        raise InvalidDesign(
            f"p0 {p0:g}, p1 {p1:g}, limit {limit:g}: {limit / -no_event:.0f} states, "
            f"needed at most {MOST_STATES_OF_RARE_EVENTS}: chart groups of trials instead"
        )
    step = limit / STATES_OF_RARE_GROUPS
    return Lattice(step, event / step, -no_event / step, False)


def event_run_length(lattice: Lattice, limit: float, trials: int, rate: float) -> float:
    """Return the average number of groups of `trials` until S = max(0, S + weights) exceeds `limit`, from zero.

    Args:
        lattice: of the weights.
        limit: of S.
        trials: in each group.
        rate: probability of an event in a trial.

    Source: D. Brook, D. Evans, Biometrika 59 (1972) 539-549.
    """
    moves = _moves(lattice, trials, rate)
    count = lattice.states(limit)
    states = np.arange(count)
    rows, columns, values = [states], [states], [np.ones(count)]
    for move, probability in moves:
        target = np.maximum(states + move, 0)
        stays = target < count
        rows.append(states[stays])
        columns.append(target[stays])
        values.append(np.full(int(stays.sum()), -probability))
    return _first_of_solution(rows, columns, values, count)


def _moves(lattice: Lattice, trials: int, rate: float) -> list[tuple[int, float]]:
    events = np.arange(trials + 1)
    chances = stats.binom.pmf(events, trials, rate)
    sums = events * lattice.up - (trials - events) * lattice.down
    moves = []
    for value, chance in zip(sums.tolist(), chances.tolist(), strict=True):
        part = value - floor(value)
        moves.append((floor(value), chance * (1 - part)))
        moves.append((ceil(value), chance * part))
    return [(move, chance) for move, chance in moves if chance > NEGLIGIBLE]


def _first_of_solution(
    rows: Sequence[NDArray[np.int64]], columns: Sequence[NDArray[np.int64]], values: Sequence[NDArray[np.float64]],
    count: int,
) -> float:  # fmt: skip
    place = (np.concatenate(rows), np.concatenate(columns))
    matrix = csc_array(coo_array((np.concatenate(values), place), shape=(count, count)))
    try:
        length = float(splu(matrix).solve(np.ones(count))[0])
    except RuntimeError:
        # The chart never alarms: the equations have no solution.
        return LONGEST
    return length if 1 <= length < LONGEST else LONGEST
