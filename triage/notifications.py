"""Who is told of what that cannot wait, in which order, until somebody acknowledges; and what a message may say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class EventKind(StrEnum):
    """What people are told of."""

    CRITICAL_STUDY = "critical_study"
    ALARM = "alarm"
    ESCALATED_ALARM = "escalated_alarm"
    DEAD_LETTER = "dead_letter"


class Ending(StrEnum):
    """Why nobody more is told of an event."""

    ACKNOWLEDGED = "acknowledged"
    OVER = "over"
    NOBODY_LEFT = "nobody_left"
    NO_LADDER = "no_ladder"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ladder: so long after the event, these targets are told, of these kinds of event."""

    after: timedelta
    targets: tuple[str, ...]
    kinds: frozenset[EventKind]


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event that may still need somebody.

    `subject` is a Study Instance UID, the number of an alarm, or the name of a destination. `acknowledged_by` is who
    acted on it since, or empty; `is_over`: the study is no longer critical and open; `steps_told` counts the steps of
    which nothing waits to be sent.
    """

    number: int
    kind: EventKind
    subject: str
    age: timedelta
    acknowledged_by: str = ""
    is_over: bool = False
    steps_told: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about an event now: the steps that are due, counted from 1, and why it ends, if it does."""

    due: tuple[tuple[int, Step], ...] = ()
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What one target is told; `id` is the same at each try, so that a receiver can leave out what it has seen.

    There is no patient in it: `link` leads to the page, which asks who is there. `accession_number` is empty unless
    the settings ask for it.
    """

    id: str
    kind: EventKind
    subject: str
    at: datetime
    step: int
    link: str
    accession_number: str = ""
    is_trial: bool = False

    @property
    def words(self) -> str:
        """One line for people."""
        if self.is_trial:
            return "Trial message, nothing has happened"
        if self.kind is EventKind.CRITICAL_STUDY:
            return "Critical study on the list"
        if self.kind is EventKind.ALARM:
            return f"Drift alarm {self.subject}"
        if self.kind is EventKind.ESCALATED_ALARM:
            return f"Drift alarm {self.subject}: nobody acknowledged it in time"
        return f"Destination {self.subject} refused a delivery for good"


class Messenger(Protocol):
    """A way to one target."""

    def send(self, message: Message) -> None:
        """Return when the target has taken the message.

        Raises:
            DestinationUnavailable: it did not, and may do so later.
            DestinationRefused: it will not.
        """


def decide(event: OpenEvent, ladder: Sequence[Step]) -> Decision:
    """Return what `ladder` asks for: nothing once somebody has acknowledged, and all steps that are due until then."""
    steps = [(number, step) for number, step in enumerate(ladder, 1) if event.kind in step.kinds]
    if not steps:
        return Decision(ending=Ending.NO_LADDER)
    if event.acknowledged_by:
        return Decision(ending=Ending.ACKNOWLEDGED)
    if event.is_over:
        return Decision(ending=Ending.OVER)
    due = tuple((number, step) for number, step in steps if step.after <= event.age)
    return Decision(due, Ending.NOBODY_LEFT if event.steps_told >= len(steps) else None)
