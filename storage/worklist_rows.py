"""The rows of the list and all that is known of one study, as the list, the API and the command line show them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Row, exists, func, literal, or_, select, text, tuple_

from storage.results import recorded_from_row
from storage.rows import from_json
from storage.schema import analyses, deliveries, instances, result_objects, studies, study_changes
from storage.studies import StudyRows, study_from_row
from storage.transaction import transaction
from triage.errors import UnknownStudy
from triage.findings import AiState, Analysis, Finding
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import RecordedAnalysis, ResultObject
from triage.priority import Priority
from triage.study import Series, Study

_ANALYSED = (AiState.ANALYSED_FLAGGED, AiState.ANALYSED_NO_FLAG)
_SEARCHED = ("patient_name", "patient_id", "accession_number", "study_description")


class RowFilter(Protocol):
    """Which rows are wanted; None and the empty string demand nothing.

    `after` is the study that the page begins behind, in the one order of the list; `text` is looked for in the
    patient's name and ID, the accession number, the description and, whole, in the study UID.
    """

    @property
    def limit(self) -> int: ...
    @property
    def after(self) -> StudyInstanceUid | None: ...
    @property
    def text(self) -> str: ...
    @property
    def modality(self) -> str: ...
    @property
    def band(self) -> Priority | None: ...
    @property
    def ai_state(self) -> AiState | None: ...


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One study of the list.

    `analyses` are those of the newest revision that was analysed (`analysed_revision`), without the scores and the
    masks of single images; they are empty unless the study's present AI state rests on them.
    """

    study: Study
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    source_ae_titles: tuple[str, ...]
    instances: int
    analyses: tuple[Analysis, ...]
    analysed_revision: int | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for analysis in self.analyses for finding in analysis.findings)

    def as_object(self) -> dict[str, Any]:
        """Return the study as the contract's JSON object (`acuity studies list|show --json` and the API)."""
        study = self.study
        return {
            "study_instance_uid": str(study.study_instance_uid),
            "status": study.status.value,
            "revision": study.revision,
            "priority": study.priority.name,
            "deadline": study.deadline.isoformat(),
            "ai_state": study.ai_state.value,
            "reason": study.reason,
            "instances": self.instances,
            "received_at": study.received_at.isoformat(),
            "complete_at": _iso(study.complete_at),
            "triaged_at": _iso(study.triaged_at),
            "delivered_at": _iso(study.delivered_at),
            "findings": [_finding_object(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class WorklistPage:
    """Rows in the one order; `total` counts all that match, `change_id` is the newest change the rows contain."""

    rows: tuple[WorklistRow, ...]
    total: int
    change_id: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """Whether a destination has a result object: state "planned", "delivered" or "refused"."""

    sop_instance_uid: SopInstanceUid
    destination: str
    state: str
    last_error: str
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """All that is known of one study; `recorded` holds every analysis, oldest first."""

    row: WorklistRow
    series: tuple[Series, ...]
    recorded: tuple[RecordedAnalysis, ...]
    objects: tuple[ResultObject, ...]
    deliveries: tuple[DeliveryState, ...]


@dataclass(frozen=True, slots=True)
class WorklistReader:
    """Reads the list, each call in a transaction of its own."""

    engine: Engine

    def page(self, wanted: RowFilter) -> WorklistPage:
        with transaction(self.engine) as connection:
            # Read first: rows read after it may be newer than this change, never older.
            change_id = newest_change(connection)
            rows = list_studies(connection, wanted)
            return WorklistPage(rows, count_studies(connection, wanted), change_id)

    def detail(self, uid: StudyInstanceUid) -> StudyDetail:
        """Return one study; raises UnknownStudy."""
        with transaction(self.engine) as connection:
            return study_detail(connection, uid)


def list_studies(connection: Connection, wanted: RowFilter) -> tuple[WorklistRow, ...]:
    """Return the wanted rows: earliest deadline first, ties by arrival, then by UID."""
    query = select(studies).where(*_conditions(wanted))
    if wanted.after is not None:
        query = query.where(tuple_(*_order()) > _place_of(connection, wanted.after))
    page = connection.execute(query.order_by(*_order()).limit(wanted.limit)).all()
    return _rows(connection, page)


def count_studies(connection: Connection, wanted: RowFilter) -> int:
    """Return how many studies match, wherever the page begins."""
    query = select(func.count()).select_from(studies).where(*_conditions(wanted))
    return connection.execute(query).scalar_one()


def study_detail(connection: Connection, uid: StudyInstanceUid) -> StudyDetail:
    """Return all that is known of one study; raises UnknownStudy."""
    found = connection.execute(select(studies).where(studies.c.study_instance_uid == uid)).all()
    if not found:
        raise UnknownStudy(f"study {uid}: never received")
    (row,) = _rows(connection, found)
    recorded = select(analyses).where(analyses.c.study_instance_uid == uid).order_by(analyses.c.id)
    return StudyDetail(
        row=row,
        series=StudyRows(connection).series_of(uid),
        recorded=tuple(recorded_from_row(one) for one in connection.execute(recorded)),
        objects=_objects(connection, uid),
        deliveries=_deliveries(connection, uid),
    )


def newest_change(connection: Connection) -> int:
    """Return the number of the newest entry of the change feed, 0 before the first one."""
    newest = connection.execute(select(func.max(study_changes.c.id))).scalar_one()
    return 0 if newest is None else int(newest)


def _order() -> tuple[ColumnElement[Any], ...]:
    return (studies.c.deadline, studies.c.received_at, studies.c.study_instance_uid)


def _place_of(connection: Connection, uid: StudyInstanceUid) -> Any:
    row = connection.execute(select(*_order()).where(studies.c.study_instance_uid == uid)).one_or_none()
    if row is None:
        raise UnknownStudy(f"study {uid}: never received, so no page begins behind it")
    return tuple_(*(literal(value) for value in row))


def _conditions(wanted: RowFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.band is not None:
        conditions.append(studies.c.priority == int(wanted.band))
    if wanted.ai_state is not None:
        conditions.append(studies.c.ai_state == wanted.ai_state.value)
    if wanted.modality:
        of_study = instances.c.study_instance_uid == studies.c.study_instance_uid
        conditions.append(exists().where(of_study, instances.c.series_header["modality"].astext == wanted.modality))
    if wanted.text:
        fields = (studies.c.header[name].astext.icontains(wanted.text, autoescape=True) for name in _SEARCHED)
        conditions.append(or_(*fields, studies.c.study_instance_uid == wanted.text))
    return conditions


def _rows(connection: Connection, found: Sequence[Row[Any]]) -> tuple[WorklistRow, ...]:
    uids = [row.study_instance_uid for row in found]
    contents = _contents(connection, uids)
    answers = _answers(connection, uids)
    return tuple(_row(study_from_row(row), contents, answers) for row in found)


def _row(
    study: Study, contents: dict[str, Row[Any]], answers: dict[str, tuple[int, tuple[Analysis, ...]]]
) -> WorklistRow:
    content = contents.get(study.study_instance_uid)
    revision, answered = answers.get(study.study_instance_uid, (None, ()))
    rests_on_them = study.ai_state in _ANALYSED
    return WorklistRow(
        study=study,
        modalities=_named(content.modalities) if content else (),
        body_parts=_named(content.body_parts) if content else (),
        source_ae_titles=_named(content.source_ae_titles) if content else (),
        instances=content.instances if content else 0,
        analyses=answered if rests_on_them else (),
        analysed_revision=revision if rests_on_them else None,
    )


# Instances are only counted, on the index; the header is the same for all of a series, so one of them is looked at.
_CONTENTS = text("""
    SELECT counted.study_instance_uid,
           sum(counted.instances)::int AS instances,
           array_agg(DISTINCT one.modality) AS modalities,
           array_agg(DISTINCT one.body_part) AS body_parts,
           array_agg(DISTINCT one.source_ae_title) AS source_ae_titles
    FROM (
        SELECT study_instance_uid, series_instance_uid, count(*) AS instances FROM instances
        WHERE study_instance_uid = ANY(:uids) GROUP BY study_instance_uid, series_instance_uid
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT series_header ->> 'modality' AS modality, series_header ->> 'body_part' AS body_part, source_ae_title
        FROM instances i
        WHERE i.study_instance_uid = counted.study_instance_uid AND i.series_instance_uid = counted.series_instance_uid
        LIMIT 1
    ) AS one
    GROUP BY counted.study_instance_uid
""")


def _contents(connection: Connection, uids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return what was received of each study: how many instances, of which modalities and body parts, from whom."""
    return {row.study_instance_uid: row for row in connection.execute(_CONTENTS, {"uids": list(uids)})}


_NEWEST_ANSWERS = text("""
    SELECT a.study_instance_uid, a.revision, jsonb_set(a.answer, '{findings}', (
        SELECT coalesce(jsonb_agg(f - 'image_scores' - 'masks' ORDER BY place), '[]')
        FROM jsonb_array_elements(a.answer -> 'findings') WITH ORDINALITY AS each(f, place)
    )) AS answer
    FROM analyses a
    WHERE a.study_instance_uid = ANY(:uids)
      AND a.revision = (SELECT max(revision) FROM analyses WHERE study_instance_uid = a.study_instance_uid)
    ORDER BY a.id
""")


def _answers(connection: Connection, uids: Sequence[str]) -> dict[str, tuple[int, tuple[Analysis, ...]]]:
    answers: dict[str, tuple[int, tuple[Analysis, ...]]] = {}
    for row in connection.execute(_NEWEST_ANSWERS, {"uids": list(uids)}):
        _, earlier = answers.get(row.study_instance_uid, (0, ()))
        answers[row.study_instance_uid] = (row.revision, (*earlier, from_json(Analysis, row.answer)))
    return answers


def _objects(connection: Connection, uid: StudyInstanceUid) -> tuple[ResultObject, ...]:
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


def _deliveries(connection: Connection, uid: StudyInstanceUid) -> tuple[DeliveryState, ...]:
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


def _finding_object(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code.value,
        "scheme": finding.code.scheme,
        "meaning": finding.code.meaning,
        "probability": finding.probability,
        "threshold": finding.threshold,
        "operating_point": finding.operating_point,
        "flagged": finding.flagged,
        "model": finding.model.name,
        "model_version": finding.model.version,
        "model_digest": finding.model.digest,
        "regions": [asdict(region) for region in finding.regions],
        "measurements": [
            {
                "code": one.quantity.value,
                "scheme": one.quantity.scheme,
                "meaning": one.quantity.meaning,
                "value": one.value,
                "unit": one.unit,
            }
            for one in finding.measurements
        ],
    }


def _named(values: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(sorted(value for value in values if value))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
