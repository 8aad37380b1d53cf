"""DICOM queries as SQL, and where the files of what they found lie."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Text, and_, cast, func, select

from storage.rows import from_json
from storage.schema import instances, studies
from storage.transaction import transaction
from triage.dicom_search import DicomSearch, Found, Key, Level, Match, Matching, SearchPage
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid
from triage.study import ImageHeader, SeriesHeader, StudyHeader

_LAST = "~"
"""Sorts behind every digit and point."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """A received instance and where its file lies."""

    study_instance_uid: StudyInstanceUid
    series_instance_uid: SeriesInstanceUid
    sop_instance_uid: SopInstanceUid
    path: str
    size: int
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class DicomIndex:
    """Reads in transactions of their own; raises StoreUnavailable."""

    engine: Engine

    def search(self, wanted: DicomSearch) -> SearchPage:
        """Return the results of a query: newest study first, then by UID."""
        query = {Level.STUDY: _studies, Level.SERIES: _series, Level.INSTANCE: _instances}[wanted.level]()
        query = query.where(*(_condition(one) for one in wanted.matches)).offset(wanted.offset)
        with transaction(self.engine) as connection:
            rows = connection.execute(query.limit(wanted.limit + 1)).all()
        return SearchPage(tuple(map(_found, rows[: wanted.limit])), len(rows) > wanted.limit)

    def instances(self, study: str, series: str | None = None, image: str | None = None) -> Sequence[StoredInstance]:
        """Return the received instances of a study, of one series of it, or the one image; none where unknown."""
        columns = [instances.c[name] for name in StoredInstance.__slots__]
        query = select(*columns).where(instances.c.study_instance_uid == study)
        if series is not None:
            query = query.where(instances.c.series_instance_uid == series)
        if image is not None:
            query = query.where(instances.c.sop_instance_uid == image)
        query = query.order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
        with transaction(self.engine) as connection:
            return [StoredInstance(*row) for row in connection.execute(query)]


def _studies() -> Select[Any]:
    own = instances.c.study_instance_uid == studies.c.study_instance_uid
    counts = select(
        func.count(instances.c.series_instance_uid.distinct()).label("study_series"),
        func.count().label("study_instances"),
    ).where(own)
    counted = counts.lateral("counted")
    columns = (studies.c.header, studies.c.modalities, counted.c.study_series, counted.c.study_instances)
    return select(*columns).order_by(studies.c.received_at.desc(), studies.c.study_instance_uid)


def _series() -> Select[Any]:
    # Every instance carries its series' header; one is as good as another, and this one is the same each time.
    header = cast(func.min(cast(instances.c.series_header, Text)), Text).label("series_header")
    return (
        select(studies.c.header, studies.c.modalities, header, func.count().label("series_instances"))
        .select_from(studies.join(instances))
        .group_by(studies.c.study_instance_uid, instances.c.series_instance_uid)
        .order_by(studies.c.received_at.desc(), studies.c.study_instance_uid, instances.c.series_instance_uid)
    )


def _instances() -> Select[Any]:
    columns = (
        studies.c.header,
        studies.c.modalities,
        cast(instances.c.series_header, Text).label("series_header"),
        instances.c.image_header,
        instances.c.transfer_syntax_uid,
    )
    return (
        select(*columns)
        .select_from(studies.join(instances))
        .order_by(
            studies.c.received_at.desc(),
            studies.c.study_instance_uid,
            instances.c.series_instance_uid,
            instances.c.sop_instance_uid,
        )
    )


def _found(row: Any) -> Found:
    values = row._mapping
    series, image = values.get("series_header"), values.get("image_header")
    return Found(
        study=from_json(StudyHeader, values["header"]),
        modalities=tuple(values["modalities"]),
        study_series=values.get("study_series", 0),
        study_instances=values.get("study_instances", 0),
        series=None if series is None else from_json(SeriesHeader, json.loads(series)),
        series_instances=values.get("series_instances", 0),
        image=None if image is None else from_json(ImageHeader, image),
        transfer_syntax_uid=values.get("transfer_syntax_uid", ""),
    )


def _condition(match: Match) -> ColumnElement[bool]:
    value, matching = match.value, match.key.matching
    if matching is Matching.ANY_OF_STUDY:
        wanted: ColumnElement[bool] = studies.c.modalities.overlap(_list(value))
        return wanted
    column = _column(match.key)
    if matching is Matching.UID:
        return column.in_(_list(value))
    if matching is Matching.NUMBER:
        return column == value
    if matching in (Matching.DATE, Matching.TIME):
        return _in_range(column, value)
    pattern = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%").replace("?", "_")
    return column.ilike(pattern, escape="\\")


def _in_range(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """Return whether a date or time lies in a range; one that is not precise means all of what it names."""
    low, _, high = value.partition("-") if "-" in value else (value, "", value)
    conditions = [column != ""]
    if low:
        conditions.append(column >= low)
    if high:
        conditions.append(column <= high + _LAST)
    return and_(*conditions)


def _column(key: Key) -> ColumnElement[str]:
    uids = {
        "study_instance_uid": studies.c.study_instance_uid,
        "series_instance_uid": instances.c.series_instance_uid,
        "sop_instance_uid": instances.c.sop_instance_uid,
    }
    if key.name in uids:
        return uids[key.name]
    headers = {
        Level.STUDY: studies.c.header,
        Level.SERIES: instances.c.series_header,
        Level.INSTANCE: instances.c.image_header,
    }
    told: ColumnElement[str] = headers[key.level][key.name].astext
    return told


def _list(value: str) -> list[str]:
    return [one.strip() for one in value.replace("\\", ",").split(",")]
