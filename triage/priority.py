"""How urgent a study is, from the order and from what the models found, and by when it should be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class Priority(IntEnum):
    """The bands of the list, most urgent first; the order's own STAT is kept beside them, never renamed to one."""

    CRITICAL = 1
    URGENT = 2
    ROUTINE = 3


ORDER_PRIORITIES: Mapping[str, Priority] = {
    "STAT": Priority.CRITICAL,
    "HIGH": Priority.URGENT,
    "ROUTINE": Priority.ROUTINE,
    "MEDIUM": Priority.ROUTINE,
    "LOW": Priority.ROUTINE,
}
"""Requested Procedure Priority (0040,1003) to band; anything else counts as routine (see `from_order`)."""


@dataclass(frozen=True, slots=True)
class TargetTimes:
    """How soon after its arrival a study of each band should be read."""

    critical: timedelta = timedelta(minutes=15)
    urgent: timedelta = timedelta(minutes=60)
    routine: timedelta = timedelta(minutes=240)

    def of(self, priority: Priority) -> timedelta:
        targets = {
            Priority.CRITICAL: self.critical,
            Priority.URGENT: self.urgent,
            Priority.ROUTINE: self.routine,
        }
        return targets[priority]


def from_order(order_priority: str) -> Priority:
    """Return the band of an order's own priority; an unknown or absent one is routine."""
    return ORDER_PRIORITIES.get(order_priority.strip().upper(), Priority.ROUTINE)


def most_urgent(*bands: Priority) -> Priority:
    """Return the most urgent of `bands`: what AI finds may raise a study and never lowers it."""
    return min(bands)


def deadline(received_at: datetime, priority: Priority, targets: TargetTimes) -> datetime:
    """Return by when the study should be read: its arrival plus the target time of its band."""
    return received_at + targets.of(priority)
