"""Charts as they are designed: their constants, their run lengths, and the limit that gives a wanted one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

from scipy import optimize

from triage.errors import InvalidDesign
from validation.drift.event_chain import Lattice, event_run_length, lattice_for
from validation.drift.run_length import cusum_run_length, either_of, ewma_run_length, limit_for

WIDEST_CUSUM, WIDEST_EWMA, WIDEST_EVENTS = 60.0, 12.0, 60.0
"""Limits beyond these promise run lengths that nobody can wait for."""

LARGEST_SHIFT = 20.0
"""Standard deviations; a larger shift is seen by eye."""

MOST_TRIALS = 100_000
"""In a row; the chain has as many moves."""

SMALLEST_GAP = 1e-9


class Chart(Protocol):
    """A chart with its limit; `level` is the mean in standard deviations from the target, or the rate of events."""

    @property
    def in_control(self) -> float:
        """The level at which an alarm is false."""

    @property
    def limit(self) -> float:
        """What the statistic must exceed for an alarm."""

    @property
    def sided(self) -> int:
        """1 or 2."""

    @property
    def method(self) -> str:
        """How run lengths are computed."""

    def run_length(self, level: float) -> float:
        """Return the average number of observations to the alarm, from a chart that starts at zero."""

    def with_limit(self, limit: float) -> Self:
        """Return the same chart with another limit."""

    def designed(self, run_length: float) -> Self:
        """Return the same chart with the limit that gives `run_length` in control; raises InvalidDesign if none."""

    def smallest_change(self, within: float) -> float | None:
        """Return the smallest change that is found within so many observations on average; None if none is."""


@dataclass(frozen=True, slots=True)
class Cusum:
    """Cumulative sum with reference value `k` and limit `limit`, both in standard deviations."""

    k: float
    limit: float
    sided: int = 2

    in_control = 0.0
    method = "integral equation, Gauss-Legendre"

    def __post_init__(self) -> None:
        _require(self.k >= 0, "k", self.k, "0 or more")
        _require(self.k <= LARGEST_SHIFT, "k", self.k, f"at most {LARGEST_SHIFT:g}")
        _require(self.limit > 0, "limit", self.limit, "more than 0")
        _require(self.limit <= WIDEST_CUSUM, "limit", self.limit, f"at most {WIDEST_CUSUM:g}")
        _require(self.sided in (1, 2), "sided", self.sided, "1 or 2")

    def run_length(self, level: float, sd: float = 1.0) -> float:
        """Return the average run length when the mean is at `level` and the spread `sd`, both in those of design."""
        k, h, shift = self.k / sd, self.limit / sd, level / sd
        up = cusum_run_length(k, h, shift)
        return up if self.sided == 1 else either_of(up, cusum_run_length(k, h, -shift))

    def with_limit(self, limit: float) -> "Cusum":
        return replace(self, limit=limit)

    def designed(self, run_length: float, level: float = 0.0, sd: float = 1.0) -> "Cusum":
        return self.with_limit(limit_for(lambda h: self.with_limit(h).run_length(level, sd), run_length, WIDEST_CUSUM))

    def smallest_change(self, within: float) -> float | None:
        return _smallest(self.run_length, within, 0.0, LARGEST_SHIFT)


@dataclass(frozen=True, slots=True)
class Ewma:
    """Exponentially weighted moving average; `limit` in asymptotic standard deviations of the statistic."""

    weight: float
    limit: float
    sided: int = 2

    in_control = 0.0
    method = "integral equation, Gauss-Legendre"

    def __post_init__(self) -> None:
        _require(0 < self.weight <= 1, "lambda", self.weight, "more than 0 and at most 1")
        _require(self.limit > 0, "limit", self.limit, "more than 0")
        _require(self.limit <= WIDEST_EWMA, "limit", self.limit, f"at most {WIDEST_EWMA:g}")
        _require(self.sided in (1, 2), "sided", self.sided, "1 or 2")

    def run_length(self, level: float, sd: float = 1.0) -> float:
        """Return the average run length when the mean is at `level` and the spread `sd`, both in those of design."""
        return ewma_run_length(self.weight, self.limit / sd, level / sd, self.sided)

    def with_limit(self, limit: float) -> "Ewma":
        return replace(self, limit=limit)

    def designed(self, run_length: float, level: float = 0.0, sd: float = 1.0) -> "Ewma":
        return self.with_limit(
            limit_for(lambda limit: self.with_limit(limit).run_length(level, sd), run_length, WIDEST_EWMA)
        )

    def smallest_change(self, within: float) -> float | None:
        return _smallest(self.run_length, within, 0.0, LARGEST_SHIFT)


@dataclass(frozen=True, slots=True)
class BernoulliCusum:
    """Log-likelihood ratio CUSUM of events, from rate `p0` towards `p1`; an observation is a group of `trials`.

    With two sides the other one looks for the rate whose odds differ by the same factor the other way.
    """

    p0: float
    p1: float
    limit: float
    sided: int = 1
    trials: int = 1

    def __post_init__(self) -> None:
        _require(0 < self.p0 < 1, "p0", self.p0, "between 0 and 1")
        _require(0 < self.p1 < 1, "p1", self.p1, "between 0 and 1")
        _require(abs(self.p1 - self.p0) > SMALLEST_GAP, "p1", self.p1, "a rate other than p0")
        _require(self.limit > 0, "limit", self.limit, "more than 0")
        _require(self.limit <= WIDEST_EVENTS, "limit", self.limit, f"at most {WIDEST_EVENTS:g}")
        _require(self.sided in (1, 2), "sided", self.sided, "1 or 2")
        _require(self.trials >= 1, "trials", self.trials, "1 or more")
        _require(self.trials <= MOST_TRIALS, "trials", self.trials, f"at most {MOST_TRIALS} in a row")

    @property
    def in_control(self) -> float:
        return self.p0

    @property
    def method(self) -> str:
        exact = all(self._lattice(p1).is_exact for p1 in self.alternatives)
        return "Markov chain, exact on the lattice of the weights" if exact else "Markov chain on a fine lattice"

    @property
    def alternatives(self) -> tuple[float, ...]:
        """The rates that are looked for: `p1`, and with two sides its mirror image."""
        if self.sided == 1:
            return (self.p1,)
        odds = (self.p0 / (1 - self.p0)) ** 2 / (self.p1 / (1 - self.p1))
        return (self.p1, odds / (1 + odds))

    def run_length(self, level: float) -> float:
        """Return the average number of groups to the alarm when the rate is `level`."""
        return either_of(*(self._one_side(p1, self._lattice(p1), self.limit, level) for p1 in self.alternatives))

    def with_limit(self, limit: float) -> "BernoulliCusum":
        return replace(self, limit=limit)

    def designed(self, run_length: float, level: float | None = None) -> "BernoulliCusum":
        """Return the chart with the smallest limit whose run length at `level` (default: p0) reaches `run_length`.

        The statistic jumps, so that the run length does too; what is reached is `run_length(level)` of the answer.
        """
        at = self.p0 if level is None else level
        low, high = 0.0, 1.0
        while self.with_limit(high).run_length(at) < run_length:
            _require(high < WIDEST_EVENTS, "arl0", run_length, f"one that a limit up to {WIDEST_EVENTS:g} reaches")
            low, high = high, min(2 * high, WIDEST_EVENTS)
        # One lattice for all limits up to the high one, so that the run length never falls as the limit grows.
        lattices = [(p1, self.with_limit(high)._lattice(p1)) for p1 in self.alternatives]
        steps = min(lattice.step for _, lattice in lattices)
        lowest, highest = int(low / steps), int(high / steps) + 1
        while highest - lowest > 1:
            middle = (lowest + highest) // 2
            reached = either_of(*(self._one_side(p1, lattice, middle * steps, at) for p1, lattice in lattices))
            lowest, highest = (lowest, middle) if reached >= run_length else (middle, highest)
        # Between two values of the statistic every limit is the same; the middle needs no care with rounding.
        return self.with_limit((highest + 0.5) * steps)

    def smallest_change(self, within: float) -> float | None:
        furthest = SMALLEST_GAP if self.p1 < self.p0 else 1 - SMALLEST_GAP
        return _smallest(self.run_length, within, self.p0, furthest)

    def _lattice(self, p1: float) -> Lattice:
        p0, p1 = _upwards(self.p0, p1)
        return lattice_for(p0, p1, self.limit, self.trials)

    def _one_side(self, p1: float, lattice: Lattice, limit: float, level: float) -> float:
        rate = level if p1 > self.p0 else 1 - level
        return event_run_length(lattice, limit, self.trials, rate)


def _upwards(p0: float, p1: float) -> tuple[float, float]:
    """Return the rates of the event whose rate grows: a fall of events is a rise of trials without one."""
    return (p0, p1) if p1 > p0 else (1 - p0, 1 - p1)


def _smallest(run_length: Callable[[float], float], within: float, start: float, furthest: float) -> float | None:
    """Return the distance from `start`, towards `furthest`, at which the run length falls to `within`."""
    if run_length(start) <= within:
        raise InvalidDesign(f"within {within:g}: a false alarm comes as soon ({run_length(start):.4g}), needed fewer")
    if run_length(furthest) > within:
        return None
    found = optimize.brentq(lambda level: run_length(level) - within, min(start, furthest), max(start, furthest))
    return abs(float(found) - start)


def _require(holds: bool, name: str, found: float, needed: str) -> None:
    if not holds:
        raise InvalidDesign(f"{name}: found {found:g}, needed {needed}")
