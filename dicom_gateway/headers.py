"""The header of a received data set, read from its bytes without decoding a pixel."""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from mmap import mmap
from typing import TypeAlias

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from dicom_gateway.elements import Element, Encoding, find, items, wanted_elements
from triage.errors import UnreadableInstance
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid
from triage.study import ImageHeader, InstanceHeader, SeriesHeader, StudyHeader

Values: TypeAlias = tuple[tuple[int, bytes, bytes], ...]
"""Tag, VR and value of some elements."""

LONGEST_TEXT = 1024
"""Characters kept of any one text; no text attribute that the list shows may be longer (PS3.5 table 6.2-1)."""

LONGEST_INFLATED_BYTES = 1 << 28
"""A deflated data set may grow to this size; what grows further is taken for an attack on the memory."""

_LARGE_VALUE_BYTES = 16384
_CHARACTER_SET, _REQUEST_ATTRIBUTES, _REQUESTED_PRIORITY = 0x00080005, 0x00400275, 0x00401003
_PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_NUMBER_FORMATS = {b"US": "H", b"SS": "h", b"UL": "L", b"SL": "l", b"FL": "f", b"FD": "d", b"UV": "Q", b"SV": "q"}
_LOCAL_TEXT_VRS = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_UID, _CONTROLS = re.compile(r"[0-9.]{1,64}"), re.compile(r"[\x00-\x1f\x7f]")
_UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, struct.error)


def read_instance(data: bytes | mmap, transfer_syntax_uid: str, start: int = 0) -> InstanceHeader:
    """Return the header of the data set that begins at `start` of `data`, the bytes of a C-STORE as they came.

    Raises:
        UnreadableInstance: the bytes end inside an element, are no data set, or lack one of the three UIDs.
    """
    dataset = _parse(data, transfer_syntax_uid, start)
    study, series = _values(dataset, _study_tags()), _values(dataset, _series_tags())
    read_as = (dataset.encoding, dataset.character_sets)
    # Images of one study say the same of it: the same bytes are read once.
    return InstanceHeader(
        _study(dataset) if study is None else _known_study(study, *read_as),
        _series(dataset) if series is None else _known_series(series, *read_as),
        _image(dataset),
    )


@dataclass(frozen=True, slots=True)
class _Header:
    """The wanted elements of one level, and how to read them."""

    data: bytes | mmap
    encoding: Encoding
    character_sets: tuple[str, ...]
    elements: dict[int, Element]


def _parse(data: bytes | mmap, transfer_syntax_uid: str, start: int) -> _Header:
    size = len(data) - start
    try:
        if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            data, start = _inflated(data[start:]), 0
        encoding = _encoding(transfer_syntax_uid)
        elements = wanted_elements(data, start, encoding, _wanted())
        return _Header(data, encoding, _character_sets(data, elements.get(_CHARACTER_SET)), elements)
    except (zlib.error, *_UNREADABLE) as error:
        raise UnreadableInstance(f"data set of {size} bytes: {error or type(error).__name__}") from error
    except UnreadableInstance as error:
        raise UnreadableInstance(f"data set of {size} bytes: {error}") from error


@lru_cache(maxsize=256)
def _encoding(transfer_syntax_uid: str) -> Encoding:
    transfer_syntax = UID(transfer_syntax_uid)
    if not transfer_syntax.is_transfer_syntax:
        return Encoding(is_implicit=False, is_little_endian=True)
    return Encoding(transfer_syntax.is_implicit_VR, transfer_syntax.is_little_endian)


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    inflated = inflater.decompress(data, LONGEST_INFLATED_BYTES)
    if inflater.unconsumed_tail:
        raise UnreadableInstance(f"inflates to more than {LONGEST_INFLATED_BYTES} bytes")
    if not inflater.eof:
        raise UnreadableInstance("ends inside the deflated stream")
    return inflated


def _character_sets(data: bytes | mmap, declared: Element | None) -> tuple[str, ...]:
    value = data[declared.start : declared.end][:_LARGE_VALUE_BYTES] if declared is not None else b""
    text = value.decode("ascii", "replace").strip(" \0")
    return tuple(convert_encodings(text.split("\\") if "\\" in text else text or None))


def _values(dataset: _Header, tags: Sequence[int]) -> Values | None:
    """Return the elements as they came; None where one of them is too large to be kept."""
    found = [element for element in map(dataset.elements.get, tags) if element is not None]
    if any(one.end - one.start > _LARGE_VALUE_BYTES for one in found):
        return None
    return tuple([(one.tag, one.vr, dataset.data[one.start : one.end]) for one in found])


