"""What belongs to one study beside its row: result objects and their deliveries, and which series a model saw."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from storage.rows import from_json
from storage.schema import deliveries, result_objects, selections
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import ResultObject
from triage.selection import Refusal


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """Whether a destination has a result object: state "planned", "delivered" or "refused"."""

    sop_instance_uid: SopInstanceUid
    destination: str
    state: str
    last_error: str
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordedSelection:
    """Which series a model saw at the study's `revision` (None: none), why, and why it did not see the others."""

    model: str
    revision: int
    chosen_series_uid: SeriesInstanceUid | None
    reason: str
    refusals: tuple[Refusal, ...]


def objects_of(connection: Connection, uid: StudyInstanceUid) -> tuple[ResultObject, ...]:
    """Return the result objects that were written of the study."""
    query = (
        select(result_objects)
        .where(result_objects.c.study_instance_uid == uid)
        .order_by(result_objects.c.revision, result_objects.c.kind, result_objects.c.sop_instance_uid)
    )
    return tuple(
        ResultObject(
            sop_instance_uid=SopInstanceUid(row.sop_instance_uid),
            sop_class_uid=row.sop_class_uid,
            study_instance_uid=uid,
            revision=row.revision,
            kind=row.kind,
            sha256=Sha256(row.sha256),
            path=row.path,
        )
        for row in connection.execute(query)
    )


def deliveries_of(connection: Connection, uid: StudyInstanceUid) -> tuple[DeliveryState, ...]:
    """Return where the result objects of the study went or go."""
    query = (
        select(deliveries)
        .join(result_objects)
        .where(result_objects.c.study_instance_uid == uid)
        .order_by(deliveries.c.destination, deliveries.c.sop_instance_uid)
    )
    return tuple(
        DeliveryState(
            SopInstanceUid(row.sop_instance_uid), row.destination, row.state, row.last_error, row.delivered_at
        )
        for row in connection.execute(query)
    )


def selections_of(connection: Connection, uid: StudyInstanceUid) -> tuple[RecordedSelection, ...]:
    """Return what each model was given to see, by the models' names."""
    query = select(selections).where(selections.c.study_instance_uid == uid).order_by(selections.c.model_name)
    return tuple(
        RecordedSelection(
            model=f"{row.model_name} {row.model_version}",
            revision=row.revision,
            chosen_series_uid=None if row.chosen_series_uid is None else SeriesInstanceUid(row.chosen_series_uid),
            reason=row.reason,
            refusals=tuple(from_json(Refusal, one) for one in row.refusals),
        )
        for row in connection.execute(query)
    )
