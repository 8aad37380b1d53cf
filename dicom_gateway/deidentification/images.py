"""One image in, one image out that says nothing of who it is of, or a refusal that says what cannot be cleaned."""

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import UID

from dicom_gateway.deidentification.attributes import Cleaning, Traces, traces_of
from dicom_gateway.deidentification.identities import Identities
from dicom_gateway.deidentification.pixels import clean_pixels
from dicom_gateway.deidentification.profile import STANDARD, Action, Option, action_for
from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from triage.errors import CannotDeidentify, UnreadableInstance, UnsupportedPixels

_METHODS: Mapping[Option | None, tuple[str, str]] = {
    None: ("113100", "Basic Application Confidentiality Profile"),
    Option.DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Option.DEVICE: ("113109", "Retain Device Identity Option"),
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
}
"""Codes of PS3.16 CID 7050."""
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")

_UNREADABLE = (
    InvalidDicomError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError,
    RuntimeError, OSError, EOFError, struct.error, zlib.error,
)  # fmt: skip
"""What pydicom raises on a file that is no data set."""
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SHORTEST_SOUGHT = 5
"""Bytes; a shorter word is found by chance in binary values. Texts are searched for shorter ones by `Cleaning`."""


@dataclass(slots=True)
class StudyReport:
    """What was done with the images of one study; no original value stands in it."""

    study_instance_uid: str
    options: list[str]
    images: int = 0
    pixels: Counter[str] = field(default_factory=Counter)
    attributes: Counter[tuple[int, str]] = field(default_factory=Counter)

    def as_object(self) -> dict[str, Any]:
        """Return the report as JSON: each attribute with what was done to it, and how often."""
        attributes = [
            {"tag": f"({tag >> 16:04X},{tag & 0xFFFF:04X})", "keyword": keyword_for_tag(tag), "action": action,
             "count": count}
            for (tag, action), count in sorted(self.attributes.items())
        ]  # fmt: skip
        return {
            "study_instance_uid": self.study_instance_uid, "profile": f"{STANDARD}, Basic Profile",
            "options": self.options, "images": self.images, "pixels": dict(self.pixels), "attributes": attributes,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """Cleans images one by one; the same patient, study and image always become the same ones under the same key."""

    identities: Identities
    options: frozenset[Option] = frozenset()

    def clean(self, path: Path, reports: dict[str, StudyReport]) -> FileDataset:
        """Return the cleaned image of `path`, and add what was done to the report of its new study.

        Raises:
            CannotDeidentify: it is no image, it may hold text in its pixels and nobody knows where, or something of
                the person is still found in it.
            UnreadableInstance: the file is no DICOM image.
        """
        image = _read(path)
        _require_image(image)
        traces = traces_of(image)
        originals = _original_uids(image, self.options)
        try:
            pixels = clean_pixels(image)
        except UnsupportedPixels as error:
            raise CannotDeidentify(f"pixels: {error}") from error
        patient_id = str(image.get("PatientID", "")) or str(image.get("StudyInstanceUID", ""))
        issuer = str(image.get("IssuerOfPatientID", ""))
        cleaning = Cleaning(self.identities, self.options, patient_id, issuer, traces)
        cleaning.clean(image)
        image.PatientID = image.PatientName = self.identities.patient(patient_id, issuer)
        _require_gone(image, traces, originals)
        self._mark(image, "blanked" in pixels)
        report = reports.setdefault(
            str(image.StudyInstanceUID), StudyReport(str(image.StudyInstanceUID), sorted(self.options))
        )
        report.images += 1
        report.pixels[pixels] += 1
        report.attributes.update(cleaning.done)
        return image

    def _mark(self, image: FileDataset, pixels_were_cleaned: bool) -> None:
        """Say in the image itself that and how it was cleaned. Source: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1."""
        methods = [_METHODS[None], *(_METHODS[one] for one in sorted(self.options))]
        if pixels_were_cleaned:
            methods.append(_CLEAN_PIXELS)
        image.PatientIdentityRemoved = "YES"
        image.DeidentificationMethod = f"Acuity, {STANDARD}"
        image.DeidentificationMethodCodeSequence = [_coded(value, meaning) for value, meaning in methods]
        image.LongitudinalTemporalInformationModified = "MODIFIED" if Option.DATES in self.options else "REMOVED"
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = image.SOPClassUID
        meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        meta.TransferSyntaxUID = image.file_meta.TransferSyntaxUID
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        image.file_meta = meta
        image.preamble = bytes(128)


def _read(path: Path) -> FileDataset:
    try:
        # pydicom's warnings quote what it found, which is what is to go.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = dcmread(path)
            image.decode()
            for _ in image.iterall():
                pass
    except _UNREADABLE as error:
        kind = "no DICOM file" if isinstance(error, InvalidDicomError) else type(error).__name__
        raise UnreadableInstance(f"cannot be read: {kind}") from error
    return image


def _require_image(image: FileDataset) -> None:
    needed = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    if missing := [name for name in needed if not image.get(name)]:
        raise UnreadableInstance(f"lacks {', '.join(missing)}")
    if image.file_meta.get("TransferSyntaxUID") is None:
        raise UnreadableInstance("lacks a transfer syntax")
    if not image.file_meta.TransferSyntaxUID.is_little_endian:
        raise CannotDeidentify("Explicit VR Big Endian, retired: convert it first")
    if not any(name in image for name in _PIXELS):
        # Reports, presentation states, key object notes, encapsulated documents, waveforms, raw data.
        raise CannotDeidentify(f"SOP class {image.SOPClassUID.name}: no image, its content cannot be cleaned")


def _original_uids(image: Dataset, options: frozenset[Option]) -> frozenset[str]:
    """Return the UIDs that are to go: not those of the standard, nor those of classes and coding schemes."""
    changed = (one for one in image.iterall() if one.VR == "UI" and action_for(one.tag, "UI", options) != Action.KEEP)
    found = {str(value) for one in changed for value in _listed(one.value)}
    return frozenset(uid for uid in found if uid and not uid.startswith("1.2.840.10008."))


def _listed(value: Any) -> list[Any]:
    return list(value) if not isinstance(value, str | None) else [value] if value else []


def _require_gone(image: FileDataset, traces: Traces, uids: frozenset[str]) -> None:
    """Search the bytes that would be written for everything that was to go; of pixels those that are compressed.

    A compressed frame may carry comments. In plain values a word would be found by chance alone.
    """
    without_pixels = Dataset({tag: element for tag, element in image.items() if tag.group != 0x7FE0})
    buffer = BytesIO()
    syntax = image.file_meta.TransferSyntaxUID
    without_pixels.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    frames = bytes(image.get("PixelData") or b"") if syntax.is_encapsulated else b""
    content = buffer.getvalue().lower() + frames.lower()
    sought = {word for word in traces.names | traces.identifiers if len(word) >= _SHORTEST_SOUGHT} | uids
    own = {str(image.PatientID).lower(), "removed"}
    encodings = ("utf-8", "latin-1")
    for one in sorted(sought - own):
        for encoding in encodings:
            if one.encode(encoding, "ignore") and one.encode(encoding, "ignore") in content:
                what = "a UID" if one in uids else "a name or an identifier"
                raise CannotDeidentify(f"{what} of the original is still found in {_place(image, one)}")


def _place(image: Dataset, text: str) -> str:
    for element in image.iterall():
        if text in str(element.value).lower() and element.VR != "SQ":
            return f"({element.tag.group:04X},{element.tag.element:04X})"
    return str(Tag(0))


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
