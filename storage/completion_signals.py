"""What announces a study's instances, as rows: procedure steps, commitment requests, counts of the source, silences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from storage.schema_of_announcements import announced_instances, procedure_steps, source_counts
from storage.transaction import transaction
from triage.commitment import Reference
from triage.completion import Announcement, CompletionSignal
from triage.identifiers import StudyInstanceUid

_ANNOUNCEMENTS = text("""
WITH here AS (
    SELECT sop_instance_uid FROM instances WHERE study_instance_uid = :study
), keys AS (
    SELECT 'mpps' AS signal, sop_instance_uid AS announcement, status <> 'IN PROGRESS' AS is_final
    FROM procedure_steps WHERE study_instance_uid = :study
    UNION
    SELECT signal, announcement, true FROM announced_instances JOIN here USING (sop_instance_uid)
    WHERE signal = 'storage_commitment'
), named AS (
    SELECT DISTINCT signal, sop_instance_uid FROM announced_instances JOIN keys USING (signal, announcement)
)
SELECT signal, bool_and(is_final) AS is_final,
    (SELECT count(*) FROM named WHERE named.signal = keys.signal) AS named,
    (SELECT count(*) FROM named LEFT JOIN instances USING (sop_instance_uid)
     WHERE named.signal = keys.signal AND instances.sop_instance_uid IS NULL) AS missing,
    (SELECT count(*) FROM here LEFT JOIN named ON named.sop_instance_uid = here.sop_instance_uid
     AND named.signal = keys.signal WHERE named.signal IS NULL) AS unannounced
FROM keys GROUP BY signal
UNION ALL
SELECT 'c_find', true, instances, greatest(0, instances - (SELECT count(*) FROM here)), 0
FROM source_counts WHERE study_instance_uid = :study AND instances IS NOT NULL
""")

_LONGEST_SILENCES = text("""
WITH newest AS (
    SELECT study_instance_uid FROM studies WHERE complete_at IS NOT NULL ORDER BY complete_at DESC LIMIT :studies
), gaps AS (
    SELECT study_instance_uid, source_ae_title,
        received_at - lag(received_at) OVER (PARTITION BY study_instance_uid ORDER BY received_at) AS gap
    FROM instances JOIN newest USING (study_instance_uid)
)
SELECT source_ae_title, max(gap) AS silence FROM gaps WHERE gap IS NOT NULL GROUP BY study_instance_uid, source_ae_title
""")

_STUDIES_LEARNT_FROM = 500


def announcements_of(connection: Connection, uid: StudyInstanceUid) -> tuple[Announcement, ...]:
    """Return what was announced of the study."""
    rows = connection.execute(_ANNOUNCEMENTS, {"study": uid})
    return tuple(
        Announcement(CompletionSignal(row.signal), row.is_final, row.named, row.missing, row.unannounced)
        for row in rows
    )


def longest_silences(engine: Engine) -> dict[str, list[timedelta]]:
    """Return, by AE title, the longest silence between two instances in each of the studies completed last."""
    found: dict[str, list[timedelta]] = {}
    with transaction(engine) as connection:
        for row in connection.execute(_LONGEST_SILENCES, {"studies": _STUDIES_LEARNT_FROM}):
            found.setdefault(row.source_ae_title, []).append(row.silence)
    return found


@dataclass(frozen=True, slots=True)
class ProcedureStepRows:
    """Performed procedure steps, each call a transaction of its own."""

    engine: Engine

    def create(self, uid: str, study_uid: str, ae_title: str, content: Mapping[str, Any]) -> bool:
        """Keep a new step in progress; False where the UID is known."""
        values = {"sop_instance_uid": uid, "study_instance_uid": study_uid, "status": "IN PROGRESS"}
        adding = insert(procedure_steps).values(**values, ae_title=ae_title, content=content, created_at=func.now())
        with transaction(self.engine) as connection:
            added = adding.on_conflict_do_nothing().returning(procedure_steps.c.sop_instance_uid)
            return connection.execute(added).one_or_none() is not None

    def change(self, uid: str, status: str, content: Mapping[str, Any], made: Sequence[Reference]) -> str:
        """Return the step's status before; one in progress takes the new status, attributes and instances."""
        this = procedure_steps.c.sop_instance_uid == uid
        with transaction(self.engine) as connection:
            before = connection.execute(select(procedure_steps).where(this).with_for_update()).one_or_none()
            if before is None or before.status != "IN PROGRESS":
                return "" if before is None else str(before.status)
            values: dict[str, Any] = {"status": status or before.status, "content": before.content | dict(content)}
            if status in ("COMPLETED", "DISCONTINUED"):
                values["ended_at"] = func.now()
            connection.execute(update(procedure_steps).where(this).values(values))
            announce(connection, CompletionSignal.MPPS, uid, made)
            return str(before.status)


def announce(
    connection: Connection, signal: CompletionSignal, announcement: str, references: Sequence[Reference]
) -> None:
    """Keep which instances are announced; the same again changes nothing."""
    named = [
        {
            "signal": signal.value,
            "announcement": announcement,
            "sop_instance_uid": one.sop_instance_uid,
            "sop_class_uid": one.sop_class_uid,
        }
        for one in references
    ]
    if named:
        connection.execute(insert(announced_instances).on_conflict_do_nothing(), named)


_UNCOUNTED = text("""
SELECT studies.study_instance_uid, min(source_ae_title) AS source FROM studies JOIN instances USING (study_instance_uid)
WHERE status = 'RECEIVING' AND source_ae_title = ANY(:titles)
    AND NOT EXISTS (SELECT FROM source_counts counted WHERE counted.study_instance_uid = studies.study_instance_uid
        AND counted.asked_at > studies.last_instance_at)
    AND NOT EXISTS (SELECT FROM associations WHERE closed_at IS NULL AND association_id IN (
        SELECT association_id FROM instances i WHERE i.study_instance_uid = studies.study_instance_uid))
GROUP BY studies.study_instance_uid
""")


def uncounted_studies(engine: Engine, titles: Sequence[str]) -> list[tuple[str, str]]:
    """Return the receiving, released studies whose source was not asked since their last instance, with the source."""
    with transaction(engine) as connection:
        rows = connection.execute(_UNCOUNTED, {"titles": list(titles)}).all() if titles else []
    return [(row.study_instance_uid, row.source) for row in rows]


def keep_count(engine: Engine, study_uid: str, source: str, count: int | None) -> None:
    """Keep how many instances the source has of the study; None where it did not say."""
    values = {"source": source, "instances": count, "asked_at": func.clock_timestamp()}
    adding = insert(source_counts).values(study_instance_uid=study_uid, **values)
    with transaction(engine) as connection:
        connection.execute(adding.on_conflict_do_update(index_elements=["study_instance_uid"], set_=values))
