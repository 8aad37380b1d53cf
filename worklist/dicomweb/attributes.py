"""The attributes that QIDO-RS matches and returns, and results as DICOM JSON.

Source: PS3.18 tables 10.6.1-2 (matching), 10.6.3-3, -4 and -5 (returned attributes), annex F (JSON).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triage.dicom_search import Found, Key, Level, Matching

MEDIA_TYPE = "application/dicom+json"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a result: its tag, VR and keyword, and which of our values it is; `name` is empty where none."""

    tag: str
    vr: str
    keyword: str
    level: Level
    name: str = ""
    matching: Matching | None = Matching.TEXT


_STUDY, _SERIES, _IMAGE = Level.STUDY, Level.SERIES, Level.INSTANCE

ATTRIBUTES = (
    Attribute("00080020", "DA", "StudyDate", _STUDY, "study_date", Matching.DATE),
    Attribute("00080030", "TM", "StudyTime", _STUDY, "study_time", Matching.TIME),
    Attribute("00080050", "SH", "AccessionNumber", _STUDY, "accession_number"),
    Attribute("00080061", "CS", "ModalitiesInStudy", _STUDY, "modalities", Matching.ANY_OF_STUDY),
    Attribute("00080080", "LO", "InstitutionName", _STUDY, "institution_name"),
    Attribute("00080090", "PN", "ReferringPhysicianName", _STUDY, matching=None),
    Attribute("00081030", "LO", "StudyDescription", _STUDY, "study_description"),
    Attribute("00100010", "PN", "PatientName", _STUDY, "patient_name"),
    Attribute("00100020", "LO", "PatientID", _STUDY, "patient_id"),
    Attribute("00100030", "DA", "PatientBirthDate", _STUDY, "patient_birth_date", Matching.DATE),
    Attribute("00100040", "CS", "PatientSex", _STUDY, "patient_sex"),
    Attribute("0020000D", "UI", "StudyInstanceUID", _STUDY, "study_instance_uid", Matching.UID),
    Attribute("00200010", "SH", "StudyID", _STUDY, matching=None),
    Attribute("00080060", "CS", "Modality", _SERIES, "modality"),
    Attribute("00080070", "LO", "Manufacturer", _SERIES, "manufacturer"),
    Attribute("0008103E", "LO", "SeriesDescription", _SERIES, "series_description"),
    Attribute("00081090", "LO", "ManufacturerModelName", _SERIES, "model_name"),
    Attribute("00180015", "CS", "BodyPartExamined", _SERIES, "body_part"),
    Attribute("00181030", "LO", "ProtocolName", _SERIES, "protocol_name"),
    Attribute("0020000E", "UI", "SeriesInstanceUID", _SERIES, "series_instance_uid", Matching.UID),
    Attribute("00200011", "IS", "SeriesNumber", _SERIES, "series_number", Matching.NUMBER),
    Attribute("00080016", "UI", "SOPClassUID", _IMAGE, "sop_class_uid", Matching.UID),
    Attribute("00080018", "UI", "SOPInstanceUID", _IMAGE, "sop_instance_uid", Matching.UID),
    Attribute("00200013", "IS", "InstanceNumber", _IMAGE, "instance_number", Matching.NUMBER),
    Attribute("00280008", "IS", "NumberOfFrames", _IMAGE, "number_of_frames", Matching.NUMBER),
    Attribute("00280010", "US", "Rows", _IMAGE, "rows", Matching.NUMBER),
    Attribute("00280011", "US", "Columns", _IMAGE, "columns", Matching.NUMBER),
)

_BY_NAME: Mapping[str, Attribute] = {name: one for one in ATTRIBUTES for name in (one.tag, one.keyword)}


def attribute_called(name: str) -> Attribute | None:
    """Return the attribute with this keyword or tag (eight hexadecimal digits), None where it is not known here."""
    return _BY_NAME.get(name) or _BY_NAME.get(name.upper())


def key_of(attribute: Attribute, level: Level) -> Key | None:
    """Return how the attribute is matched in a query on `level`; None where it is not."""
    levels = list(Level)
    if attribute.matching is None or levels.index(attribute.level) > levels.index(level):
        return None
    return Key(attribute.level, attribute.name, attribute.matching)


def as_json(found: Found, level: Level, base: str) -> dict[str, Any]:
    """Return one result as DICOM JSON; `base` is the address of the service."""
    levels = list(Level)
    wanted = [one for one in ATTRIBUTES if levels.index(one.level) <= levels.index(level)]
    told = {one.tag: element(one.vr, _value(found, one)) for one in wanted}
    told["00080056"] = element("CS", "ONLINE")
    address = f"{base}/studies/{found.study.study_instance_uid}"
    if level is Level.STUDY:
        told["00201206"] = element("IS", found.study_series)
        told["00201208"] = element("IS", found.study_instances)
    if found.series is not None:
        address = f"{address}/series/{found.series.series_instance_uid}"
    if level is Level.SERIES:
        told["00201209"] = element("IS", found.series_instances)
    if found.image is not None:
        address = f"{address}/instances/{found.image.sop_instance_uid}"
        told["00083002"] = element("UI", found.transfer_syntax_uid)
    told["00081190"] = element("UR", address)
    return dict(sorted(told.items()))


def element(vr: str, value: Any) -> dict[str, Any]:
    """Return one attribute in DICOM JSON; an empty value leaves only its VR."""
    values = value if isinstance(value, list | tuple) else [value]
    kept = [_person(one) if vr == "PN" else one for one in values if one not in ("", None)]
    return {"vr": vr, "Value": kept} if kept else {"vr": vr}


def _person(name: str) -> dict[str, str]:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
    return {group: text for group, text in groups if text}


def _value(found: Found, attribute: Attribute) -> Any:
    if attribute.matching is None:
        return ""
    if attribute.matching is Matching.ANY_OF_STUDY:
        return found.modalities
    header = {_STUDY: found.study, _SERIES: found.series, _IMAGE: found.image}[attribute.level]
    return getattr(header, attribute.name)
