"""What a peer asks for by C-FIND, C-GET and C-MOVE, as SQL: matching of attributes on three levels.

Source: PS3.4 C.2.2.2 (matching), C.6.2.1 (study root, its levels and keys).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, Select, Text, cast, func, select

from storage.schema import instances, studies
from storage.transaction import transaction

Values = Mapping[str, object]


_STUDY_FIELDS: Mapping[str, str] = {
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "PatientBirthDate": "patient_birth_date",
    "PatientSex": "patient_sex",
    "AccessionNumber": "accession_number",
    "StudyDescription": "study_description",
    "StudyDate": "study_date",
    "StudyTime": "study_time",
    "InstitutionName": "institution_name",
}
_SERIES_FIELDS: Mapping[str, str] = {
    "Modality": "modality",
    "SeriesNumber": "series_number",
    "SeriesDescription": "series_description",
    "ProtocolName": "protocol_name",
    "BodyPartExamined": "body_part",
    "Manufacturer": "manufacturer",
}
_IMAGE_FIELDS: Mapping[str, str] = {
    "SOPClassUID": "sop_class_uid",
    "InstanceNumber": "instance_number",
    "Rows": "rows",
    "Columns": "columns",
    "NumberOfFrames": "number_of_frames",
}
_UIDS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"})
_RANGES = frozenset({"StudyDate", "StudyTime", "PatientBirthDate"})
_NUMBERS = frozenset({"SeriesNumber", "InstanceNumber", "Rows", "Columns", "NumberOfFrames"})


@dataclass(frozen=True, slots=True)
class Held:
    """One instance that may be sent."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str


@dataclass(frozen=True, slots=True)
class QueryRows:
    """Answers queries, each in a transaction of its own; raises StoreUnavailable."""

    engine: Engine

    def find(self, level: str, wanted: Mapping[str, str], limit: int) -> list[Values]:
        """Return the attributes of each match at `level` ("STUDY", "SERIES" or "IMAGE"), by keyword, at most `limit`.

        `wanted` has what each attribute must be, as C-FIND writes it: empty for anything, with `*` and `?`, a range of
        dates with `-`, or several UIDs with a backslash. Attributes that are not kept demand nothing.
        """
        query = _LEVELS[level]().where(*_conditions(wanted)).limit(limit)
        with transaction(self.engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def held(self, uids: Mapping[str, Sequence[str]]) -> list[Held]:
        """Return the instances with one of the UIDs under each keyword, by series and instance UID."""
        columns = [instances.c[name] for name in ("sop_instance_uid", "transfer_syntax_uid", "path")]
        known = {"StudyInstanceUID": instances.c.study_instance_uid, **_series_keys(), **_image_keys()}
        query = (
            select(*columns, instances.c.image_header["sop_class_uid"].astext.label("sop_class_uid"))
            .where(*(known[keyword].in_(list(values)) for keyword, values in uids.items()))
            .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
        )
        with transaction(self.engine) as connection:
            return [Held(**row) for row in connection.execute(query).mappings()]


def _study_keys() -> dict[str, ColumnElement[Any]]:
    return {"StudyInstanceUID": studies.c.study_instance_uid, **_texts(studies.c.header, _STUDY_FIELDS)}


def _series_keys() -> dict[str, ColumnElement[Any]]:
    return {"SeriesInstanceUID": instances.c.series_instance_uid, **_texts(instances.c.series_header, _SERIES_FIELDS)}


def _image_keys() -> dict[str, ColumnElement[Any]]:
    return {"SOPInstanceUID": instances.c.sop_instance_uid, **_texts(instances.c.image_header, _IMAGE_FIELDS)}


def _texts(header: Column[Any], fields: Mapping[str, str]) -> dict[str, ColumnElement[Any]]:
    return {keyword: cast(header[field].astext, Text) for keyword, field in fields.items()}


def _studies() -> Select[Any]:
    belongs = instances.c.study_instance_uid == studies.c.study_instance_uid
    series = select(func.count(func.distinct(instances.c.series_instance_uid))).where(belongs).scalar_subquery()
    images = select(func.count()).select_from(instances).where(belongs).scalar_subquery()
    return select(
        *(column.label(keyword) for keyword, column in _study_keys().items()),
        studies.c.modalities.label("ModalitiesInStudy"),
        series.label("NumberOfStudyRelatedSeries"),
        images.label("NumberOfStudyRelatedInstances"),
    ).order_by(studies.c.received_at, studies.c.study_instance_uid)


def _series_of_studies() -> Select[Any]:
    # What its instances say of a series is the same; where it is not, one of them is taken.
    return (
        select(
            studies.c.study_instance_uid.label("StudyInstanceUID"),
            *(func.min(column).label(keyword) for keyword, column in _series_keys().items()),
            func.count().label("NumberOfSeriesRelatedInstances"),
        )
        .select_from(instances.join(studies))
        .group_by(studies.c.study_instance_uid, instances.c.series_instance_uid)
        .order_by(instances.c.series_instance_uid)
    )


def _images() -> Select[Any]:
    keys = {"StudyInstanceUID": studies.c.study_instance_uid, "SeriesInstanceUID": instances.c.series_instance_uid}
    query = select(*(column.label(keyword) for keyword, column in {**keys, **_image_keys()}.items()))
    return query.select_from(instances.join(studies)).order_by(instances.c.sop_instance_uid)


_LEVELS: Mapping[str, Callable[[], Select[Any]]] = {
    "STUDY": _studies,
    "SERIES": _series_of_studies,
    "IMAGE": _images,
}


def _conditions(wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    keys = {**_study_keys(), **_series_keys(), **_image_keys()}
    found = [
        _condition(keyword, keys[keyword], value) for keyword, value in wanted.items() if keyword in keys and value
    ]
    if modality := wanted.get("ModalitiesInStudy", "").strip("*"):
        found.append(studies.c.modalities.overlap(modality.split("\\")))
    return found


def _condition(keyword: str, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    if keyword in _UIDS:
        return column.in_(value.split("\\"))
    if keyword in _RANGES and "-" in value:
        first, last = value.split("-", 1)
        plain = column.collate("C")
        # A time that ends early, as 10 for 10:59:59, is before every longer one of the same beginning.
        return (column != "") & (plain >= first) & ((plain <= last + "~") if last else (column != ""))
    if keyword in _NUMBERS:
        digits = value.strip()
        return column == (str(int(digits)) if digits.isdecimal() else digits)
    if not {"*", "?"} & set(value) and keyword != "PatientName":
        return column == value
    pattern = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%").replace("?", "_")
    # Names match in any case (PS3.4 C.2.2.2.1 allows it), other attributes as they are written.
    return column.ilike(pattern) if keyword == "PatientName" else cast(column, Text).like(pattern)
