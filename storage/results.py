"""What the models said and where it went, as rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.rows import from_json, to_json
from storage.schema import analyses, deliveries, result_objects, selections
from storage.schema_of_announcements import confirmations
from triage.findings import Analysis, ModelIdentity
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import RecordedAnalysis, ResultObject
from triage.selection import Selection


@dataclass(frozen=True, slots=True)
class ResultRows:
    """Results within one transaction; satisfies `triage.ports.ResultStore`."""

    connection: Connection

    def record(self, recorded: RecordedAnalysis) -> None:
        values = {
            "study_instance_uid": recorded.study_instance_uid,
            "revision": recorded.revision,
            "input_digest": recorded.input_digest,
            "model_name": recorded.analysis.model.name,
            "model_digest": recorded.analysis.model.digest,
            "answer": to_json(recorded.analysis),
            "recorded_at": recorded.recorded_at,
        }
        statement = insert_or_skip(analyses).values(values)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["study_instance_uid", "input_digest", "model_digest"],
                set_={"revision": statement.excluded.revision},
            )
        )

    def analyses_of(self, uid: StudyInstanceUid) -> tuple[RecordedAnalysis, ...]:
        query = select(analyses).where(analyses.c.study_instance_uid == uid).order_by(analyses.c.id)
        return tuple(recorded_from_row(row) for row in self.connection.execute(query))

    def record_selection(self, uid: StudyInstanceUid, revision: int, model: ModelIdentity, what: Selection) -> None:
        values = {
            "study_instance_uid": uid,
            "model_name": model.name,
            "model_version": model.version,
            "revision": revision,
            "chosen_series_uid": what.chosen and what.chosen.header.series_instance_uid,
            "reason": what.reason,
            "refusals": [to_json(refusal) for refusal in what.refusals],
        }
        statement = insert_or_skip(selections).values(values)
        changed = {
            name: statement.excluded[name] for name in values if name not in ("study_instance_uid", "model_name")
        }
        keys = ["study_instance_uid", "model_name"]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def add_object(self, result: ResultObject) -> None:
        values = {name: getattr(result, name) for name in result_objects.c.keys()}
        statement = insert_or_skip(result_objects).values(values)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["sop_instance_uid"], set_={"revision": statement.excluded.revision}
            )
        )

    def get_object(self, uid: SopInstanceUid) -> ResultObject:
        row = self.connection.execute(select(result_objects).where(result_objects.c.sop_instance_uid == uid)).one()
        return ResultObject(
            sop_instance_uid=SopInstanceUid(row.sop_instance_uid),
            sop_class_uid=row.sop_class_uid,
            study_instance_uid=StudyInstanceUid(row.study_instance_uid),
            revision=row.revision,
            kind=row.kind,
            sha256=Sha256(row.sha256),
            path=row.path,
        )

    def add_delivery(self, uid: SopInstanceUid, destination: str) -> bool:
        statement = (
            insert_or_skip(deliveries)
            .values(sop_instance_uid=uid, destination=destination, state="planned")
            .on_conflict_do_nothing()
            .returning(deliveries.c.destination)
        )
        return self.connection.execute(statement).one_or_none() is not None

    def awaits_delivery(self, uid: SopInstanceUid, destination: str) -> bool:
        where = (deliveries.c.sop_instance_uid == uid, deliveries.c.destination == destination)
        return self.connection.scalar(select(deliveries.c.state).where(*where)) == "planned"

    def note_attempt(self, uid: SopInstanceUid, destination: str, error: str, at: datetime) -> None:
        self._mark(uid, destination, at, {"last_error": error})

    def mark_delivered(self, uid: SopInstanceUid, destination: str, at: datetime) -> None:
        self._mark(uid, destination, at, {"state": "delivered", "delivered_at": at, "last_error": ""})

    def mark_undeliverable(self, uid: SopInstanceUid, destination: str, reason: str, at: datetime) -> None:
        self._mark(uid, destination, at, {"state": "refused", "last_error": reason})

    def add_confirmation(self, result: ResultObject, destination: str) -> bool:
        statement = (
            insert_or_skip(confirmations)
            .values(
                sop_instance_uid=result.sop_instance_uid,
                destination=destination,
                study_instance_uid=result.study_instance_uid,
                sop_class_uid=result.sop_class_uid,
                transaction_uid=f"2.25.{uuid4().int}",
                state="planned",
                planned_at=func.now(),
            )
            .on_conflict_do_nothing()
            .returning(confirmations.c.destination)
        )
        return self.connection.execute(statement).one_or_none() is not None

    def all_delivered(self, uid: StudyInstanceUid, revision: int) -> bool:
        delivered = func.bool_and(deliveries.c.state == "delivered")
        query = (
            select(func.coalesce(delivered, False))
            .select_from(deliveries.join(result_objects))
            .where(result_objects.c.study_instance_uid == uid, result_objects.c.revision == revision)
        )
        return bool(self.connection.execute(query).scalar_one())

    def _mark(self, uid: SopInstanceUid, destination: str, at: datetime, values: dict[str, Any]) -> None:
        where = (deliveries.c.sop_instance_uid == uid, deliveries.c.destination == destination)
        tried = {"attempts": deliveries.c.attempts + 1, "last_try_at": at}
        self.connection.execute(update(deliveries).where(*where).values(values | tried))


def recorded_from_row(row: Row[Any]) -> RecordedAnalysis:
    """Return the domain value of one row of `analyses`."""
    return RecordedAnalysis(
        study_instance_uid=StudyInstanceUid(row.study_instance_uid),
        revision=row.revision,
        input_digest=Sha256(row.input_digest),
        recorded_at=row.recorded_at,
        analysis=from_json(Analysis, row.answer),
    )
