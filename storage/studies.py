"""Studies and instances as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.completion_signals import announcements_of
from storage.fetches import plan_fetch
from storage.rows import from_json, to_json
from storage.schema import associations, instance_conflicts, instances, studies
from triage.completion import Announcement, CompletionSignal
from triage.errors import UnknownStudy
from triage.findings import AiState
from triage.identifiers import Sha256, StudyInstanceUid
from triage.priority import Priority
from triage.study import (
    ImageHeader,
    ReceivedInstance,
    Registration,
    Series,
    SeriesHeader,
    StoredFile,
    Study,
    StudyHeader,
    StudyStatus,
)


@dataclass(frozen=True, slots=True)
class StudyRows:
    """Studies within one transaction; satisfies `triage.ports.StudyStore`."""

    connection: Connection

    def find(self, uid: StudyInstanceUid) -> Study | None:
        query = select(studies).where(studies.c.study_instance_uid == uid).with_for_update()
        row = self.connection.execute(query).one_or_none()
        return None if row is None else study_from_row(row)

    def get(self, uid: StudyInstanceUid) -> Study:
        study = self.find(uid)
        if study is None:
            raise UnknownStudy(f"study {uid}: never received")
        return study

    def add(self, study: Study) -> Study:
        self.connection.execute(insert_or_skip(studies).values(_study_values(study)).on_conflict_do_nothing())
        return self.get(study.study_instance_uid)

    def save(self, study: Study) -> None:
        values = _study_values(study)
        uid = values.pop("study_instance_uid")
        self.connection.execute(update(studies).where(studies.c.study_instance_uid == uid).values(values))

    def receiving(self) -> Sequence[StudyInstanceUid]:
        query = select(studies.c.study_instance_uid).where(studies.c.status == StudyStatus.RECEIVING)
        return [StudyInstanceUid(uid) for uid in self.connection.scalars(query.order_by(studies.c.last_instance_at))]

    def note_instance(self, uid: StudyInstanceUid, at: datetime) -> None:
        noting = update(studies).where(studies.c.study_instance_uid == uid).values(last_instance_at=at)
        self.connection.execute(noting)

    def add_instances(self, received: Sequence[ReceivedInstance], at: datetime) -> Sequence[Registration]:
        values = [instance_values(one, at) for one in received]
        adding = insert_or_skip(instances).on_conflict_do_nothing()
        adding_told = adding.returning(instances.c.sop_instance_uid, instances.c.sha256)
        added = {row.sop_instance_uid: row.sha256 for row in self.connection.execute(adding_told, values)}
        return [self._registration(one, added) for one in values]

    def _registration(self, values: Mapping[str, Any], added: dict[str, str]) -> Registration:
        """Return what adding one row found, and keep a conflict; takes the row out of `added`."""
        uid, digest = values["sop_instance_uid"], values["sha256"]
        if added.get(uid) == digest:
            del added[uid]
            return Registration.NEW
        known = self.connection.execute(
            select(instances.c.sha256).where(instances.c.sop_instance_uid == uid)
        ).scalar_one()
        if known == digest:
            return Registration.DUPLICATE
        columns = {name: values[name] for name in instance_conflicts.c.keys()}
        self.connection.execute(insert_or_skip(instance_conflicts).values(columns).on_conflict_do_nothing())
        return Registration.CONFLICT

    def open_associations(self, uid: StudyInstanceUid) -> int:
        carrying = select(instances.c.association_id).where(instances.c.study_instance_uid == uid)
        query = select(func.count()).where(
            associations.c.closed_at.is_(None), associations.c.association_id.in_(carrying)
        )
        return self.connection.execute(query).scalar_one()

    def was_interrupted(self, uid: StudyInstanceUid) -> bool:
        carrying = select(instances.c.association_id).where(instances.c.study_instance_uid == uid)
        last = (
            select(associations.c.outcome)
            .where(associations.c.association_id.in_(carrying))
            .order_by(associations.c.opened_at.desc())
            .limit(1)
        )
        return self.connection.execute(last).scalar_one_or_none() not in (None, "released")

    def series_of(self, uid: StudyInstanceUid) -> tuple[Series, ...]:
        description = self.connection.execute(
            select(studies.c.header["study_description"].astext).where(studies.c.study_instance_uid == uid)
        ).scalar_one()
        query = (
            select(instances)
            .where(instances.c.study_instance_uid == uid)
            .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
        )
        grouped: dict[str, list[Row[Any]]] = {}
        for row in self.connection.execute(query):
            grouped.setdefault(row.series_instance_uid, []).append(row)
        return tuple(_series(rows, description) for rows in grouped.values())

    def sources_of(self, uid: StudyInstanceUid) -> tuple[str, ...]:
        query = select(instances.c.source_ae_title).distinct().where(instances.c.study_instance_uid == uid)
        return tuple(sorted(title for title in self.connection.scalars(query) if title))

    def announcements_of(self, uid: StudyInstanceUid) -> tuple[Announcement, ...]:
        return announcements_of(self.connection, uid)

    def plan_fetch(self, uid: StudyInstanceUid, revision: int, at: datetime) -> datetime | None:
        return plan_fetch(self.connection, uid, revision, at)


def study_from_row(row: Row[Any]) -> Study:
    """Return the domain value of one row of `studies`."""
    return Study(
        study_instance_uid=StudyInstanceUid(row.study_instance_uid),
        header=from_json(StudyHeader, row.header),
        status=StudyStatus(row.status),
        revision=row.revision,
        order_priority=Priority(row.order_priority),
        priority=Priority(row.priority),
        ai_state=AiState(row.ai_state),
        reason=row.reason,
        received_at=row.received_at,
        last_instance_at=row.last_instance_at,
        deadline=row.deadline,
        complete_at=row.complete_at,
        triaged_at=row.triaged_at,
        delivered_at=row.delivered_at,
        completed_by=row.completed_by and CompletionSignal(row.completed_by),
    )


def _study_values(study: Study) -> dict[str, Any]:
    values: dict[str, Any] = {field.name: getattr(study, field.name) for field in fields(study)}
    values["header"] = to_json(study.header)
    values["order_priority"], values["priority"] = int(study.order_priority), int(study.priority)
    return values


def instance_values(instance: ReceivedInstance, at: datetime) -> dict[str, Any]:
    """Return the columns of an instance's row."""
    header, file, source = instance.header, instance.file, instance.source
    return {
        "sop_instance_uid": header.image.sop_instance_uid,
        "series_instance_uid": header.series.series_instance_uid,
        "study_instance_uid": header.study.study_instance_uid,
        "series_header": to_json(header.series),
        "image_header": to_json(header.image),
        "sha256": file.sha256,
        "size": file.size,
        "path": file.path,
        "transfer_syntax_uid": file.transfer_syntax_uid,
        "source_ae_title": source.ae_title,
        "source_host": source.host,
        "association_id": source.association_id,
        "received_at": at,
    }


def _series(rows: Sequence[Row[Any]], study_description: str) -> Series:
    return Series(
        header=from_json(SeriesHeader, rows[0].series_header),
        study_description=study_description,
        images=tuple(from_json(ImageHeader, row.image_header) for row in rows),
        files=tuple(StoredFile(Sha256(row.sha256), row.size, row.path, row.transfer_syntax_uid) for row in rows),
    )
