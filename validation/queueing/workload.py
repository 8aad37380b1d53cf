"""Who comes to be read, how often, and for how long: the studies of a queue and the classes that readers see."""

from dataclasses import dataclass
from enum import Enum

from triage.errors import InvalidDesign


class Discipline(Enum):
    """Which study a reader takes next."""

    FIFO = "fifo"
    """The one that came first, whatever it is."""

    NON_PREEMPTIVE = "non-preemptive"
    """Interrupting studies first, then flagged ones; a study that is being read is read to its end."""

    PREEMPTIVE = "preemptive"
    """The same order; a higher class interrupts a lower one, which is taken up again where it was left."""

    EDF = "edf"
    """The earliest deadline, arrival plus the target of its class; nothing is interrupted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Studies of one kind: their share of all arrivals, mean reading time, and the chance to be flagged.

    `name` is one of interrupting, positive, negative; an interrupting study needs no flag to go first.
    """

    name: str
    share: float
    minutes: float
    flagged: float


@dataclass(frozen=True, slots=True)
class Workload:
    """Poisson arrivals to equal readers, exponential reading times.

    `traffic` is the share of the readers' time that is taken, below 1. Prevalence is that among the studies that do not
    interrupt; minutes are means.
    """

    traffic: float
    prevalence: float
    sensitivity: float
    specificity: float
    readers: int
    minutes_positive: float
    minutes_negative: float
    interrupting: float = 0.0
    minutes_interrupting: float = 5.0

    def __post_init__(self) -> None:
        for name in ("prevalence", "sensitivity", "specificity"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        _require(0 <= self.interrupting < 1, "interrupting", self.interrupting, "0 or more and less than 1")
        _require(self.readers >= 1, "readers", self.readers, "1 or more")
        for name in ("minutes_positive", "minutes_negative", "minutes_interrupting"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        _require(self.traffic > 0, "traffic", self.traffic, "more than 0")
        _require(self.traffic < 1, "traffic", self.traffic, "less than 1: from there on the queue grows without end")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of studies that there are; a share of zero leaves one out."""
        rest = 1 - self.interrupting
        every = (
            Kind("interrupting", self.interrupting, self.minutes_interrupting, 0.0),
            Kind("positive", rest * self.prevalence, self.minutes_positive, self.sensitivity),
            Kind("negative", rest * (1 - self.prevalence), self.minutes_negative, 1 - self.specificity),
        )
        return tuple(one for one in every if one.share > 0)

    @property
    def arrivals_per_minute(self) -> float:
        """How many studies come in a minute."""
        return self.traffic * self.readers / sum(kind.share * kind.minutes for kind in self.kinds)

    @property
    def reads_alike(self) -> bool:
        """Whether all studies have one mean reading time."""
        return len({kind.minutes for kind in self.kinds}) == 1


Class = tuple[tuple[Kind, float], ...]
"""What a reader cannot tell apart: kinds, each with its arrivals per minute."""


def classes_of(workload: Workload, with_ai: bool) -> dict[str, Class]:
    """Return the classes of studies, first served first: interrupting, then flagged and unflagged, or all others.

    A class that nobody is in is left out.
    """
    rate = workload.arrivals_per_minute
    others = [kind for kind in workload.kinds if kind.name != "interrupting"]
    interrupting = [kind for kind in workload.kinds if kind.name == "interrupting"]
    made: dict[str, Class] = {"interrupting": tuple((kind, rate * kind.share) for kind in interrupting)}
    if with_ai:
        made["flagged"] = tuple((kind, rate * kind.share * kind.flagged) for kind in others if kind.flagged > 0)
        made["unflagged"] = tuple((kind, rate * kind.share * (1 - kind.flagged)) for kind in others if kind.flagged < 1)
    else:
        made["others"] = tuple((kind, rate * kind.share) for kind in others)
    return {name: members for name, members in made.items() if members}


def _require(holds: bool, name: str, found: float, needed: str) -> None:
    if not holds:
        raise InvalidDesign(f"{name.replace('_', '-')}: found {found:g}, needed {needed}")
