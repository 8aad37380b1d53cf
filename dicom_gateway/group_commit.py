"""Sealed files become known instances, those of several associations at a time.

An association waits for its own answer, so one alone has nothing to share. While it commits, others pile up; whoever
commits next takes all of them: one transaction instead of many.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dicom_gateway.spool import SealedFile, Spool
from triage.errors import RetriableError, StoreUnavailable
from triage.study import InstanceHeader, ReceivedInstance, Registration, Source

MOST_AT_ONCE = 64
"""Instances in one transaction; more would make the first one wait too long for its answer."""


class Intake(Protocol):
    """Where received instances become known."""

    def register_instances(self, instances: Sequence[ReceivedInstance]) -> Sequence[Registration]:
        """Return, in the same order, when the rows are committed; raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sealed file whose header was read."""

    file: SealedFile
    header: InstanceHeader
    source: Source


@dataclass(slots=True, eq=False)
class _Ticket:
    candidate: Candidate
    called: threading.Event = field(default_factory=threading.Event)
    registration: Registration | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.registration is not None or self.error is not None

    @property
    def outcome(self) -> Registration | Exception:
        found = self.registration or self.error
        assert found is not None
        return found


class GroupCommit:
    """Registers instances for many threads; whichever finds nobody at work does the work of all who wait."""

    def __init__(self, spool: Spool, intake: Intake) -> None:
        self._spool = spool
        self._intake = intake
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._somebody_works = False

    def register(self, candidate: Candidate) -> Registration:
        """Return when the file has its durable place and the rows are committed.

        Raises:
            StorageFull: the disk says so.
            StoreUnavailable: the database does not answer.
        """
        (found,) = self.register_all([candidate])
        if isinstance(found, Exception):
            raise found
        return found

    def register_all(self, candidates: Sequence[Candidate]) -> list[Registration | Exception]:
        """Return what became of each, in the same order; an error is what `register` would have raised."""
        tickets = [_Ticket(candidate) for candidate in candidates]
        with self._lock:
            self._waiting.extend(tickets)
            must_wait, self._somebody_works = self._somebody_works, True
        for ticket in tickets:
            if must_wait:
                ticket.called.wait()
            if not ticket.is_done:
                self._work()
            # Who worked and has more to wait for goes on, or is called by who works now.
            must_wait = True
        return [ticket.outcome for ticket in tickets]

    def _work(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        try:
            self._commit(batch)
        finally:
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._somebody_works = successor is not None
            for ticket in batch:
                if not ticket.is_done:
                    ticket.error = StoreUnavailable("the transaction that this instance was part of was given up")
                ticket.called.set()
            if successor is not None:
                successor.called.set()

    def _commit(self, batch: Sequence[_Ticket]) -> None:
        try:
            registrations = self._register([ticket.candidate for ticket in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, RetriableError):
                # One of them spoils the transaction of all: each is tried alone.
                for ticket in batch:
                    self._commit([ticket])
                return
            for ticket in batch:
                ticket.error = error
            return
        for ticket, registration in zip(batch, registrations, strict=True):
            ticket.registration = registration

    def _register(self, candidates: Sequence[Candidate]) -> Sequence[Registration]:
        with self._spool.placing():
            files = self._spool.place([one.file for one in candidates])
            registrations = self._intake.register_instances(
                [ReceivedInstance(one.header, file, one.source) for one, file in zip(candidates, files, strict=True)]
            )
        self._spool.forget([one.file for one in candidates])
        return registrations
