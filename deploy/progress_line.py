"""How far a long command is and how long it will take: one line on standard error."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_WIDTH = 24
SECONDS_BETWEEN_LINES = 30.0
"""Where nobody is looking, a log is not filled with lines."""


class ProgressLine:
    """Keeps one line up to date where somebody is looking, and writes one now and then where not.

    The remaining time is that of the pace since the first new answer: what was kept does not count as fast, and loading
    the model not as slow.
    """

    def __init__(self, stream: TextIO | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        """Write to `stream`, standard error by default; `seconds` is a clock that only goes forward."""
        self._stream, self._seconds = stream or sys.stderr, seconds
        self._what, self._kept, self._written = "", 0, 0.0
        self._first: tuple[int, float] | None = None

    def told(self, what: str, done: int, total: int) -> None:
        """Say that `done` of `total` are done; the first call for `what` says what was done before."""
        now = self._seconds()
        if what != self._what or done <= self._kept:
            self._what, self._kept, self._written, self._first = what, done, now, None
        elif self._first is None:
            self._first = done, now
        left = self._left(done, total, now)
        if self._stream.isatty():
            filled = BAR_WIDTH * done // max(1, total)
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            # The rest of a longer line before is cleared.
            line, end = f"\racuity: [{bar}] {done} of {total}  {what}{left}\x1b[K", "\n" if done == total else ""
            print(line, end=end, file=self._stream, flush=True)
        elif done == total:
            print(f"acuity: {what}: {total} done", file=self._stream, flush=True)
        elif now - self._written >= SECONDS_BETWEEN_LINES:
            self._written = now
            print(f"acuity: {what}: {done} of {total}{left}", file=self._stream, flush=True)

    def _left(self, done: int, total: int, now: float) -> str:
        if self._first is None or done == self._first[0] or done == total:
            return ""
        first, at = self._first
        return f", {_in_words((now - at) / (done - first) * (total - done))} left"


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"about {max(1, round(seconds))} s"
    if seconds < 3600:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
