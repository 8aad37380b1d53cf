"""Mean waits by formulas that are exact, and a refusal where there is none.

One reader: any mixture of exponential reading times (Cobham for non-pre-emptive, Pollaczek and Khinchine for first
come first served). Several readers: all reading times of one mean (Erlang C).

Source: A. Cobham, Operations Research 2 (1954) 70-76; R. Conway et al., Theory of Scheduling (1967), sections 8-6 and
8-7; J. Buzen, A. Bondi, Operations Research 31 (1983) 456-465 (several readers, pre-emptive).
"""

from collections.abc import Mapping

from triage.errors import InvalidDesign
from validation.queueing.workload import Class, Discipline, Workload, classes_of

Waits = Mapping[tuple[str, str], float]
"""Mean minutes of (class, kind): before reading starts; under pre-emption, time in system minus own reading time."""


def exact_waits(workload: Workload, discipline: Discipline, with_ai: bool) -> Waits:
    """Return the mean wait of each class and kind.

    Raises:
        InvalidDesign: no exact formula holds.
    """
    if reason := reason_against(workload, discipline):
        raise InvalidDesign(f"method exact: {reason}; needed --method simulate")
    classes = classes_of(workload, with_ai)
    if discipline is Discipline.FIFO:
        everybody = tuple(member for members in classes.values() for member in members)
        found = _waits(workload, {"all": everybody}, Discipline.NON_PREEMPTIVE)
        return {(name, kind.name): found["all", kind.name] for name, members in classes.items() for kind, _ in members}
    return _waits(workload, classes, discipline)


def reason_against(workload: Workload, discipline: Discipline) -> str | None:
    """Return why no formula here is exact, or None."""
    if discipline is Discipline.EDF:
        return "no formula is exact for deadlines (edf)"
    if workload.readers > 1 and not workload.reads_alike:
        return f"no formula is exact for {workload.readers} readers and unequal reading times"
    return None


def _waits(workload: Workload, classes: Mapping[str, Class], discipline: Discipline) -> Waits:
    if workload.readers > 1:
        return _alike(workload, classes, discipline)
    return _one_reader(classes, discipline)


def _one_reader(classes: Mapping[str, Class], discipline: Discipline) -> Waits:
    """M/G/1: R is the mean of what is left of the reading at hand, s the load of a class and those before it."""
    left_of_all = sum(_left(members) for members in classes.values())
    waits: dict[tuple[str, str], float] = {}
    before, left = 0.0, 0.0
    for name, members in classes.items():
        load = before + sum(rate * kind.minutes for kind, rate in members)
        left += _left(members)
        preemptive = discipline is Discipline.PREEMPTIVE
        start = (left if preemptive else left_of_all) / ((1 - before) * (1 - load))
        for kind, _ in members:
            # A pre-empted reading of m minutes takes m / (1 - s) from its first start to its end.
            interrupted = kind.minutes / (1 - before) - kind.minutes if preemptive else 0.0
            waits[name, kind.name] = start + interrupted
        before = load
    return waits


def _left(members: Class) -> float:
    """Return half of rate times second moment, 2 m^2 for exponential times of mean m."""
    return sum(rate * kind.minutes**2 for kind, rate in members)


def _alike(workload: Workload, classes: Mapping[str, Class], discipline: Discipline) -> Waits:
    """M/M/c of one mean reading time."""
    readers, minutes = workload.readers, workload.kinds[0].minutes
    total = workload.arrivals_per_minute * minutes
    waits: dict[tuple[str, str], float] = {}
    before, before_number = 0.0, 0.0
    for name, members in classes.items():
        rate = sum(one for _, one in members)
        load = before + rate * minutes
        if discipline is Discipline.PREEMPTIVE:
            number = load + erlang_c(readers, load) * load / (readers - load)
            wait = (number - before_number) / rate - minutes
            before_number = number
        else:
            wait = erlang_c(readers, total) * minutes / readers / ((1 - before / readers) * (1 - load / readers))
        waits |= {(name, kind.name): wait for kind, _ in members}
        before = load
    return waits


def erlang_c(readers: int, load: float) -> float:
    """Return the probability that an arrival finds all readers busy; `load` in readers, less than `readers`."""
    blocked = 1.0
    for number in range(1, readers + 1):
        blocked = load * blocked / (number + load * blocked)
    return readers * blocked / (readers - load * (1 - blocked))
