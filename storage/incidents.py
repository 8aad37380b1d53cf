"""What a person must look at: unreadable objects, conflicting ones, refused deliveries, studies that failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Row,
    Select,
    String,
    Table,
    case,
    cast,
    func,
    insert,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on

from storage.audit import AuditRows
from storage.schema import (
    deidentified_copies,
    deliveries,
    forwardings,
    incident_acts,
    instance_conflicts,
    quarantine,
    result_objects,
    studies,
)
from storage.schema_of_announcements import commitment_requests, confirmations
from storage.transaction import transaction
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible
from triage.study import StudyStatus


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that needs a person; `key` names it for ever, `handled` is "acknowledged", "closed" or empty.

    `kind` is "quarantine", "conflict", "refused_delivery" or "needs_attention"; `origin` names the sender or the
    destination. Where a row carries no time of its own, `at` is the time of the study's last step.
    """

    kind: str
    key: str
    at: datetime
    study_instance_uid: str | None
    sop_instance_uid: str | None
    origin: str
    reason: str
    handled: str = ""
    handled_by: str = ""


@dataclass(frozen=True, slots=True)
class IncidentList:
    """The newest incidents of each kind, newest first, and how many there are of each; closed ones are left out."""

    incidents: tuple[Incident, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class IncidentReader:
    """Reads the incidents and keeps what people did about them, each call in a transaction of its own."""

    engine: Engine

    def newest(self, limit_per_kind: int) -> IncidentList:
        with transaction(self.engine) as connection:
            found: list[Incident] = []
            counts: dict[str, int] = {}
            for kind, told in _QUERIES.items():
                query = _not_closed(told())
                found += _incidents(connection, kind, query, limit_per_kind)
                counts[kind] = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        return IncidentList(tuple(sorted(found, key=lambda one: one.at, reverse=True)), counts)

    def handle(self, key: str, act: str, actor: Actor, note: str, at: datetime) -> None:
        """Keep that `actor` has "acknowledged", "closed" or "reopened" an incident, and note it in the audit.

        Raises:
            ActNotPossible: no incident has this key.
        """
        with transaction(self.engine) as connection:
            if not any(_is_known(connection, told(), key) for told in _QUERIES.values()):
                raise ActNotPossible("there is no such incident")
            values = {"incident": key, "act": act, "account": actor.name, "note": note, "at": at}
            connection.execute(insert(incident_acts).values(values))
            event = AuditEvent(at, actor, AuditAction.INCIDENT_HANDLED, details={"incident": key, "act": act})
            AuditRows(connection).append(event)


def _quarantined() -> Select[Any]:
    return select(
        (literal("quarantine:") + cast(quarantine.c.id, String)).label("key"),
        quarantine.c.received_at.label("at"),
        null().label("study_instance_uid"),
        quarantine.c.claimed_sop_instance_uid.label("sop_instance_uid"),
        quarantine.c.source_ae_title.label("origin"),
        quarantine.c.reason.label("reason"),
    )


def _conflicting() -> Select[Any]:
    return select(
        (literal("conflict:") + instance_conflicts.c.sop_instance_uid + ":" + instance_conflicts.c.sha256).label("key"),
        instance_conflicts.c.received_at.label("at"),
        instance_conflicts.c.study_instance_uid,
        instance_conflicts.c.sop_instance_uid,
        instance_conflicts.c.source_ae_title.label("origin"),
        literal("other bytes under a known SOP Instance UID; the first ones are kept").label("reason"),
    )


def _refused() -> Select[Any]:
    images = (
        _refused_images(forwardings, "refused_delivery:"),
        _refused_images(deidentified_copies, "refused_delivery:deidentified:"),
    )
    told = union_all(_refused_results(), *images, _refused_confirmations(), _refused_reports())
    return select(told.subquery("refused"))


def _refused_confirmations() -> Select[Any]:
    key = literal("refused_delivery:commitment:") + confirmations.c.sop_instance_uid + ":" + confirmations.c.destination
    return select(
        key.label("key"),
        confirmations.c.answered_at.label("at"),
        confirmations.c.study_instance_uid,
        confirmations.c.sop_instance_uid,
        confirmations.c.destination.label("origin"),
        (literal("delivered, then not confirmed: ") + confirmations.c.reason).label("reason"),
    ).where(confirmations.c.state == "refused")


def _refused_reports() -> Select[Any]:
    asked = commitment_requests
    return select(
        (literal("refused_delivery:report:") + asked.c.transaction_uid + ":" + asked.c.ae_title).label("key"),
        asked.c.reported_at.label("at"),
        cast(null(), String).label("study_instance_uid"),
        cast(null(), String).label("sop_instance_uid"),
        asked.c.ae_title.label("origin"),
        (literal("report on a storage commitment not taken: ") + asked.c.last_error).label("reason"),
    ).where(asked.c.state == "refused")


def _refused_images(ledger: Table, prefix: str) -> Select[Any]:
    return select(
        (literal(prefix) + ledger.c.sop_instance_uid + ":" + ledger.c.destination).label("key"),
        func.coalesce(ledger.c.last_try_at, ledger.c.planned_at).label("at"),
        ledger.c.study_instance_uid,
        ledger.c.sop_instance_uid,
        ledger.c.destination.label("origin"),
        ledger.c.last_error.label("reason"),
    ).where(ledger.c.state == "refused")


def _refused_results() -> Select[Any]:
    return (
        select(
            (literal("refused_delivery:") + deliveries.c.sop_instance_uid + ":" + deliveries.c.destination).label(
                "key"
            ),
            func.coalesce(studies.c.triaged_at, studies.c.received_at).label("at"),
            studies.c.study_instance_uid,
            deliveries.c.sop_instance_uid,
            deliveries.c.destination.label("origin"),
            deliveries.c.last_error.label("reason"),
        )
        .select_from(deliveries.join(result_objects).join(studies))
        .where(deliveries.c.state == "refused")
    )


def _failed() -> Select[Any]:
    failed_at = func.coalesce(studies.c.complete_at, studies.c.last_instance_at)
    # Another failure of the same study after a retry is another incident: its time is part of the key.
    return select(
        (
            literal("needs_attention:")
            + studies.c.study_instance_uid
            + ":"
            + cast(cast(func.extract("epoch", failed_at), BigInteger), String)
        ).label("key"),
        failed_at.label("at"),
        studies.c.study_instance_uid,
        null().label("sop_instance_uid"),
        literal("").label("origin"),
        studies.c.reason,
    ).where(studies.c.status == StudyStatus.NEEDS_ATTENTION.value)


_QUERIES: dict[str, Callable[[], Select[Any]]] = {
    "needs_attention": _failed,
    "refused_delivery": _refused,
    "conflict": _conflicting,
    "quarantine": _quarantined,
}


def _not_closed(told: Select[Any]) -> Select[Any]:
    """Return the incidents of `told` with the newest act of a person beside each, without those that were closed."""
    incidents = told.subquery("incidents")
    acts = (
        select(incident_acts.c.incident, incident_acts.c.act, incident_acts.c.account)
        .ext(distinct_on(incident_acts.c.incident))
        .order_by(incident_acts.c.incident, incident_acts.c.number.desc())
        .subquery("acts")
    )
    act = func.coalesce(acts.c.act, "")
    handled = case((act == "reopened", ""), else_=act)
    query = select(incidents, handled.label("handled"), func.coalesce(acts.c.account, "").label("handled_by"))
    return query.select_from(incidents.outerjoin(acts, acts.c.incident == incidents.c.key)).where(act != "closed")


def _is_known(connection: Connection, told: Select[Any], key: str) -> bool:
    incidents = told.subquery()
    return connection.execute(select(incidents.c.key).where(incidents.c.key == key).limit(1)).first() is not None


def _incidents(connection: Connection, kind: str, query: Select[Any], limit: int) -> Sequence[Incident]:
    newest = connection.execute(query.order_by(query.selected_columns["at"].desc()).limit(limit))
    return [_incident(kind, row) for row in newest]


def _incident(kind: str, row: Row[Any]) -> Incident:
    return Incident(
        kind=kind,
        key=row.key,
        at=row.at,
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        origin=row.origin,
        reason=row.reason,
        handled=row.handled,
        handled_by=row.handled_by if row.handled else "",
    )
