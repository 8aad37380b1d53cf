"""Removes the images of studies that are old, done with and safe elsewhere; what was found in them stays."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, or_, select, text, update

from storage.audit import AuditRows
from storage.schema import deidentified_copies, forwardings, instance_conflicts, instances, quarantine, studies
from storage.transaction import transaction
from triage.audit import PLATFORM, AuditAction, AuditEvent
from triage.identifiers import StudyInstanceUid

_MOST_AT_ONCE = 200
_DONE_WITH = """
    s.status IN ('TRIAGED', 'DELIVERED') AND (NOT s.is_open OR NOT :must_be_read)
    AND (s.lease_expires_at IS NULL OR s.lease_expires_at <= :now)
    AND NOT EXISTS (SELECT FROM result_objects o JOIN deliveries d USING (sop_instance_uid)
        WHERE o.study_instance_uid = s.study_instance_uid AND d.state <> 'delivered')
    AND NOT EXISTS (SELECT FROM forwardings f
        WHERE f.study_instance_uid = s.study_instance_uid AND f.state <> 'delivered')
    AND NOT EXISTS (SELECT FROM deidentified_copies f
        WHERE f.study_instance_uid = s.study_instance_uid AND f.state <> 'delivered')
    AND NOT EXISTS (SELECT FROM instances c JOIN announced_instances a USING (sop_instance_uid)
        WHERE c.study_instance_uid = s.study_instance_uid AND a.signal = 'storage_commitment'
        AND NOT EXISTS (SELECT FROM forwardings f
            WHERE f.sop_instance_uid = c.sop_instance_uid AND f.state = 'delivered'))
    AND NOT EXISTS (SELECT FROM procrastinate_jobs j
        WHERE j.args ->> 'study_instance_uid' = s.study_instance_uid AND j.status IN ('todo', 'doing'))
"""
_OLD = text(f"""
    SELECT s.study_instance_uid, max(s.last_instance_at) AS last_instance_at, count(*) AS instances,
           sum(i.size) AS bytes, array_agg(DISTINCT i.series_header ->> 'modality') AS modalities,
           min((r.routing ->> 'retention_days')::integer) AS rule_days
    FROM studies s JOIN instances i USING (study_instance_uid)
    LEFT JOIN routings r ON r.study_instance_uid = s.study_instance_uid AND r.revision = s.revision
    WHERE {_DONE_WITH} AND (s.last_instance_at < :before OR r.routing ->> 'retention_days' IS NOT NULL)
    GROUP BY s.study_instance_uid ORDER BY max(s.last_instance_at) LIMIT :most OFFSET :skipped
""")
_STILL = text(f"SELECT 1 FROM studies s WHERE s.study_instance_uid = :uid AND {_DONE_WITH} FOR UPDATE")


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long images are kept after a study's last one: `keep`, or per modality; None keeps them for ever.

    A study of several modalities is kept as long as the one that is kept longest; one for which a routing rule said how
    long, that long. `must_be_read`: nothing is removed that nobody marked as read.
    """

    keep: timedelta | None = None
    by_modality: Mapping[str, timedelta | None] | None = None
    must_be_read: bool = True

    def shortest(self) -> timedelta | None:
        """Return the age below which nothing is removed that no routing rule speaks of; None where nothing ever is."""
        limits = [self.keep, *(self.by_modality or {}).values()]
        return min((one for one in limits if one is not None), default=None)

    def age_of(self, modalities: Sequence[str], rule_days: int | None = None) -> timedelta | None:
        """Return how long a study with these modalities is kept; None: for ever. `rule_days` of 0 are for ever."""
        if rule_days is not None:
            return timedelta(days=rule_days) if rule_days else None
        limits = [(self.by_modality or {}).get(one, self.keep) for one in modalities]
        known = [one for one in limits if one is not None]
        return max(known) if known and len(known) == len(limits) else None


@dataclass(frozen=True, slots=True)
class Removable:
    """A study whose images may go."""

    study_instance_uid: StudyInstanceUid
    last_instance_at: datetime
    instances: int
    bytes: int
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retention:
    """Finds and removes; `spool_alone` gives the time in which no receiver gives a file its place."""

    engine: Engine
    rule: RetentionRule
    spool_alone: Callable[[], AbstractContextManager[None]]

    def removable(self, now: datetime) -> list[Removable]:
        """Return the studies whose images may go now, oldest first.

        Each is triaged, read (unless the rule says otherwise) and in nobody's hands, none of its results or originals
        waits for a destination or was refused by one, and no job is left for it. An image that we committed ourselves
        to keep stays until another archive has it: whoever asked may have deleted its own.
        """
        shortest = self.rule.shortest()
        found: list[Removable] = []
        skipped = 0
        while True:
            values = {"before": shortest and now - shortest, "most": _MOST_AT_ONCE, "skipped": skipped} | self._values(
                now
            )
            with transaction(self.engine) as connection:
                rows = connection.execute(_OLD, values).all()
            for row in rows:
                age = self.rule.age_of(row.modalities, row.rule_days)
                if age is not None and row.last_instance_at < now - age:
                    uid, modalities = StudyInstanceUid(row.study_instance_uid), tuple(row.modalities)
                    found.append(Removable(uid, row.last_instance_at, row.instances, int(row.bytes), modalities))
            if len(rows) < _MOST_AT_ONCE:
                return found
            skipped += len(rows)

    def remove(self, study: Removable, now: datetime) -> int:
        """Remove rows and files of the study's images, and return how many files went; 0 where something changed.

        Study, findings, reports, reading and audit stay. An image that comes again later is a new one.
        """
        with self.spool_alone():
            with transaction(self.engine) as connection:
                if connection.scalar(_STILL, {"uid": study.study_instance_uid} | self._values(now)) is None:
                    return 0
                paths = _forget(connection, study.study_instance_uid)
                details = {"instances": str(study.instances), "bytes": str(study.bytes)}
                event = AuditEvent(now, PLATFORM, AuditAction.IMAGES_REMOVED, True, study.study_instance_uid, details)
                AuditRows(connection).append(event)
            # Rows first: a file without a row is waste that `storage verify` names, a row without a file is a loss.
            for path in paths:
                Path(path).unlink(missing_ok=True)
        return len(paths)

    def _values(self, now: datetime) -> dict[str, object]:
        return {"must_be_read": self.rule.must_be_read, "now": now}


def _forget(connection: Connection, uid: StudyInstanceUid) -> list[str]:
    """Delete the rows of the study's images, and return the files that no other row uses."""
    for ledger in (forwardings, deidentified_copies):
        connection.execute(delete(ledger).where(ledger.c.study_instance_uid == uid))
    own = select(instances.c.sop_instance_uid).where(instances.c.study_instance_uid == uid)
    about_own = or_(instance_conflicts.c.study_instance_uid == uid, instance_conflicts.c.sop_instance_uid.in_(own))
    paths = set(connection.scalars(delete(instance_conflicts).where(about_own).returning(instance_conflicts.c.path)))
    gone = delete(instances).where(instances.c.study_instance_uid == uid).returning(instances.c.path)
    paths |= set(connection.scalars(gone))
    # The row is written again: whoever keeps what it showed learns from its version that this is no longer so.
    own_row = update(studies).where(studies.c.study_instance_uid == uid)
    connection.execute(own_row.values(last_instance_at=studies.c.last_instance_at))
    used: set[str] = set()
    for table in (instances, instance_conflicts, quarantine):
        used |= set(connection.scalars(select(table.c.path).where(table.c.path.in_(paths))))
    return sorted(paths - used)
