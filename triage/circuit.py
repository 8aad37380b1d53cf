"""The way to one destination: after a few failures in a row nobody tries it for a while, then one does, for all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

OPEN_AFTER_FAILURES = 3
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a destination: failures in a row, and the time before which nobody tries it."""

    destination: str
    failures: int = 0
    retry_at: datetime | None = None
    last_error: str = ""

    def is_open(self, now: datetime) -> bool:
        """Return whether nobody may try the destination now."""
        return self.retry_at is not None and now < self.retry_at

    def after_failure(self, now: datetime, error: str, jitter: float) -> "Circuit":
        """Return the circuit after one more failure; from the third on it is open for 5, 10, 20 … 300 s × `jitter`."""
        failures = self.failures + 1
        beyond = failures - OPEN_AFTER_FAILURES
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(beyond, 10)) * jitter if beyond >= 0 else None
        return Circuit(self.destination, failures, None if pause is None else now + pause, error)
