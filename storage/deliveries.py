"""Every delivery, of results, originals and copies: what was sent, what waits, what was refused, and once more."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from storage.audit import AuditRows
from storage.transaction import transaction
from storage.work_queue import JobRows
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority

_EVERY = """
    SELECT d.sop_instance_uid, d.destination, o.study_instance_uid, o.kind, d.state, d.attempts, d.last_error,
           d.planned_at, d.last_try_at, d.delivered_at, NULL AS sent_transfer_syntax_uid
    FROM deliveries d JOIN result_objects o USING (sop_instance_uid)
    UNION ALL
    SELECT sop_instance_uid, destination, study_instance_uid, 'original', state, attempts, last_error,
           planned_at, last_try_at, delivered_at, sent_transfer_syntax_uid
    FROM forwardings
    UNION ALL
    SELECT sop_instance_uid, destination, study_instance_uid, 'deidentified', state, attempts, last_error,
           planned_at, last_try_at, delivered_at, sent_transfer_syntax_uid
    FROM deidentified_copies
"""
_LIST = text(f"""
    SELECT * FROM ({_EVERY}) AS every
    WHERE (NOT :failed OR state = 'refused') AND (:destination = '' OR destination = :destination)
    ORDER BY coalesce(last_try_at, planned_at) DESC, sop_instance_uid, destination LIMIT :most
""")
_DESTINATIONS = text(f"""
    SELECT coalesce(c.destination, d.destination) AS name, coalesce(c.failures, 0) AS failures, c.retry_at,
           coalesce(c.last_error, '') AS last_error, coalesce(d.planned, 0) AS planned,
           coalesce(d.delivered, 0) AS delivered, coalesce(d.refused, 0) AS refused, d.last_delivered_at
    FROM destination_circuits c FULL JOIN (
        SELECT destination, count(*) FILTER (WHERE state = 'planned') AS planned,
               count(*) FILTER (WHERE state = 'delivered') AS delivered,
               count(*) FILTER (WHERE state = 'refused') AS refused, max(delivered_at) AS last_delivered_at
        FROM ({_EVERY}) AS every GROUP BY destination
    ) AS d USING (destination) ORDER BY name
""")
_WANTED = "state = 'refused' AND (:uid = '' OR sop_instance_uid = :uid) AND destination = :destination"
_REOPEN_RESULTS = text(f"UPDATE deliveries SET state = 'planned' WHERE {_WANTED} RETURNING sop_instance_uid")
_REOPEN_ORIGINALS = text(f"UPDATE forwardings SET state = 'planned' WHERE {_WANTED} RETURNING study_instance_uid")
_REOPEN_COPIES = text(f"UPDATE deidentified_copies SET state = 'planned' WHERE {_WANTED} RETURNING study_instance_uid")
_BANDS = text("""
    SELECT o.sop_instance_uid, s.priority FROM result_objects o JOIN studies s USING (study_instance_uid)
    WHERE o.sop_instance_uid = ANY(:uids)
""")
_CLOSE = text("UPDATE destination_circuits SET failures = 0, retry_at = NULL WHERE destination = :destination")


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """One object on its way to one destination.

    `kind` is "sr", "seg", "sc", "original" or "deidentified" (under the original's UID);
    `state` is "planned", "delivered" or "refused" (a dead letter);
    `sent_transfer_syntax_uid` is known for images alone.
    """

    sop_instance_uid: str
    destination: str
    study_instance_uid: str
    kind: str
    state: str
    attempts: int
    last_error: str
    planned_at: datetime
    last_try_at: datetime | None
    delivered_at: datetime | None
    sent_transfer_syntax_uid: str | None

    @property
    def id(self) -> str:
        """What `replay` takes."""
        return f"{self.sop_instance_uid}@{self.destination}"

    def as_object(self) -> dict[str, Any]:
        """Return the delivery as JSON: its fields, times in ISO 8601, and `id`."""
        return {"id": self.id} | {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DestinationState:
    """How one destination does; `retry_at` is set while it is not tried, because of `last_error`."""

    name: str
    failures: int
    retry_at: datetime | None
    last_error: str
    planned: int
    delivered: int
    refused: int
    last_delivered_at: datetime | None

    def as_object(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DeliveryLedger:
    """Reads every ledger and sends again what was refused, each call in a transaction of its own."""

    engine: Engine

    def newest(self, most: int, failed: bool = False, destination: str = "") -> tuple[ListedDelivery, ...]:
        """Return the deliveries, last tried first: the refused ones alone, or those to one destination."""
        values = {"most": most, "failed": failed, "destination": destination}
        with transaction(self.engine) as connection:
            return tuple(ListedDelivery(**row) for row in connection.execute(_LIST, values).mappings())

    def destinations(self) -> tuple[DestinationState, ...]:
        """Return every destination that something was ever planned for."""
        with transaction(self.engine) as connection:
            return tuple(DestinationState(**row) for row in connection.execute(_DESTINATIONS).mappings())

    def replay(self, destination: str, uid: str, actor: Actor, at: datetime) -> int:
        """Plan again what `destination` refused (the object `uid`, or all of it where `uid` is ""); return how many.

        What waits for the destination is due now, and its next object is a try even if it did not answer before.

        Raises:
            ActNotPossible: the one object is no refused delivery.
        """
        wanted = {"destination": destination, "uid": uid}
        with transaction(self.engine) as connection:
            results = connection.scalars(_REOPEN_RESULTS, wanted).all()
            originals = connection.scalars(_REOPEN_ORIGINALS, wanted).all()
            copies = connection.scalars(_REOPEN_COPIES, wanted).all()
            if uid and not (results or originals or copies):
                raise ActNotPossible(f"{uid}@{destination}: is no refused delivery")
            queue = JobRows(connection)
            for row in connection.execute(_BANDS, {"uids": list(results)}):
                queue.defer_delivery(SopInstanceUid(row.sop_instance_uid), destination, Priority(row.priority))
            for study in sorted(set(originals)):
                queue.defer_forwarding(StudyInstanceUid(study), destination, Priority.ROUTINE)
            for study in sorted(set(copies)):
                queue.defer_deidentified(StudyInstanceUid(study), destination, Priority.ROUTINE)
            queue.hasten(destination)
            connection.execute(_CLOSE, wanted)
            count = len(results) + len(originals) + len(copies)
            details = {"destination": destination, "count": str(count)} | ({"object": uid} if uid else {})
            AuditRows(connection).append(AuditEvent(at, actor, AuditAction.DELIVERIES_REPLAYED, details=details))
        return count


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
