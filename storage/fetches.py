"""The instances that a source holds and this platform lacked: fetches as rows, at most one for each revision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.audit import AuditRows
from storage.schema import instances
from storage.schema_of_announcements import fetches, source_counts
from storage.transaction import transaction
from triage.audit import PLATFORM, AuditAction, AuditEvent
from triage.identifiers import StudyInstanceUid

MOST_FETCHES = 3
"""Of one study, over all its revisions: late instances do not make us ask for ever."""


@dataclass(frozen=True, slots=True)
class PlannedFetch:
    """A study whose source is to be asked for what is missing here."""

    study_instance_uid: str
    revision: int
    source: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """What became of a fetch: how many instances were missing, how many of them came, and why not all of them did."""

    source: str
    missing: int
    fetched: int
    reason: str

    @property
    def words(self) -> str:
        """The line that the study shows; empty where nothing that is needed was missing."""
        images = f"missing image{'' if self.missing == 1 else 's'}"
        if self.fetched < self.missing:
            why = self.reason or "the source did not send all"
            return f"fetched {self.fetched} of {self.missing} {images} from {self.source}: {why}"
        if self.reason:
            return f"fetched no {images} from {self.source}: {self.reason}"
        return f"fetched {self.missing} {images} from {self.source}" if self.missing else ""


def plan_fetch(connection: Connection, uid: StudyInstanceUid, revision: int, at: datetime) -> datetime | None:
    """Plan the fetch of this revision, once; return when it was planned while it has not ended, else None."""
    of_study = fetches.c.study_instance_uid == uid
    known = connection.execute(select(fetches).where(of_study)).all()
    own = next((one for one in known if one.revision == revision), None)
    if own is not None:
        return None if own.ended_at else own.planned_at
    source = select(source_counts.c.source).where(source_counts.c.study_instance_uid == uid)
    title = connection.execute(source).scalar_one_or_none()
    if title is None or len(known) >= MOST_FETCHES:
        return None
    values = {"study_instance_uid": uid, "revision": revision, "source": title, "planned_at": at}
    connection.execute(insert(fetches).values(values))
    return at


def planned_fetches(engine: Engine, titles: Sequence[str]) -> list[PlannedFetch]:
    """Return the fetches from these sources that have not ended, the oldest first."""
    query = select(fetches.c.study_instance_uid, fetches.c.revision, fetches.c.source).where(
        fetches.c.ended_at.is_(None), fetches.c.source.in_(titles)
    )
    with transaction(engine) as connection:
        return [PlannedFetch(*row) for row in connection.execute(query.order_by(fetches.c.planned_at))]


def held_instances(engine: Engine, study_uid: str) -> frozenset[str]:
    """Return the UIDs of the study's instances that are here."""
    query = select(instances.c.sop_instance_uid).where(instances.c.study_instance_uid == study_uid)
    with transaction(engine) as connection:
        return frozenset(connection.scalars(query))


def end_fetch(engine: Engine, planned: PlannedFetch, became: Fetch, at: datetime) -> None:
    """Keep what became of a fetch, in the audit chain too."""
    uid = StudyInstanceUid(planned.study_instance_uid)
    details = {"source": became.source, "missing": str(became.missing), "fetched": str(became.fetched)}
    event = AuditEvent(at, PLATFORM, AuditAction.IMAGES_FETCHED, not became.reason, uid, details)
    ending = (
        update(fetches)
        .where(fetches.c.study_instance_uid == uid, fetches.c.revision == planned.revision)
        .values(
            ended_at=func.clock_timestamp(), missing=became.missing, fetched=became.fetched, reason=became.reason
        )
    )  # fmt: skip
    with transaction(engine) as connection:
        connection.execute(ending)
        AuditRows(connection).append(event)


def fetches_of(connection: Connection, uid: StudyInstanceUid) -> tuple[Fetch, ...]:
    """Return the fetches of the study that have ended, in the order of its revisions."""
    query = select(fetches).where(fetches.c.study_instance_uid == uid, fetches.c.ended_at.is_not(None))
    rows = connection.execute(query.order_by(fetches.c.revision))
    return tuple(Fetch(row.source, row.missing, row.fetched, row.reason) for row in rows)
