"""The header of a received data set, read from its bytes without decoding a pixel."""

import re
import struct
import zlib
from io import BytesIO

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from triage.errors import UnreadableInstance
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid
from triage.study import ImageHeader, InstanceHeader, SeriesHeader, StudyHeader

LONGEST_TEXT = 1024
"""Characters kept of any one text; no text attribute that the list shows may be longer (PS3.5 table 6.2-1)."""

_LARGE_VALUE_BYTES = 16384
_UNDEFINED_LENGTH = 0xFFFFFFFF
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, struct.error)


def read_instance(data_set: bytes, transfer_syntax_uid: str) -> InstanceHeader:
    """Return the header of `data_set`, the bytes of a C-STORE as they came.

    Raises:
        UnreadableInstance: the bytes end inside an element, are no data set, or lack one of the three UIDs.
    """
    dataset = _parse(data_set, UID(transfer_syntax_uid))
    return InstanceHeader(_study(dataset), _series(dataset), _image(dataset))


def _parse(data_set: bytes, transfer_syntax: UID) -> Dataset:
    try:
        if transfer_syntax == DeflatedExplicitVRLittleEndian:
            data_set = zlib.decompress(data_set, wbits=-zlib.MAX_WBITS)
        implicit = transfer_syntax.is_implicit_VR if transfer_syntax.is_transfer_syntax else False
        little_endian = transfer_syntax.is_little_endian if transfer_syntax.is_transfer_syntax else True
        elements = _elements(data_set, implicit, little_endian)
        dataset = Dataset({**elements})
        dataset.set_original_encoding(implicit, little_endian, _encodings(elements))
    except (EOFError, zlib.error, *_UNREADABLE) as error:
        raise UnreadableInstance(f"data set of {len(data_set)} bytes: {error or type(error).__name__}") from error
    if not elements:
        raise UnreadableInstance(f"data set of {len(data_set)} bytes: no element in it")
    return dataset


def _elements(data_set: bytes, implicit: bool, little_endian: bool) -> dict[BaseTag, RawDataElement | DataElement]:
    """Return the top-level elements; large values are skipped, not copied.

    Raises:
        EOFError: an element is longer than what is left, or the last bytes are no element.
    """
    stream = BytesIO(data_set)
    elements: dict[BaseTag, RawDataElement | DataElement] = {}
    end = 0
    for element in data_element_generator(stream, implicit, little_endian, defer_size=_LARGE_VALUE_BYTES):
        elements[element.tag] = element
        end = stream.tell()
        if end > len(data_set) or _is_short(element):
            raise EOFError(f"ends inside element {element.tag}, {len(data_set)} bytes received")
    if any(data_set[end:]):
        raise EOFError(f"{len(data_set) - end} bytes after the last element are none")
    return elements


def _is_short(element: object) -> bool:
    return (
        isinstance(element, RawDataElement)
        and bool(element.value)
        and len(element.value or b"") < element.length < 2**32 - 1
    )


def _encodings(elements: dict[BaseTag, RawDataElement | DataElement]) -> list[str]:
    declared = elements.get(BaseTag(0x00080005))
    value = (declared.value or b"").decode("ascii", "replace").strip() if declared is not None else ""
    names = value.split("\\") if "\\" in value else value
    return list(convert_encodings(names or None))


def _study(dataset: Dataset) -> StudyHeader:
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


def _order_priority(dataset: Dataset) -> str:
    """Return Requested Procedure Priority (0040,1003), from the top level or from the first request."""
    if own := _text(dataset, "RequestedProcedurePriority"):
        return own
    try:
        requests = dataset.get("RequestAttributesSequence") or []
        return _text(requests[0], "RequestedProcedurePriority") if requests else ""
    except _UNREADABLE:
        return ""


def _series(dataset: Dataset) -> SeriesHeader:
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
    )


def _image(dataset: Dataset) -> ImageHeader:
    position = _numbers(dataset, "ImagePositionPatient", 3)
    cosines = _numbers(dataset, "ImageOrientationPatient", 6)
    spacing = _numbers(dataset, "PixelSpacing", 2)
    thickness = _numbers(dataset, "SliceThickness", 1)
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
        has_pixels=any(tag in dataset for tag in _PIXEL_TAGS),
    )


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _text(dataset, keyword)
    if not re.fullmatch(r"[0-9.]{1,64}", value):
        raise UnreadableInstance(f"{keyword} is {value[:64]!r}, a UID of at most 64 digits and dots is needed")
    return value


def _text(dataset: Dataset, keyword: str) -> str:
    """Return one attribute as plain text: no control characters, empty where absent or unreadable."""
    try:
        value = dataset.get(keyword)
        text = "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value or "")
    except _UNREADABLE:
        return ""
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", text.encode("utf-8", "replace").decode())
    return clean.strip()[:LONGEST_TEXT]


def _integer(dataset: Dataset, keyword: str) -> int | None:
    numbers = _numbers(dataset, keyword, 1)
    return None if numbers is None else int(numbers[0])


def _numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly `count` finite numbers, or None where the attribute is absent or says something else."""
    try:
        numbers = tuple(float(part) for part in _text(dataset, keyword).split("\\"))
    except ValueError:
        return None
    finite = all(abs(number) < 1e9 for number in numbers)
    return numbers if len(numbers) == count and finite else None
