"""Waits by simulation of events: arrivals, readers, interruptions; independent runs, each after a time to warm up."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

from validation.queueing.workload import Discipline, Workload

Numbers = NDArray[np.float64]

Order = tuple[float, float]
"""What is read first has the smallest: class and arrival, or deadline and arrival."""


@dataclass(frozen=True, slots=True)
class Studies:
    """The studies of one run, in the order of arrival; times in minutes.

    `kind` counts into `Workload.kinds`; reading times and flags are the same whatever the readers do with them.
    """

    arrival: Numbers
    reading: Numbers
    kind: NDArray[np.int64]
    flagged: NDArray[np.bool_]


def draw_studies(workload: Workload, count: int, random: np.random.Generator) -> Studies:
    """Return `count` studies of a workload, from an empty department."""
    kinds = workload.kinds
    kind = random.choice(len(kinds), count, p=[one.share for one in kinds])
    return Studies(
        arrival=np.cumsum(random.exponential(1 / workload.arrivals_per_minute, count)),
        reading=random.exponential(1.0, count) * np.array([one.minutes for one in kinds])[kind],
        kind=kind,
        flagged=random.random(count) < np.array([one.flagged for one in kinds])[kind],
    )


def waits(studies: Studies, readers: int, classes: Sequence[float], discipline: Discipline) -> Numbers:
    """Return the wait of each study: time in the system minus its own reading time.

    Args:
        studies: in the order of arrival.
        readers: how many.
        classes: of each study; the smallest is read first. For edf, its target in minutes from arrival.
        discipline: what the classes mean; fifo ignores them.
    """
    arrival, reading = studies.arrival.tolist(), studies.reading.tolist()
    if discipline is Discipline.PREEMPTIVE:
        return np.array(_preemptive(arrival, reading, classes, readers))
    if discipline is Discipline.FIFO:
        order: list[Order] = [(0.0, one) for one in arrival]
    elif discipline is Discipline.EDF:
        order = [(one + target, one) for one, target in zip(arrival, classes, strict=True)]
    else:
        order = list(zip(classes, arrival, strict=True))
    return np.array(_to_the_end(arrival, reading, order, readers))


def _to_the_end(arrival: list[float], reading: list[float], order: list[Order], readers: int) -> list[float]:
    """Return waits when a reader finishes what was begun; `free` is when each reader is, or was, done."""
    free = [0.0] * readers
    heapify(free)
    waiting: list[tuple[Order, int]] = []
    wait = [0.0] * len(arrival)
    for number, now in enumerate([*arrival, float("inf")]):
        while waiting and free[0] <= now:
            chosen = heappop(waiting)[1]
            wait[chosen] = free[0] - arrival[chosen]
            heapreplace(free, free[0] + reading[chosen])
        if number == len(arrival):
            break
        if free[0] <= now:
            heapreplace(free, now + reading[number])
        else:
            heappush(waiting, (order[number], number))
    return wait


def _preemptive(arrival: list[float], reading: list[float], classes: Sequence[float], readers: int) -> list[float]:
    """Return waits when a lower class makes way and goes on later where it was left; of equals the latest makes way.

    `at_hand` holds (end, class, number) of what is being read, `waiting` (class, number, minutes left).
    """
    at_hand: list[tuple[float, float, int]] = []
    waiting: list[tuple[float, int, float]] = []
    wait = [0.0] * len(arrival)
    for number, now in enumerate([*arrival, float("inf")]):
        while at_hand and (first := min(at_hand))[0] <= now:
            at_hand.remove(first)
            wait[first[2]] = max(0.0, first[0] - arrival[first[2]] - reading[first[2]])
            if waiting:
                rank, chosen, left = heappop(waiting)
                at_hand.append((first[0] + left, rank, chosen))
        if number == len(arrival):
            break
        rank, own = classes[number], (now + reading[number], classes[number], number)
        lowest = max(at_hand, key=lambda one: one[1:], default=None)
        if lowest is None or len(at_hand) < readers:
            at_hand.append(own)
        elif rank < lowest[1]:
            at_hand[at_hand.index(lowest)] = own
            heappush(waiting, (lowest[1], lowest[2], lowest[0] - now))
        else:
            heappush(waiting, (rank, number, reading[number]))
    return wait
