"""What readers did with a study, as rows that are never changed, and what the list shows of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from storage.rows import from_json, to_json
from storage.schema import reading_acts, studies
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority
from triage.reading import Act, ActKind, Claim, Closing, Override, Verdict, Work

_CONTENT = ("until", "band", "base", "note", "verdict")


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """Readers' acts within one transaction; satisfies `triage.ports.ReadingStore`."""

    connection: Connection

    def acts_of(self, uid: StudyInstanceUid) -> tuple[Act, ...]:
        query = select(reading_acts).where(reading_acts.c.study_instance_uid == uid).order_by(reading_acts.c.number)
        return tuple(act_from_row(row) for row in self.connection.execute(query))

    def add(self, act: Act) -> Act:
        content = to_json(act)
        values = {
            "study_instance_uid": act.study_instance_uid,
            "revision": act.revision,
            "reader": act.reader,
            "kind": act.kind.value,
            "at": act.at,
            "undoes": act.undoes,
            "content": {name: content[name] for name in _CONTENT if content[name] not in (None, "")},
        }
        row = self.connection.execute(insert(reading_acts).values(values).returning(reading_acts)).one()
        return act_from_row(row)

    def keep(self, uid: StudyInstanceUid, work: Work, due_at: datetime) -> None:
        claim, closing, override = work.claim, work.closing, work.override
        values = {
            "acts": studies.c.acts + 1,
            "owner": claim and claim.reader,
            "lease_expires_at": claim and claim.expires_at,
            "read_by": closing and closing.reader,
            "read_at": closing and closing.at,
            "read_revision": closing and closing.revision,
            "override_band": None if override is None else int(override.band),
            "override_base": None if override is None else int(override.base),
            "override_reason": override and override.reason,
            "override_by": override and override.author,
            "override_expires_at": override and override.expires_at,
            "override_deadline": due_at if override else None,
        }
        self.connection.execute(update(studies).where(studies.c.study_instance_uid == uid).values(values))

    def expired(self, at: datetime) -> Sequence[StudyInstanceUid]:
        ended = or_(
            studies.c.owner.is_not(None) & (studies.c.lease_expires_at <= at),
            studies.c.override_band.is_not(None) & (studies.c.override_expires_at <= at),
        )
        return [
            StudyInstanceUid(uid) for uid in self.connection.scalars(select(studies.c.study_instance_uid).where(ended))
        ]


def work_from_row(row: Row[Any]) -> Work:
    """Return what the readers' columns of one row of `studies` say."""
    claim = Claim(row.owner, row.lease_expires_at) if row.owner is not None else None
    closing = Closing(row.read_by, row.read_at, row.read_revision) if row.read_by is not None else None
    if row.override_band is None:
        return Work(claim, closing)
    override = Override(
        band=Priority(row.override_band),
        base=Priority(row.override_base),
        reason=row.override_reason,
        author=row.override_by,
        expires_at=row.override_expires_at,
    )
    return Work(claim, closing, override)


def act_from_row(row: Row[Any]) -> Act:
    """Return the domain value of one row of `reading_acts`."""
    content = row.content
    return Act(
        study_instance_uid=StudyInstanceUid(row.study_instance_uid),
        revision=row.revision,
        reader=row.reader,
        kind=ActKind(row.kind),
        at=row.at,
        number=row.number,
        undoes=row.undoes,
        until=datetime.fromisoformat(content["until"]) if "until" in content else None,
        band=Priority(content["band"]) if "band" in content else None,
        base=Priority(content["base"]) if "base" in content else None,
        note=content.get("note", ""),
        verdict=from_json(Verdict, content["verdict"]) if "verdict" in content else None,
    )
