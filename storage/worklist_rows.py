"""The rows of the list and all that is known of one study, as the list, the API and the command line show them."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Row, any_, func, literal, literal_column, select, tuple_

from storage.fetches import fetches_of
from storage.reading import ReadingRows, work_from_row
from storage.results import recorded_from_row
from storage.row_contents import answers_to, contents_of
from storage.schema import analyses, studies, study_changes
from storage.site_rights import within
from storage.studies import StudyRows, study_from_row
from storage.study_results import DeliveryState, RecordedSelection, deliveries_of, objects_of, selections_of
from storage.transaction import transaction
from triage.errors import UnknownStudy
from triage.findings import AiState, Analysis, Finding, Region
from triage.identifiers import StudyInstanceUid
from triage.ports import RecordedAnalysis, ResultObject
from triage.priority import Priority
from triage.reading import Act, Reading, Work
from triage.study import Series, Study

_ANALYSED = (AiState.ANALYSED_FLAGGED, AiState.ANALYSED_NO_FLAG)

RowVersion = tuple[StudyInstanceUid, str]
"""A study, and the transaction that wrote its row last: whatever the list shows of a study is written with its row."""

_VERSION: ColumnElement[str] = literal_column("studies.xmin::text")


class RowFilter(Protocol):
    """Which rows are wanted; None and the empty string demand nothing.

    `after` is the study that the page begins behind, in the one order of the list; each word of `text` is looked for
    in the patient's name and ID, the accession number, the description and the study UID. `site` is the institution,
    `owner` the reader who has claimed the study. With `within`, an account and its sites, only their studies and
    those that the account has opened in an emergency.
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
    @property
    def reading(self) -> Reading: ...
    @property
    def owner(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def within(self) -> tuple[str, tuple[str, ...]] | None: ...


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One study of the list.

    `listed_band` and `due_at` are the study's own, or those of a person who moved it (`work.override`). `analyses` are
    those of the newest revision that was analysed (`analysed_revision`), without the scores and the
    masks of single images; they are empty unless the study's present AI state rests on them.
    """

    study: Study
    work: Work
    listed_band: Priority
    due_at: datetime
    is_open: bool
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
            "priority": self.listed_band.name,
            "deadline": self.due_at.isoformat(),
            "ai_state": study.ai_state.value,
            "reason": study.reason,
            "instances": self.instances,
            "received_at": study.received_at.isoformat(),
            "complete_at": _iso(study.complete_at),
            "triaged_at": _iso(study.triaged_at),
            "delivered_at": _iso(study.delivered_at),
            "completed_by": study.completed_by and study.completed_by.value,
            "findings": [_finding_object(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class WorklistPage:
    """The one order in `versions`; `rows` are those that were not known, in the same order.

    `total` counts all that match, `change_id` is the newest change the rows contain.
    """

    versions: tuple[RowVersion, ...]
    rows: tuple[WorklistRow, ...]
    total: int
    change_id: int


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """All that is known of one study; `recorded` holds every analysis, oldest first, `fetched` a line on each fetch."""

    row: WorklistRow
    series: tuple[Series, ...]
    recorded: tuple[RecordedAnalysis, ...]
    objects: tuple[ResultObject, ...]
    deliveries: tuple[DeliveryState, ...]
    selections: tuple[RecordedSelection, ...]
    acts: tuple[Act, ...]
    fetched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorklistReader:
    """Reads the list, each call in a transaction of its own."""

    engine: Engine

    def page(self, wanted: RowFilter, known: Container[RowVersion] = ()) -> WorklistPage:
        """Return a page; the rows of versions that are `known` are not read."""
        with transaction(self.engine) as connection:
            # Read first: what is read after it may be newer than this change or this version, never older.
            change_id = newest_change(connection)
            versions = _versions(connection, wanted)
            unknown = [uid for uid, written_by in versions if (uid, written_by) not in known]
            found = connection.execute(select(studies).where(studies.c.study_instance_uid.in_(unknown))).all()
            rows = {row.study.study_instance_uid: row for row in _rows(connection, found)}
            total = count_studies(connection, wanted)
            return WorklistPage(versions, tuple(rows[uid] for uid in unknown), total, change_id)

    def detail(self, uid: StudyInstanceUid) -> StudyDetail:
        """Return one study; raises UnknownStudy."""
        with transaction(self.engine) as connection:
            return study_detail(connection, uid)


def _versions(connection: Connection, wanted: RowFilter) -> tuple[RowVersion, ...]:
    """Return the wanted studies: earliest deadline first, ties by arrival, then by UID."""
    query = select(studies.c.study_instance_uid, _VERSION).where(*_conditions(wanted))
    if wanted.after is not None:
        query = query.where(tuple_(*_order()) > _place_of(connection, wanted.after))
    found = connection.execute(query.order_by(*_order()).limit(wanted.limit))
    return tuple((StudyInstanceUid(uid), written_by) for uid, written_by in found)


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
        objects=objects_of(connection, uid),
        deliveries=deliveries_of(connection, uid),
        selections=selections_of(connection, uid),
        acts=ReadingRows(connection).acts_of(uid),
        fetched=tuple(one.words for one in fetches_of(connection, uid) if one.words),
    )


def newest_change(connection: Connection) -> int:
    """Return the number of the newest entry of the change feed, 0 before the first one."""
    newest = connection.execute(select(func.max(study_changes.c.id))).scalar_one()
    return 0 if newest is None else int(newest)


def _order() -> tuple[ColumnElement[Any], ...]:
    return (studies.c.due_at, studies.c.received_at, studies.c.study_instance_uid)


def _place_of(connection: Connection, uid: StudyInstanceUid) -> Any:
    row = connection.execute(select(*_order()).where(studies.c.study_instance_uid == uid)).one_or_none()
    if row is None:
        raise UnknownStudy(f"study {uid}: never received, so no page begins behind it")
    return tuple_(*(literal(value) for value in row))


def _conditions(wanted: RowFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [] if wanted.within is None else [within(*wanted.within)]
    if wanted.band is not None:
        conditions.append(studies.c.listed_band == int(wanted.band))
    if wanted.ai_state is not None:
        conditions.append(studies.c.ai_state == wanted.ai_state.value)
    if wanted.modality:
        conditions.append(literal(wanted.modality) == any_(studies.c.modalities))
    if wanted.site:
        conditions.append(studies.c.header["institution_name"].astext == wanted.site)
    if wanted.owner:
        conditions.append(studies.c.owner == wanted.owner)
    if wanted.reading is not Reading.ALL:
        conditions.append(studies.c.is_open == (wanted.reading is Reading.OPEN))
    for word in wanted.text.split():
        conditions.append(func.strpos(studies.c.searched, func.lower(word)) > 0)
    return conditions


def _rows(connection: Connection, found: Sequence[Row[Any]]) -> tuple[WorklistRow, ...]:
    uids = [row.study_instance_uid for row in found]
    contents = contents_of(connection, uids)
    answers = answers_to(connection, uids)
    return tuple(_row(row, contents, answers) for row in found)


def _row(
    found: Row[Any], contents: dict[str, Row[Any]], answers: dict[str, tuple[int, tuple[Analysis, ...]]]
) -> WorklistRow:
    study = study_from_row(found)
    content = contents.get(study.study_instance_uid)
    revision, answered = answers.get(study.study_instance_uid, (None, ()))
    rests_on_them = study.ai_state in _ANALYSED
    return WorklistRow(
        study=study,
        work=work_from_row(found),
        listed_band=Priority(found.listed_band),
        due_at=found.due_at,
        is_open=found.is_open,
        modalities=_named(content.modalities) if content else (),
        body_parts=_named(content.body_parts) if content else (),
        source_ae_titles=_named(content.source_ae_titles) if content else (),
        instances=content.instances if content else 0,
        analyses=answered if rests_on_them else (),
        analysed_revision=revision if rests_on_them else None,
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
        "regions": [_region_object(region) for region in finding.regions],
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


def _region_object(region: Region) -> dict[str, Any]:
    # Written out: `asdict` copies deeply, which was half the time of a page of the list.
    return {
        "sop_instance_uid": region.sop_instance_uid,
        "box": region.box,
        "probability": region.probability,
        "frame_number": region.frame_number,
    }


def _named(values: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(sorted(value for value in values if value))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
