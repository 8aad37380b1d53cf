"""What a report takes over from its source images: the patient and the study, as text that UTF-8 can carry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydicom import dcmread
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from triage.errors import UnreadableInstance
from triage.identifiers import SopInstanceUid

REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
"""Type 2 in the Patient and General Study modules: present in every report, empty where the scanner wrote nothing."""

OPTIONAL = ("IssuerOfPatientID", "StudyDescription", "PatientAge", "TimezoneOffsetFromUTC")
"""Type 3: taken over where the source has them."""

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "PatientSex": re.compile(r"[MFO]", re.ASCII),
    "StudyTime": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", re.ASCII),
    "PatientAge": re.compile(r"\d{3}[DWMY]", re.ASCII),
    "TimezoneOffsetFromUTC": re.compile(r"[+-](0\d|1[0-4])[0-5]\d", re.ASCII),
}

# Bytes after which a text falls back to its first character set: backslash, line ends, and in names ^ and =.
# Source: PS3.5 6.1.2.5.3.
_DELIMITERS = {0x5C, 0x0A, 0x0C, 0x0D, 0x09, 0x5E, 0x3D}


@dataclass(frozen=True, slots=True)
class SourceHeader:
    """Patient and study of a source image: DICOM keyword to decoded value."""

    values: Mapping[str, str]

    def copy_to(self, report: Dataset) -> None:
        """Write every value into `report`, whose Specific Character Set must be able to carry it.

        Identifiers are taken over as they are, even where they break their VR: an archive must find the same patient
        and the same order in the report as in the images.
        """
        for keyword, value in self.values.items():
            vr = dictionary_VR(keyword)
            # Without the explicit mode (0: do not check) pydicom warns, and its warning quotes the patient's data.
            report.add(DataElement(keyword, vr, value, validation_mode=0))


def read_source_header(path: str, uid: SopInstanceUid) -> SourceHeader:
    """Return the patient and the study of the image `uid`, stored as a Part 10 file at `path`.

    A date, time, sex or age that is no valid value of its VR is left empty rather than passed on.

    Raises:
        UnreadableInstance: the file is missing or is no DICOM file.
    """
    keywords = [*REQUIRED, *OPTIONAL]
    try:
        header = dcmread(Path(path), stop_before_pixels=True, specific_tags=keywords)
    except (OSError, InvalidDicomError, EOFError) as error:
        raise UnreadableInstance(f"instance {uid}: {type(error).__name__} on reading its file, DICOM needed") from error
    encodings = convert_encodings(_text(header, "SpecificCharacterSet", ["ascii"]).split("\\"))
    values = {keyword: _valid(keyword, _text(header, keyword, encodings)) for keyword in keywords}
    return SourceHeader({keyword: value for keyword, value in values.items() if value or keyword in REQUIRED})


def _text(header: Dataset, keyword: str, encodings: list[str]) -> str:
    """Return the decoded value, without padding and control characters; empty where there is none."""
    element = header.get_item(keyword)
    value = element.value if element is not None else b""
    if isinstance(value, bytes):
        text = decode_bytes(value, encodings, _DELIMITERS)
    else:
        # pydicom has converted the element already, as it does with Specific Character Set.
        text = value if isinstance(value, str) else "\\".join(value or [])
    return "".join(character for character in text if character.isprintable()).strip()


def _valid(keyword: str, value: str) -> str:
    if dictionary_VR(keyword) == "DA":
        return _valid_date(value)
    pattern = _PATTERNS.get(keyword)
    return value if pattern is None or pattern.fullmatch(value) else ""


def _valid_date(value: str) -> str:
    """Return `value` as YYYYMMDD, or nothing; YYYY.MM.DD is how ACR-NEMA wrote it and still comes in."""
    digits = value.replace(".", "")
    if not re.fullmatch(r"\d{8}", digits, re.ASCII):
        return ""
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return ""
    return digits
