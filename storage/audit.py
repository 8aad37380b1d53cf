"""The audit chain as rows: appended one after another, read back in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, text

from storage.schema import audit_events
from storage.transaction import transaction
from triage.audit import START, Actor, AuditAction, AuditEvent, AuditRecord, sealed
from triage.identifiers import Sha256, StudyInstanceUid

_CHAIN_LOCK = 0x41756474
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class AuditRows:
    """The chain within one transaction; satisfies `triage.ports.AuditLog`."""

    connection: Connection

    def append(self, event: AuditEvent) -> None:
        """Seal `event` behind the newest link; writers take turns until their transactions end."""
        self.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
        newest = select(audit_events.c.number, audit_events.c.digest).order_by(audit_events.c.number.desc()).limit(1)
        last = self.connection.execute(newest).one_or_none()
        number, previous = (1, START) if last is None else (last.number + 1, Sha256(last.digest))
        record = sealed(number, event, previous)
        values = {
            "number": record.number,
            "at": event.at,
            "actor": event.actor.name,
            "role": event.actor.role,
            "action": event.action.value,
            "succeeded": event.succeeded,
            "study_instance_uid": event.study_instance_uid,
            "details": dict(event.details),
            "previous": record.previous,
            "digest": record.digest,
        }
        self.connection.execute(insert(audit_events).values(values))


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The chain from outside: notes an event in a transaction of its own, and reads the whole chain."""

    engine: Engine

    def note(self, event: AuditEvent) -> None:
        """Return when the event is in the chain; raises StoreUnavailable."""
        with transaction(self.engine) as connection:
            AuditRows(connection).append(event)

    def newest(self, limit: int, before: int | None = None, study: StudyInstanceUid | None = None) -> list[AuditRecord]:
        """Return the newest links, newest first: those before number `before`, those about `study`."""
        query = select(audit_events).order_by(audit_events.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit_events.c.number < before)
        if study is not None:
            query = query.where(audit_events.c.study_instance_uid == study)
        with transaction(self.engine) as connection:
            return [_record(row) for row in connection.execute(query)]

    def every(self) -> Iterator[AuditRecord]:
        """Yield every link in the order of their numbers, a few thousand in memory at a time."""
        after = None
        while True:
            query = select(audit_events).order_by(audit_events.c.number).limit(_ROWS_AT_ONCE)
            if after is not None:
                query = query.where(audit_events.c.number > after)
            with transaction(self.engine) as connection:
                rows = connection.execute(query).all()
            yield from (_record(row) for row in rows)
            if len(rows) < _ROWS_AT_ONCE:
                return
            after = rows[-1].number


def _record(row: Row[Any]) -> AuditRecord:
    event = AuditEvent(
        at=row.at.astimezone(UTC),
        actor=Actor(row.actor, row.role),
        action=AuditAction(row.action),
        succeeded=row.succeeded,
        study_instance_uid=None if row.study_instance_uid is None else StudyInstanceUid(row.study_instance_uid),
        details=row.details,
    )
    return AuditRecord(row.number, event, Sha256(row.previous), Sha256(row.digest))
