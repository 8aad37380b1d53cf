"""Alarms of the drift monitor as rows: opened by the platform, answered by people, every step in the audit chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.audit import AuditRows
from storage.schema_of_validation import drift_alarms
from storage.transaction import transaction
from triage.audit import PLATFORM, Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible
from triage.surveillance import (
    ESCALATES_AFTER,
    Alarm,
    AlarmCause,
    AlarmState,
    Disposition,
    KeptAlarm,
    StreamKey,
    StreamKind,
)


@dataclass(frozen=True, slots=True)
class AlarmRows:
    """The alarms, each call in a transaction of its own."""

    engine: Engine

    def all(self, only_open: bool = False) -> list[KeptAlarm]:
        """Return the alarms, newest first; with `only_open` those that are not closed."""
        query = select(drift_alarms).order_by(drift_alarms.c.number.desc())
        if only_open:
            query = query.where(drift_alarms.c.state != AlarmState.CLOSED.value)
        with transaction(self.engine) as connection:
            return [_kept(row) for row in connection.execute(query)]

    def open_new(
        self, alarms: Sequence[Alarm], at: datetime, escalates_after: timedelta = ESCALATES_AFTER
    ) -> list[KeptAlarm]:
        """Keep those alarms that are news, and return them.

        An alarm is no news while one of its stream is not closed, or when it was noticed no later than the stream's
        newest alarm. Whoever is to see to it has `escalates_after`.
        """
        opened = []
        with transaction(self.engine) as connection:
            for alarm in alarms:
                if (row := _opened(connection, alarm, at, at + escalates_after)) is not None:
                    opened.append(_kept(row))
                    _note(connection, row, PLATFORM, AuditAction.ALARM_OPENED, at)
        return opened

    def escalate(self, at: datetime) -> list[KeptAlarm]:
        """Escalate the open alarms that nobody acknowledged in time, each once, and return them."""
        columns = drift_alarms.c
        due = func.coalesce(columns.escalates_at, columns.opened_at + ESCALATES_AFTER)
        late = (columns.state == AlarmState.OPEN.value) & columns.escalated_at.is_(None) & (due < at)
        with transaction(self.engine) as connection:
            change = update(drift_alarms).where(late).values(escalated_at=at).returning(drift_alarms)
            rows = sorted(connection.execute(change), key=lambda row: int(row.number))
            for row in rows:
                _note(connection, row, PLATFORM, AuditAction.ALARM_ESCALATED, at)
        return [_kept(row) for row in rows]

    def acknowledge(self, number: int, actor: Actor, at: datetime) -> KeptAlarm:
        """Keep that somebody has seen an open alarm, who then owns it; raises ActNotPossible."""
        values = {"state": AlarmState.ACKNOWLEDGED.value, "owner": actor.name}
        return self._changed(number, values, actor, AuditAction.ALARM_ACKNOWLEDGED, at, (AlarmState.OPEN,))

    def assign(self, number: int, owner: str, actor: Actor, at: datetime) -> KeptAlarm:
        """Give an alarm that is not closed to `owner`; raises ActNotPossible."""
        values = {"owner": owner}
        states = (AlarmState.OPEN, AlarmState.ACKNOWLEDGED)
        return self._changed(number, values, actor, AuditAction.ALARM_ASSIGNED, at, states)

    def close(self, number: int, how: Disposition, actor: Actor, at: datetime) -> KeptAlarm:
        """Close an alarm with its cause; what is no false alarm needs words or an action; raises ActNotPossible."""
        if how.cause is not AlarmCause.FALSE_ALARM and not (how.explanation or how.action):
            raise ActNotPossible(f"cause {how.cause.value}: needed an explanation or the reference of an action")
        values = {
            "state": AlarmState.CLOSED.value,
            "cause": how.cause.value,
            "explanation": how.explanation,
            "action": how.action,
            "new_baseline": how.new_baseline,
            "closed_at": at,
        }
        states = (AlarmState.OPEN, AlarmState.ACKNOWLEDGED)
        return self._changed(number, values, actor, AuditAction.ALARM_CLOSED, at, states)

    def _changed(
        self,
        number: int,
        values: dict[str, Any],
        actor: Actor,
        action: AuditAction,
        at: datetime,
        allowed: tuple[AlarmState, ...],
    ) -> KeptAlarm:
        with transaction(self.engine) as connection:
            known = select(drift_alarms.c.state).where(drift_alarms.c.number == number).with_for_update()
            state = connection.execute(known).scalar_one_or_none()
            if state is None:
                raise ActNotPossible(f"there is no alarm {number}")
            if state not in allowed:
                raise ActNotPossible(f"alarm {number} is {state}, needed {' or '.join(allowed)}")
            change = update(drift_alarms).where(drift_alarms.c.number == number).values(values)
            row = connection.execute(change.returning(drift_alarms)).one()
            _note(connection, row, actor, action, at)
        return _kept(row)


def mark_paused(number: int, at: datetime) -> Callable[[Connection], None]:
    """Return what keeps, in the transaction of a connection, that the flags of a model paused because of an alarm."""

    def mark(connection: Connection) -> None:
        connection.execute(update(drift_alarms).where(drift_alarms.c.number == number).values(flags_paused_at=at))

    return mark


def _opened(connection: Connection, alarm: Alarm, at: datetime, escalates_at: datetime) -> Row[Any] | None:
    key = alarm.key
    of_stream = [getattr(drift_alarms.c, name) == getattr(key, name) for name in ("site", "scanner", "model", "stream")]
    newest = connection.execute(
        select(drift_alarms.c.noticed_on).where(*of_stream).order_by(drift_alarms.c.number.desc())
    ).first()
    if newest is not None and newest.noticed_on >= alarm.noticed_on:
        return None
    values = {
        **{name: getattr(key, name) for name in ("site", "scanner", "model", "stream")},
        "kind": alarm.kind.value,
        "noticed_on": alarm.noticed_on,
        "changed_on": alarm.changed_on,
        "side": alarm.side,
        "statistic": alarm.statistic,
        "alarm_limit": alarm.limit,
        "size": alarm.size,
        "studies": list(alarm.studies),
        "amount": alarm.amount,
        "opened_at": at,
        "escalates_at": escalates_at,
        "state": AlarmState.OPEN.value,
    }
    statement = insert(drift_alarms).values(values).on_conflict_do_nothing().returning(drift_alarms)
    return connection.execute(statement).one_or_none()


def _note(connection: Connection, row: Row[Any], actor: Actor, action: AuditAction, at: datetime) -> None:
    told = {"alarm": str(row.number), "stream": row.stream, "scanner": row.scanner, "model": row.model}
    told |= {name: str(row._mapping[name]) for name in ("owner", "cause", "action") if row._mapping[name]}
    AuditRows(connection).append(AuditEvent(at, actor, action, details=told))


def _kept(row: Row[Any]) -> KeptAlarm:
    alarm = Alarm(
        key=StreamKey(row.site, row.scanner, row.model, row.stream),
        kind=StreamKind(row.kind),
        noticed_on=row.noticed_on,
        changed_on=row.changed_on,
        side=row.side,
        statistic=row.statistic,
        limit=row.alarm_limit,
        size=row.size,
        studies=tuple(row.studies),
        amount=row.amount,
    )
    return KeptAlarm(
        number=row.number,
        alarm=alarm,
        opened_at=row.opened_at.astimezone(UTC),
        state=AlarmState(row.state),
        owner=row.owner,
        cause=None if row.cause is None else AlarmCause(row.cause),
        explanation=row.explanation,
        action=row.action,
        new_baseline=row.new_baseline,
        **{
            name: None if moment is None else moment.astimezone(UTC)
            for name in ("closed_at", "escalates_at", "escalated_at", "flags_paused_at")
            for moment in (row._mapping[name],)
        },
    )
