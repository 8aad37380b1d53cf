"""The outbox: events that people are told of, and every message about them with what became of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from storage.audit import AuditRows
from storage.transaction import transaction
from storage.work_queue import JobRows
from triage.audit import PLATFORM, Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible
from triage.identifiers import StudyInstanceUid
from triage.notifications import Ending, EventKind, OpenEvent, Step

_MOST_AT_ONCE = 5000
_READERS = ("reader", "lead", "admin")
_SEEN = (
    AuditAction.STUDY_VIEWED, AuditAction.IMAGES_VIEWED, AuditAction.CLAIMED, AuditAction.READ,
    AuditAction.VERDICT_GIVEN, AuditAction.NOTE_WRITTEN, AuditAction.REPRIORITISED,
)  # fmt: skip
_ALARM_SEEN = (AuditAction.ALARM_ACKNOWLEDGED, AuditAction.ALARM_ASSIGNED, AuditAction.ALARM_CLOSED)

# What counts as acknowledged is read from the audit chain, where each act stands with its author; an API token is
# nobody, so a study must have been opened or claimed by an account.
_OPEN = text("""
    SELECT e.number, e.kind, e.subject, now() - e.at AS age,
           coalesce(CASE
               WHEN e.kind = 'critical_study' THEN (
                   SELECT a.actor FROM audit_events a JOIN accounts c ON c.name = a.actor
                   WHERE a.study_instance_uid = e.subject AND a.number > e.after_link AND a.succeeded
                     AND a.action = ANY(:seen) AND a.role = ANY(:readers) ORDER BY a.number LIMIT 1)
               WHEN e.kind IN ('alarm', 'escalated_alarm') THEN (
                   SELECT a.actor FROM audit_events a
                   WHERE a.number > e.after_link AND a.action = ANY(:alarm_seen) AND a.details ->> 'alarm' = e.subject
                   ORDER BY a.number LIMIT 1)
               ELSE (
                   SELECT a.actor FROM audit_events a
                   WHERE a.number > e.after_link AND (
                       a.action = 'deliveries_replayed' AND a.details ->> 'destination' = e.subject
                       OR a.action = 'incident_handled' AND a.details ->> 'incident' LIKE 'refused\\_delivery:%'
                          AND right(a.details ->> 'incident', length(e.subject) + 1) = ':' || e.subject)
                   ORDER BY a.number LIMIT 1)
           END, '') AS acknowledged_by,
           e.kind = 'critical_study' AND NOT coalesce(s.listed_band = 1 AND s.is_open, false) AS is_over,
           (SELECT CASE WHEN bool_or(n.state = 'planned') THEN 0 ELSE count(DISTINCT n.step) END
            FROM notifications n WHERE n.event = e.number) AS steps_told
    FROM notification_events e LEFT JOIN studies s ON e.kind = 'critical_study' AND s.study_instance_uid = e.subject
    WHERE e.ending IS NULL ORDER BY e.number LIMIT :most
""")
_PLAN = text("""
    INSERT INTO notifications (event, step, target) VALUES (:event, :step, :target)
    ON CONFLICT DO NOTHING RETURNING id
""")
_END = text("""
    UPDATE notification_events SET ending = :ending, ended_by = :by WHERE number = :event AND ending IS NULL
    RETURNING kind, subject
""")
_LISTED = """
    SELECT n.id::text AS id, e.number AS event, e.kind, e.subject, e.at, n.step, n.target, n.state, n.attempts,
           n.last_error, n.planned_at, n.last_try_at, e.ending, e.ended_by
    FROM notifications n JOIN notification_events e ON e.number = n.event
"""
_NEWEST = text(f"{_LISTED} WHERE NOT :failed OR n.state = 'refused' ORDER BY n.planned_at DESC, n.id LIMIT :most")
_ONE = text(f"{_LISTED} WHERE n.id::text = :id")
_ACCESSION = text("SELECT header ->> 'accession_number' FROM studies WHERE study_instance_uid = :uid")
_MARK = text("""
    UPDATE notifications SET state = :state, last_error = :error, last_try_at = now(),
           attempts = attempts + CASE :state WHEN 'dropped' THEN 0 ELSE 1 END
    WHERE id::text = :id
