"""Writes result objects as files that are safe on disk before anybody is told about them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_gateway.durable_files import write_durably
from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.results.segmentation import KIND as SEGMENTATION
from dicom_gateway.results.segmentation import SEGMENTATION_CLASS_UID, outlines_of, segmentation
from dicom_gateway.results.structured_report import KIND as REPORT
from dicom_gateway.results.structured_report import REPORT_CLASS_UID, ReportingDevice, structured_report
from dicom_gateway.results.uids import report_uid
from triage.identifiers import Sha256, SopInstanceUid
from triage.ports import RecordedAnalysis, ResultObject
from triage.study import Series, Study

_PREAMBLE = bytes(128) + b"DICM"


def _installed_version() -> str:
    try:
        return version("acuity")
    except PackageNotFoundError:
        return "unreleased"


@dataclass(frozen=True, slots=True)
class _Draft:
    """An object that is to be on disk: what it is, under which UID, and how it is made where it is not there yet."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: SopInstanceUid
    make: Callable[[], Dataset]


@dataclass(frozen=True, slots=True)
class DicomReportWriter:
    """Writes the report of an analysis as a Comprehensive SR below `folder`, and its outlines as Segmentations.

    `time_zone` is the site's, for Content Date and Time where the images do not state an offset of their own.
    """

    folder: Path
    software_version: str = field(default_factory=_installed_version)
    time_zone: tzinfo = UTC

    def write(
        self, study: Study, series: Series, recorded: RecordedAnalysis, supersedes: RecordedAnalysis | None
    ) -> Sequence[ResultObject]:
        """Return the report of `recorded` and then its segmentations, safe on disk; what is already there is returned
        as it is.

        Raises:
            StorageFull: no space is left; the same call may succeed later.
            UnreadableInstance: a file of the series cannot be read.
            InvalidGeometry: a region or a mask lies on an image that is not one of the series, or a mask does not fit.
        """
        device = ReportingDevice(self.software_version, self.time_zone)
        report = partial(structured_report, series, recorded, supersedes, device)
        drafts = [_Draft(REPORT, REPORT_CLASS_UID, report_uid(recorded, REPORT), report)]
        for outline in outlines_of(series, recorded):
            make = partial(segmentation, outline, series, recorded, device)
            drafts.append(_Draft(SEGMENTATION, SEGMENTATION_CLASS_UID, outline.sop_instance_uid(recorded), make))
        return tuple(self._kept(draft, study, recorded) for draft in drafts)

    def _kept(self, draft: _Draft, study: Study, recorded: RecordedAnalysis) -> ResultObject:
        uid = draft.sop_instance_uid
        path = self.folder / uid[-2:] / f"{uid}.dcm"
        if path.exists():
            digest = hashlib.sha256(_data_set_bytes(path.read_bytes()))
        else:
            encoded = encode(draft.make())
            digest = hashlib.sha256(encoded)
            write_durably(path, _PREAMBLE + _file_meta(uid, draft.sop_class_uid) + encoded)
        return ResultObject(
            sop_instance_uid=uid,
            sop_class_uid=draft.sop_class_uid,
            study_instance_uid=study.study_instance_uid,
            revision=recorded.revision,
            kind=draft.kind,
            sha256=Sha256(digest.hexdigest()),
            path=str(path),
        )


def encode(data_set: Dataset) -> bytes:
    """Return the bytes of `data_set` in Explicit VR Little Endian, without preamble and file meta information."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def _file_meta(sop_instance_uid: str, sop_class_uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return buffer.getvalue()


def _data_set_bytes(file_bytes: bytes) -> bytes:
    """Return what follows the file meta information, whose length its first element states. Source: PS3.10 7.1."""
    start = len(_PREAMBLE)
    return file_bytes[start + 12 + int.from_bytes(file_bytes[start + 8 : start + 12], "little") :]
