"""What a person must look at: unreadable objects, conflicting ones, refused deliveries, studies that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, literal, null, select

from storage.schema import deliveries, instance_conflicts, quarantine, result_objects, studies
from storage.transaction import transaction
from triage.study import StudyStatus


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that needs a person.

    `kind` is "quarantine", "conflict", "refused_delivery" or "needs_attention"; `origin` names the sender or the
    destination. Where a row carries no time of its own, `at` is the time of the study's last step.
    """

    kind: str
    at: datetime
    study_instance_uid: str | None
    sop_instance_uid: str | None
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentList:
    """The newest incidents of each kind, newest first, and how many there are of each."""

    incidents: tuple[Incident, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class IncidentReader:
    """Reads the incidents, each call in a transaction of its own."""

    engine: Engine

    def newest(self, limit_per_kind: int) -> IncidentList:
        with transaction(self.engine) as connection:
            found: list[Incident] = []
            counts: dict[str, int] = {}
            for kind, query in _QUERIES.items():
                found += _incidents(connection, kind, query, limit_per_kind)
                counts[kind] = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        return IncidentList(tuple(sorted(found, key=lambda one: one.at, reverse=True)), counts)


_QUARANTINED = select(
    quarantine.c.received_at.label("at"),
    null().label("study_instance_uid"),
    quarantine.c.claimed_sop_instance_uid.label("sop_instance_uid"),
    quarantine.c.source_ae_title.label("origin"),
    quarantine.c.reason.label("reason"),
)

_CONFLICTING = select(
    instance_conflicts.c.received_at.label("at"),
    instance_conflicts.c.study_instance_uid,
    instance_conflicts.c.sop_instance_uid,
    instance_conflicts.c.source_ae_title.label("origin"),
    literal("other bytes under a known SOP Instance UID; the first ones are kept").label("reason"),
)

_REFUSED = (
    select(
        func.coalesce(studies.c.triaged_at, studies.c.received_at).label("at"),
        studies.c.study_instance_uid,
        deliveries.c.sop_instance_uid,
        deliveries.c.destination.label("origin"),
        deliveries.c.last_error.label("reason"),
    )
    .select_from(deliveries.join(result_objects).join(studies))
    .where(deliveries.c.state == "refused")
)

_FAILED = select(
    func.coalesce(studies.c.complete_at, studies.c.last_instance_at).label("at"),
    studies.c.study_instance_uid,
    null().label("sop_instance_uid"),
    literal("").label("origin"),
    studies.c.reason,
).where(studies.c.status == StudyStatus.NEEDS_ATTENTION.value)

_QUERIES: dict[str, Select[Any]] = {
    "needs_attention": _FAILED,
    "refused_delivery": _REFUSED,
    "conflict": _CONFLICTING,
    "quarantine": _QUARANTINED,
}


def _incidents(connection: Connection, kind: str, query: Select[Any], limit: int) -> Sequence[Incident]:
    newest = connection.execute(query.order_by(query.selected_columns["at"].desc()).limit(limit))
    return [_incident(kind, row) for row in newest]


def _incident(kind: str, row: Row[Any]) -> Incident:
    return Incident(
        kind=kind,
        at=row.at,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        origin=row.origin,
        reason=row.reason,
    )