@lru_cache(maxsize=32)
def _known_study(values: Values, encoding: Encoding, character_sets: tuple[str, ...]) -> StudyHeader:
    return _study(_of_values(values, encoding, character_sets))


@lru_cache(maxsize=32)
def _known_series(values: Values, encoding: Encoding, character_sets: tuple[str, ...]) -> SeriesHeader:
    return _series(_of_values(values, encoding, character_sets))


def _of_values(values: Values, encoding: Encoding, character_sets: tuple[str, ...]) -> _Header:
    elements, position = {}, 0
    for tag, vr, value in values:
        elements[tag] = Element(tag, vr, position, position + len(value))
        position += len(value)
    return _Header(b"".join(value for _, _, value in values), encoding, character_sets, elements)


def _study(dataset: _Header) -> StudyHeader:
    return StudyHeader(
        study_instance_uid=StudyInstanceUid(_uid(dataset, "StudyInstanceUID")),
        patient_name=_text(dataset, "PatientName"),
        patient_id=_text(dataset, "PatientID"),
        patient_birth_date=_text(dataset, "PatientBirthDate"),
        patient_age=_text(dataset, "PatientAge"),
        patient_sex=_text(dataset, "PatientSex"),
        accession_number=_text(dataset, "AccessionNumber"),
        study_description=_text(dataset, "StudyDescription"),
        study_date=_text(dataset, "StudyDate"),
        study_time=_text(dataset, "StudyTime"),
        institution_name=_text(dataset, "InstitutionName"),
        order_priority=_order_priority(dataset),
    )


def _order_priority(dataset: _Header) -> str:
    """Return Requested Procedure Priority (0040,1003), from the top level or from the first request."""
    if own := _text(dataset, "RequestedProcedurePriority"):
        return own
    sequence = dataset.elements.get(_REQUEST_ATTRIBUTES)
    try:
        first = next(items(dataset.data, sequence, dataset.encoding), None) if sequence else None
        if first is None:
            return ""
        found = find(dataset.data, *first, dataset.encoding, {_REQUESTED_PRIORITY})
    except (UnreadableInstance, struct.error):
        return ""
    return _text(_Header(dataset.data, dataset.encoding, dataset.character_sets, found), "RequestedProcedurePriority")


def _series(dataset: _Header) -> SeriesHeader:
    return SeriesHeader(
        series_instance_uid=SeriesInstanceUid(_uid(dataset, "SeriesInstanceUID")),
        modality=_text(dataset, "Modality"),
        body_part=_text(dataset, "BodyPartExamined"),
        series_description=_text(dataset, "SeriesDescription"),
        protocol_name=_text(dataset, "ProtocolName"),
        series_number=_integer(dataset, "SeriesNumber"),
        manufacturer=_text(dataset, "Manufacturer"),
        model_name=_text(dataset, "ManufacturerModelName"),
        convolution_kernel=_text(dataset, "ConvolutionKernel"),
        contrast_agent=_text(dataset, "ContrastBolusAgent"),
        software_versions=_text(dataset, "SoftwareVersions"),
    )


def _image(dataset: _Header) -> ImageHeader:
    position = _numbers(dataset, "ImagePositionPatient", 3)
    cosines = _numbers(dataset, "ImageOrientationPatient", 6)
    spacing = _numbers(dataset, "PixelSpacing", 2)
    thickness, exposure = (_numbers(dataset, keyword, 1) for keyword in ("SliceThickness", "Exposure"))
    return ImageHeader(
        sop_instance_uid=SopInstanceUid(_uid(dataset, "SOPInstanceUID")),
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        image_type=tuple(_text(dataset, "ImageType").split("\\")),
        rows=_integer(dataset, "Rows") or 0,
        columns=_integer(dataset, "Columns") or 0,
        number_of_frames=_integer(dataset, "NumberOfFrames") or 1,
        instance_number=_integer(dataset, "InstanceNumber"),
        position_mm=(position[0], position[1], position[2]) if position else None,
        orientation=(cosines[0], cosines[1], cosines[2], cosines[3], cosines[4], cosines[5]) if cosines else None,
        pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        slice_thickness_mm=thickness[0] if thickness else None,
        exposure_mas=exposure[0] if exposure else None,
        has_pixels=not _PIXEL_TAGS.isdisjoint(dataset.elements),
        announced_images=_announced_images(dataset),
    )


