"""A study as surveillance sees it: when it came, from which scanner, and what is charted about it; no patient in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study under one model version; `model` is empty where no model answered.

    `scanner` is the AE title that sent it, so that another machine behind the same address is a change and not a
    stranger. `categories` hold texts, `numbers` measurements with the unit in their name, `events` what did or did not
    happen; a stream that says nothing about the study is absent from them. `embedding` is what the network saw in the
    images, empty where it did not run.
    """

    study_instance_uid: str
    received_at: datetime
    site: str
    scanner: str
    model: str = ""
    categories: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, bool] = field(default_factory=dict)
    embedding: tuple[float, ...] = ()


class StreamKind(StrEnum):
    """What an alarm of a stream is about; only PERFORMANCE says that the model reads worse."""

    HEALTH = "health"
    INPUT = "input"
    OUTPUT = "output"
    PERFORMANCE = "performance"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, order=True)
class StreamKey:
    """Which stream of which scanner; `model` is empty for what does not depend on one."""

    site: str
    scanner: str
    model: str
    stream: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A chart beyond its limit, or a silence.

    `noticed_on` is the day after whose end it could be known, `changed_on` the estimated first day of the change.
    `size` is the mean of the days since then, in standard deviations of a day; of a silence, the studies that failed
    to come. `amount` is the same in the unit of the stream (a share of events), None where it has none. `studies` are
    those that show it best.
    """

    key: StreamKey
    kind: StreamKind
    noticed_on: date
    changed_on: date
    side: str
    statistic: float
    limit: float
    size: float
    studies: tuple[str, ...] = ()
    amount: float | None = None


class AlarmState(StrEnum):
    """Where an alarm stands with the people who answer for it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class AlarmCause(StrEnum):
    """What was found behind an alarm."""

    FALSE_ALARM = "false_alarm"
    PROTOCOL_CHANGE = "protocol_change"
    EQUIPMENT_CHANGE = "equipment_change"
    CASE_MIX = "case_mix"
    OUTAGE = "outage"
    MODEL_FAULT = "model_fault"
    OTHER = "other"


ESCALATES_AFTER = timedelta(hours=24)
"""An open alarm that nobody has acknowledged for so long is overdue, where the settings say nothing else."""

READ_WORSE = frozenset({"missed", "false_flag", "wrong_place"})
"""What readers say against a model; a rise of one of them is what may pause its flags."""


@dataclass(frozen=True, slots=True)
class KeptAlarm:
    """An alarm with what people did about it: who looks after it, what was behind it, and the reference of the action.

    `new_baseline` says that the change is accepted: from the day it began, what is usual is learned anew. Whoever did
    not acknowledge it by `escalates_at` was passed over at `escalated_at`; `flags_paused_at` is when the platform put
    the model into the shadow because of it.
    """

    number: int
    alarm: Alarm
    opened_at: datetime
    state: AlarmState = AlarmState.OPEN
    owner: str = ""
    cause: AlarmCause | None = None
    explanation: str = ""
    action: str = ""
    closed_at: datetime | None = None
    new_baseline: bool = False
    escalates_at: datetime | None = None
    escalated_at: datetime | None = None
    flags_paused_at: datetime | None = None

    @property
    def concerns_reading(self) -> bool:
        """Whether readers must hear of it: studies that fail to come, or a model that reads worse."""
        return self.state is not AlarmState.CLOSED and self.alarm.kind in (StreamKind.HEALTH, StreamKind.PERFORMANCE)

    def is_overdue(self, now: datetime) -> bool:
        """Return whether nobody has acknowledged the alarm in time."""
        return self.state is AlarmState.OPEN and now > (self.escalates_at or self.opened_at + ESCALATES_AFTER)

    def pauses_flags(self, from_change: float | None) -> bool:
        """Return whether readers speak against the model so much more often that its flags are to pause.

        Args:
            from_change: the rise of a share from which on they do; None for never.
        """
        alarm = self.alarm
        return (
            from_change is not None
            and self.state is not AlarmState.CLOSED
            and self.flags_paused_at is None
            and alarm.key.stream in READ_WORSE
            and alarm.side == "upper"
            and (alarm.amount or 0.0) >= from_change
        )


@dataclass(frozen=True, slots=True)
class Disposition:
    """How an alarm is closed; an action is the reference of what was done, a CAPA number for example."""

    cause: AlarmCause
    explanation: str = ""
    action: str = ""
    new_baseline: bool = False