""")
_RETRY = text("UPDATE notifications SET state = 'planned' WHERE id::text = :id AND state = 'refused' RETURNING target")


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one target; `state` is "planned", "sent", "refused" or "dropped" (nobody needed it any more).

    `ending` says why its event ended (see `triage.notifications.Ending`), None while it is open.
    """

    id: str
    event: int
    kind: str
    subject: str
    at: datetime
    step: int
    target: str
    state: str
    attempts: int
    last_error: str
    planned_at: datetime
    last_try_at: datetime | None
    ending: str | None
    ended_by: str

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be sent: nobody has acknowledged, and the event is not over."""
        return self.state == "planned" and self.ending in (None, Ending.NOBODY_LEFT)

    def as_object(self) -> dict[str, Any]:
        """Return the notification as JSON: its fields, times in ISO 8601."""
        return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox, each call in a transaction of its own, with its links of the audit chain."""

    engine: Engine

    def open_events(self) -> Sequence[OpenEvent]:
        """Return the oldest events that have not ended, at most 5000, each with who acknowledged it."""
        values = {"seen": list(_SEEN), "alarm_seen": list(_ALARM_SEEN), "readers": list(_READERS)}
        with transaction(self.engine) as connection:
            return [_event(row) for row in connection.execute(_OPEN, values | {"most": _MOST_AT_ONCE})]

    def plan(self, event: int, number: int, step: Step) -> int:
        """Plan what step `number` of the ladder asks for, each with its job; return how many were not planned yet."""
        with transaction(self.engine) as connection:
            planned = [
                str(found)
                for target in step.targets
                for found in connection.scalars(_PLAN, {"event": event, "step": number, "target": target})
            ]
            for one in planned:
                JobRows(connection).defer_notification(one)
        return len(planned)

    def end(self, event: int, ending: Ending, by: str, at: datetime) -> None:
        """Keep why nobody more is told of an event; noted in the audit where anybody could have been told."""
        with transaction(self.engine) as connection:
            found = connection.execute(_END, {"event": event, "ending": ending.value, "by": by}).one_or_none()
            if found is not None and ending is not Ending.NO_LADDER:
                told = {"event": str(event), "ending": ending.value} | ({"by": by} if by else {})
                _note(connection, AuditAction.ESCALATION_ENDED, found.kind, found.subject, told, at)

    def find(self, uid: str) -> Notification | None:
        """Return one notification."""
        with transaction(self.engine) as connection:
            row = connection.execute(_ONE, {"id": uid}).one_or_none()
        return None if row is None else Notification(**row._mapping)

    def accession_number_of(self, study: str) -> str:
        """Return the accession number of a study, empty where it has none."""
        with transaction(self.engine) as connection:
            return connection.execute(_ACCESSION, {"uid": study}).scalar_one_or_none() or ""

    def newest(self, most: int, failed: bool = False) -> Sequence[Notification]:
        """Return the notifications, last planned first; with `failed` the refused ones alone."""
        with transaction(self.engine) as connection:
            found = connection.execute(_NEWEST, {"most": most, "failed": failed})
            return [Notification(**row._mapping) for row in found]

    def mark(self, one: Notification, state: str, error: str, at: datetime) -> None:
        """Keep what became of a try: "planned" where it is tried again, "sent", "refused" or "dropped"."""
        with transaction(self.engine) as connection:
            connection.execute(_MARK, {"id": one.id, "state": state, "error": error})
            if state in ("sent", "refused"):
                told = {"event": str(one.event), "step": str(one.step), "target": one.target, "notification": one.id}
                action = AuditAction.NOTIFICATION_SENT if state == "sent" else AuditAction.NOTIFICATION_REFUSED
                _note(connection, action, one.kind, one.subject, told, at)

    def retry(self, uid: str, actor: Actor, at: datetime) -> None:
        """Plan again a notification that was refused; raises ActNotPossible."""
        with transaction(self.engine) as connection:
            target = connection.execute(_RETRY, {"id": uid}).scalar_one_or_none()
            if target is None:
                raise ActNotPossible(f"{uid}: is no refused notification")
            JobRows(connection).defer_notification(uid)
            told = {"notification": uid, "target": target}
            AuditRows(connection).append(AuditEvent(at, actor, AuditAction.NOTIFICATION_RETRIED, details=told))


def _event(row: Row[Any]) -> OpenEvent:
    return OpenEvent(
        number=row.number,
        kind=EventKind(row.kind),
        subject=row.subject,
        age=max(timedelta(0), row.age),
        acknowledged_by=row.acknowledged_by,
        is_over=row.is_over,
        steps_told=row.steps_told,
    )


def _note(
    connection: Connection, action: AuditAction, kind: str, subject: str, told: dict[str, str], at: datetime
) -> None:
    is_study = kind == EventKind.CRITICAL_STUDY
    study = StudyInstanceUid(subject) if is_study else None
    details = {"kind": kind, **({} if is_study else {"subject": subject}), **told}
    succeeded = action is not AuditAction.NOTIFICATION_REFUSED
    AuditRows(connection).append(AuditEvent(at.astimezone(UTC), PLATFORM, action, succeeded, study, details))
