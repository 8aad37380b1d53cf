"""Rows that follow an answer: an instance is acknowledged when its file is safe, and registered a moment later.

The sealed file says everything that its row is made of, so the row is never lost: what this process does not register
any more is taken over by `dicom_gateway.adoption`.
"""

import threading
from collections.abc import Callable, Sequence

import structlog

from dicom_gateway.group_commit import MOST_AT_ONCE, Candidate, GroupCommit
from triage.errors import RetriableError, StoreUnavailable
from triage.study import Registration

log = structlog.get_logger(__name__)

MOST_WAITING = 512
"""Instances that are acknowledged and not registered; more make their senders wait."""

_TAKE_WITHIN_S = 10.0
"""A sender is told by then, also where the database neither answers nor refuses; most wait for 30 s or longer."""

_GATHER_FOR_S = 0.1
_TRY_AGAIN_AFTER_S = 0.5
_STOP_WITHIN_S = 5.0


class FollowingRows:
    """Registers in a thread of its own what other threads hand in, in that order.

    While the database does not answer, what was handed in is kept and tried again, and nothing more is taken.
    """

    def __init__(self, group: GroupCommit, keep_apart: Callable[[Candidate, Exception], None]) -> None:
        """Take where rows are made, and what is done with an instance for which there can be none."""
        self._group = group
        self._keep_apart = keep_apart
        self._changed = threading.Condition()
        self._waiting: list[Candidate] = []
        self._handed_in = 0
        self._registered = 0
        self._somebody_waits = False
        self._failure: RetriableError | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="following-rows", daemon=True)

    def start(self) -> None:
        """Register from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Register what was handed in, if the database answers; what is left lies where it is found again."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)

    def hand_in(self, candidate: Candidate) -> int:
        """Take the instance, and return its number for `wait_for`.

        Raises:
            StoreUnavailable, StorageFull: there are no rows at present; the instance was not taken.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_answer, _TAKE_WITHIN_S):
                raise StoreUnavailable(f"{MOST_WAITING} instances wait for their rows, none got one in time")
            if self._failure is not None:
                raise self._failure
            if self._stopping:
                raise StoreUnavailable("this receiver stops")
            self._waiting.append(candidate)
            self._handed_in += 1
            if len(self._waiting) in (1, MOST_AT_ONCE):
                self._changed.notify_all()
            return self._handed_in

    def wait_for(self, number: int | None, within_s: float) -> bool:
        """Return whether the instance of this number, and each before it, is registered; None: all so far."""
        with self._changed:
            number = self._handed_in if number is None else number
            if self._registered < number:
                self._somebody_waits = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._registered >= number or self._failure is not None, within_s)
            return self._registered >= number

    def _has_answer(self) -> bool:
        return len(self._waiting) < MOST_WAITING or self._failure is not None or self._stopping

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                done, failure = self._register(batch)
            except Exception:
                log.exception("rows_not_written", instances=len(batch))
                done, failure = 0, StoreUnavailable("rows could not be written")
            with self._changed:
                if (failure is None) != (self._failure is None):
                    log.warning("rows_wait_for_the_database" if failure else "rows_follow_again", reason=str(failure))
                self._failure = failure
                self._registered += done
                del self._waiting[:done]
                self._changed.notify_all()
                if failure is not None:
                    self._changed.wait_for(lambda: self._stopping, _TRY_AGAIN_AFTER_S)
                    if self._stopping:
                        return

    def _next_batch(self) -> Sequence[Candidate]:
        """Return the next instances, gathered for a moment unless somebody waits for them; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            self._changed.wait_for(self._is_hurried, _GATHER_FOR_S)
            self._somebody_waits = False
            return self._waiting[:MOST_AT_ONCE]

    def _is_hurried(self) -> bool:
        return self._somebody_waits or self._stopping or len(self._waiting) >= MOST_AT_ONCE

    def _register(self, batch: Sequence[Candidate]) -> tuple[int, RetriableError | None]:
        """Return how many have their end, and why the next one has not; it and those after it are tried again."""
        for place, (candidate, found) in enumerate(zip(batch, self._group.register_all(batch), strict=True)):
            if found is Registration.CONFLICT:
                log.warning("instance_conflict", association=candidate.source.association_id)
            if isinstance(found, RetriableError):
                return place, found
            if isinstance(found, Exception):
                try:
                    self._keep_apart(candidate, found)
                except RetriableError as error:
                    return place, error
                except Exception:
                    # It stays where it is, to be tried again by the next process.
                    log.exception("instance_not_registered", association=candidate.source.association_id)
        return len(batch), None
