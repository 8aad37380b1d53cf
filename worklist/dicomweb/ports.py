"""What DICOMweb needs from the world outside, each need as one small Protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from triage.dicom_search import DicomSearch, SearchPage
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid


class StoredInstance(Protocol):
    """A received instance and where its file lies."""

    @property
    def study_instance_uid(self) -> StudyInstanceUid: ...
    @property
    def series_instance_uid(self) -> SeriesInstanceUid: ...
    @property
    def sop_instance_uid(self) -> SopInstanceUid: ...
    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def transfer_syntax_uid(self) -> str: ...


class DicomIndex(Protocol):
    """Queries, and the files of what was received."""

    def search(self, wanted: DicomSearch) -> SearchPage: ...

    def instances(self, study: str, series: str | None = None, image: str | None = None) -> Sequence[StoredInstance]:
        """Return the received instances of a study, of one series of it, or the one image; none where unknown."""


class BulkData(Protocol):
    """One frame or one value as it travels, and as what."""

    @property
    def body(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...


class DicomObjects(Protocol):
    """Reads stored files; raises UnreadableInstance, UnsupportedPixels, TooBusy."""

    def metadata(self, path: str, address: str) -> dict[str, Any]:
        """Return the DICOM JSON of a file; large values are named by an address below `address` (PS3.18 F)."""

    def frames(self, path: str, numbers: Sequence[int], decoded: bool) -> Iterator[BulkData]:
        """Yield frames (counted from 1; none asks for all) as they are stored or, with `decoded`, uncompressed."""

    def bulk_data(self, path: str, tag: int) -> BulkData:
        """Return the value of one top-level attribute; raises UnreadableInstance where there is none."""

    def stored_media_type(self, transfer_syntax_uid: str) -> str:
        """Return the media type of a frame as it is stored (PS3.18 table 8.7.3-5), octet-stream when uncompressed."""

    def rendered(self, path: str, number: int, window: tuple[float, float] | None, media_type: str) -> bytes:
        """Return frame `number` (from 1) as image/jpeg or image/png, with the caption burned in."""


class Receipt(Protocol):
    """What became of one part: `failure` is 0 or the Failure Reason (0008,1197); UIDs are empty where unreadable."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def failure(self) -> int: ...


class IncomingPart(Protocol):
    """One DICOM file on its way in; what is neither finished nor discarded was never received."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> Receipt:
        """Return when the instance is fsynced and committed, or why it is not."""

    def discard(self) -> None: ...


class IntakeSession(Protocol):
    """The parts of one request; a study with an open session is not complete."""

    def begin(self) -> IncomingPart: ...

    def close(self, outcome: str) -> None: ...


class DicomIntake(Protocol):
    """The same durable way in that C-STORE takes."""

    def session(self, sender: str, host: str, study_instance_uid: str) -> IntakeSession:
        """Return a session of `sender` at address `host`; with a study, instances of others are refused."""


@dataclass(frozen=True, slots=True)
class DicomWebServices:
    """Everything that DICOMweb works with."""

    index: DicomIndex
    objects: DicomObjects
    intake: DicomIntake
