"""The real time."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Satisfies `triage.ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)
