"""Builders for what a report is made of: source images on disk, their series, and an analysis of it."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from dicom_gateway.results.structured_report import ReportingDevice
from triage.findings import AiState, Analysis, Code, Finding, ImageScore, ModelIdentity, Region, StageSeconds
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import RecordedAnalysis
from triage.priority import Priority
from triage.study import ImageHeader, Series, SeriesHeader, StoredFile, Study, StudyHeader, StudyStatus

STUDY_UID = StudyInstanceUid("1.2.826.0.1.3680043.2.1143.1")
SERIES_UID = SeriesInstanceUid("1.2.826.0.1.3680043.2.1143.1.1")
RECORDED_AT = datetime(2026, 3, 14, 23, 30, 15, 250000, tzinfo=UTC)
MODEL = ModelIdentity("ct-ich", "1.2.0", "ab" * 32)

SOP_CLASSES = {
    "CT": CTImageStorage,
    "CT enhanced": EnhancedCTImageStorage,
    "MR": MRImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "US": UltrasoundImageStorage,
    "US multi-frame": UltrasoundMultiFrameImageStorage,
}

PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "MRN-17",
    "PatientBirthDate": "19500203",
    "PatientSex": "F",
    "PatientAge": "076Y",
    "StudyDate": "20260314",
    "StudyTime": "221500",
    "AccessionNumber": "ACC-9",
    "StudyID": "S1",
    "ReferringPhysicianName": "House^Gregory",
    "StudyDescription": "CT head",
    "IssuerOfPatientID": "General Hospital",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Writes source images below `folder` and returns their series."""

    folder: Path

    def series(
        self,
        kind: str = "CT",
        images: int = 3,
        frames: int = 1,
        header: dict[str, str | None] | None = None,
        character_set: str | bytes = b"ISO_IR 100",
        encoding: str = "latin-1",
    ) -> Series:
        values = PATIENT | (header or {})
        raw = {keyword: value.encode(encoding) for keyword, value in values.items() if value is not None}
        return self.series_of_bytes(kind, images, frames, raw, character_set)

    def series_of_bytes(
        self, kind: str, images: int, frames: int, raw: dict[str, bytes], character_set: str | bytes
    ) -> Series:
        sop_class = str(SOP_CLASSES[kind])
        headers, files = [], []
        for number in range(1, images + 1):
            uid = SopInstanceUid(f"{SERIES_UID}.{number}")
            path = self.folder / f"{uid}.dcm"
            path.write_bytes(_part10(uid, sop_class, raw, character_set))
            headers.append(ImageHeader(uid, sop_class, rows=512, columns=640, number_of_frames=frames))
            files.append(StoredFile(Sha256(f"{number:064x}"), 1, str(path), ExplicitVRLittleEndian))
        return Series(SeriesHeader(SERIES_UID, modality=kind[:2]), "CT head", tuple(headers), tuple(files))


def _part10(uid: str, sop_class: str, raw: dict[str, bytes], character_set: str | bytes) -> bytes:
    """Return a file whose elements hold exactly the bytes of `raw`, right or wrong, in Explicit VR Little Endian."""
    named = character_set.encode() if isinstance(character_set, str) else character_set
    elements = dict(raw) | ({"SpecificCharacterSet": named} if named else {})
    elements |= {"SOPClassUID": sop_class.encode(), "SOPInstanceUID": uid.encode()}
    elements |= {"StudyInstanceUID": STUDY_UID.encode(), "SeriesInstanceUID": SERIES_UID.encode()}
    by_tag = sorted((tag_for_keyword(keyword), value) for keyword, value in elements.items())
    body = b"".join(_element(tag, value) for tag, value in by_tag)
    meta = _element(0x00020002, sop_class.encode()) + _element(0x00020003, uid.encode())
    meta += _element(0x00020010, ExplicitVRLittleEndian.encode())
    group_length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(meta))
    return bytes(128) + b"DICM" + group_length + meta + body


def _element(tag: int, value: bytes) -> bytes:
    vr = dictionary_VR(tag)
    padding = (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value + padding)) + value + padding


def region(image: int = 2, box: tuple[float, float, float, float] = (10.0, 20.5, 110.0, 220.5), **more) -> Region:
    return Region(SopInstanceUid(f"{SERIES_UID}.{image}"), box, probability=0.83, **more)


def finding(**changes) -> Finding:
    usual = Finding(
        code=Code("1386000", "SCT", "Intracranial hemorrhage"),
        probability=0.9125,
        threshold=0.4,
        operating_point="triage",
        raises_to=Priority.CRITICAL,
        model=MODEL,
        regions=(region(),),
        image_scores=(ImageScore(SopInstanceUid(f"{SERIES_UID}.3"), 0.91),),
    )
    return replace(usual, **changes)


def recorded(*findings: Finding, **changes) -> RecordedAnalysis:
    analysis = Analysis(
        model=MODEL,
        series_instance_uid=SERIES_UID,
        provider="CPUExecutionProvider",
        findings=findings,
        seconds=StageSeconds(0.4, 1.2),
        quality=("motion",),
        out_of_scope=changes.pop("out_of_scope", None),
    )
    usual = RecordedAnalysis(STUDY_UID, 1, Sha256("cd" * 32), RECORDED_AT, analysis)
    return replace(usual, **changes)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    folder = tmp_path / "sources"
    folder.mkdir()
    return Sources(folder)


@pytest.fixture
def make_finding() -> Callable[..., Finding]:
    return finding


@pytest.fixture
def make_region() -> Callable[..., Region]:
    return region


@pytest.fixture
def make_recorded() -> Callable[..., RecordedAnalysis]:
    return recorded


@pytest.fixture
def flagged() -> RecordedAnalysis:
    return recorded(finding())


@pytest.fixture
def device() -> ReportingDevice:
    return ReportingDevice("0.1.0")


@pytest.fixture
def study() -> Study:
    return Study(
        study_instance_uid=STUDY_UID,
        header=StudyHeader(STUDY_UID),
        status=StudyStatus.TRIAGED,
        revision=1,
        order_priority=Priority.ROUTINE,
        priority=Priority.CRITICAL,
        ai_state=AiState.ANALYSED_FLAGGED,
        reason="",
        received_at=RECORDED_AT,
        last_instance_at=RECORDED_AT,
        deadline=RECORDED_AT,
    )