def _announced_images(dataset: _Header) -> int | None:
    numbers = (_integer(dataset, "ImagesInAcquisition"), _integer(dataset, "NumberOfSeriesRelatedInstances"))
    return max((number for number in numbers if number is not None and number > 0), default=None)


def _uid(dataset: _Header, keyword: str) -> str:
    value = _text(dataset, keyword)
    if not _UID.fullmatch(value):
        raise UnreadableInstance(f"{keyword} is {value[:64]!r}, a UID of at most 64 digits and dots is needed")
    return value


def _text(dataset: _Header, keyword: str) -> str:
    """Return one attribute as plain text: no control characters, empty where absent or unreadable."""
    tag, vr = _tags_and_vrs()[keyword]
    element = dataset.elements.get(tag)
    if element is None or element.end - element.start > _LARGE_VALUE_BYTES:
        return ""
    value = dataset.data[element.start : element.end]
    try:
        # An element that was copied as "unknown" is read as what the dictionary says that it is.
        text = _decoded(value, vr if element.vr in (b"", b"UN") else element.vr, dataset)
    except _UNREADABLE:
        return ""
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text.encode("utf-8", "replace").decode())
    return text.strip()[:LONGEST_TEXT]


def _decoded(value: bytes, vr: bytes, dataset: _Header) -> str:
    if kind := _NUMBER_FORMATS.get(vr):
        count = len(value) // struct.calcsize(f"={kind}")
        order = "<" if dataset.encoding.is_little_endian else ">"
        return "\\".join(map(str, struct.unpack(f"{order}{count}{kind}", value)))
    if vr not in _LOCAL_TEXT_VRS or dataset.character_sets == _default_character_sets():
        return value.decode(_default_character_sets()[0])
    return decode_bytes(value, list(dataset.character_sets), PN_DELIMS if vr == b"PN" else TEXT_VR_DELIMS)


def _integer(dataset: _Header, keyword: str) -> int | None:
    numbers = _numbers(dataset, keyword, 1)
    return None if numbers is None else int(numbers[0])


def _numbers(dataset: _Header, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly `count` finite numbers, or None where the attribute is absent or says something else."""
    text = _text(dataset, keyword)
    if not text:
        return None
    try:
        numbers = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    finite = all(abs(number) < 1e9 for number in numbers)
    return numbers if len(numbers) == count and finite else None


_STUDY_KEYWORDS = (
    "StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientAge", "PatientSex", "AccessionNumber",
    "StudyDescription", "StudyDate", "StudyTime", "InstitutionName", "RequestedProcedurePriority",
)  # fmt: skip
_SERIES_KEYWORDS = (
    "SeriesInstanceUID", "Modality", "BodyPartExamined", "SeriesDescription", "ProtocolName", "SeriesNumber",
    "Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "ContrastBolusAgent",
    "SoftwareVersions",
)  # fmt: skip
_IMAGE_KEYWORDS = (
    "SOPInstanceUID", "SOPClassUID", "ImageType", "Rows", "Columns", "NumberOfFrames", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Exposure",
    "ImagesInAcquisition", "NumberOfSeriesRelatedInstances",
)  # fmt: skip


@cache
def _tags_and_vrs() -> Mapping[str, tuple[int, bytes]]:
    """Return tag and VR of each attribute that is kept, as the dictionary has them."""
    tags = {keyword: tag_for_keyword(keyword) for keyword in (*_STUDY_KEYWORDS, *_SERIES_KEYWORDS, *_IMAGE_KEYWORDS)}
    return {keyword: (tag, dictionary_VR(tag).encode()) for keyword, tag in tags.items() if tag is not None}


@cache
def _study_tags() -> tuple[int, ...]:
    return (*(_tags_and_vrs()[keyword][0] for keyword in _STUDY_KEYWORDS), _REQUEST_ATTRIBUTES)


@cache
def _series_tags() -> tuple[int, ...]:
    return tuple(_tags_and_vrs()[keyword][0] for keyword in _SERIES_KEYWORDS)


@cache
def _wanted() -> frozenset[int]:
    kept = (tag for tag, _ in _tags_and_vrs().values())
    return _PIXEL_TAGS.union((_CHARACTER_SET, _REQUEST_ATTRIBUTES), kept)


@cache
def _default_character_sets() -> tuple[str, ...]:
    return tuple(convert_encodings(None))
