"""Hears within milliseconds of each committed change of a study, on one connection of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import Engine

from triage.errors import StoreUnavailable
from triage.identifiers import StudyInstanceUid

_CHANNEL = "study_changes"
_POLL_S = 5.0
_ANSWER_WITHIN_S = 10.0
_LATE_COMMITS_S = 60.0
_RESUME_OVERLAP = 100


@dataclass(frozen=True, slots=True)
class StudyChange:
    """One entry of the change feed; `change_id` grows, but may be committed out of order."""

    change_id: int
    study_instance_uid: StudyInstanceUid


@dataclass(frozen=True, slots=True)
class ChangeListener:
    """Follows the change feed of the database that `engine` names."""

    engine: Engine

    async def follow(self) -> AsyncIterator[Sequence[StudyChange]]:
        """Yield each batch of committed changes; the first batch is empty and says that the listener is in place.

        PostgreSQL's notification only wakes the listener; what changed is read from the table, and read again every
        few seconds, so neither a lost notification nor a pooler without LISTEN loses a change.

        Raises:
            StoreUnavailable: the connection is lost; follow again, and tell the watchers that they missed something.
        """
        try:
            async with await self._connect() as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                place = _Place(await _newest(connection))
                yield ()
                while True:
                    async for _ in connection.notifies(timeout=_POLL_S, stop_after=1):
                        pass
                    async with asyncio.timeout(_ANSWER_WITHIN_S):
                        fresh = place.take(await _read(connection, place.last, place.awaited()))
                    if fresh:
                        yield fresh
        except (psycopg.Error, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"change feed: {type(error).__name__}: {error}") from error

    async def since(self, change_id: int) -> Sequence[StudyChange]:
        """Return the changes after `change_id`; a few before it may be told again, for they may be late commits.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S), await self._connect() as connection:
                return await _read(connection, change_id - _RESUME_OVERLAP, [])
        except (psycopg.Error, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"change feed: {type(error).__name__}: {error}") from error

    async def _connect(self) -> AsyncConnection:
        address = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await AsyncConnection.connect(address, autocommit=True, connect_timeout=10)


@dataclass(slots=True)
class _Place:
    """How far the feed was read: the newest number, and the numbers below it whose transactions are not committed.

    A number is drawn before its transaction commits, so a lower one can become visible after a higher one. Those of
    transactions that were rolled back never come; they are awaited for a minute.
    """

    last: int
    missing: dict[int, float] = field(default_factory=dict)

    def awaited(self) -> list[int]:
        now = time.monotonic()
        self.missing = {number: until for number, until in self.missing.items() if until > now}
        return list(self.missing)

    def take(self, changes: Sequence[StudyChange]) -> Sequence[StudyChange]:
        """Return `changes`, noted as read."""
        seen = {change.change_id for change in changes}
        newest = max(seen, default=self.last)
        until = time.monotonic() + _LATE_COMMITS_S
        for number in range(self.last + 1, newest):
            self.missing.setdefault(number, until)
        for number in seen:
            self.missing.pop(number, None)
        self.last = max(self.last, newest)
        return changes


async def _newest(connection: AsyncConnection) -> int:
    cursor = await connection.execute("SELECT coalesce(max(id), 0) FROM study_changes")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _read(connection: AsyncConnection, after: int, awaited: list[int]) -> Sequence[StudyChange]:
    cursor = await connection.execute(
        "SELECT id, study_instance_uid FROM study_changes WHERE id > %s OR id = ANY(%s) ORDER BY id", (after, awaited)
    )
    return [StudyChange(number, StudyInstanceUid(uid)) for number, uid in await cursor.fetchall()]
