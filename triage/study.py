"""A study on its way through the platform: what was received, where it stands, and which steps are allowed next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from triage.completion import CompletionSignal
from triage.errors import StatusNotAllowed
from triage.findings import AiState
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid, StudyInstanceUid
from triage.priority import Priority


class StudyStatus(StrEnum):
    """Where a study stands between its first instance and its delivered results."""

    RECEIVING = "RECEIVING"
    COMPLETE = "COMPLETE"
    TRIAGED = "TRIAGED"
    DELIVERED = "DELIVERED"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"


ALLOWED: Mapping[StudyStatus, frozenset[StudyStatus]] = {
    StudyStatus.RECEIVING: frozenset({StudyStatus.COMPLETE, StudyStatus.NEEDS_ATTENTION}),
    StudyStatus.COMPLETE: frozenset({StudyStatus.TRIAGED, StudyStatus.RECEIVING, StudyStatus.NEEDS_ATTENTION}),
    StudyStatus.TRIAGED: frozenset({StudyStatus.DELIVERED, StudyStatus.RECEIVING, StudyStatus.NEEDS_ATTENTION}),
    StudyStatus.DELIVERED: frozenset({StudyStatus.RECEIVING, StudyStatus.NEEDS_ATTENTION}),
    StudyStatus.NEEDS_ATTENTION: frozenset({StudyStatus.RECEIVING, StudyStatus.COMPLETE}),
}
"""Each status with those that may follow it; a late instance leads back to RECEIVING, a retry back to COMPLETE."""


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """What an instance says about its patient and its order; empty strings where the scanner wrote nothing."""

    study_instance_uid: StudyInstanceUid
    patient_name: str = ""
    patient_id: str = ""
    patient_birth_date: str = ""
    patient_age: str = ""
    patient_sex: str = ""
    accession_number: str = ""
    study_description: str = ""
    study_date: str = ""
    study_time: str = ""
    institution_name: str = ""
    order_priority: str = ""


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """What an instance says about its series, as far as choosing a series for a model needs it."""

    series_instance_uid: SeriesInstanceUid
    modality: str = ""
    body_part: str = ""
    series_description: str = ""
    protocol_name: str = ""
    series_number: int | None = None
    manufacturer: str = ""
    model_name: str = ""
    convolution_kernel: str = ""
    contrast_agent: str = ""
    software_versions: str = ""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an instance says about its pixels.

    `position_mm` is Image Position (Patient), `orientation` the six cosines of Image Orientation (Patient), both in
    the patient coordinate system (LPS), None where absent. `pixel_spacing_mm` is (between rows, between columns).
    `announced_images` is how many images belong together: the larger of Images in Acquisition (0020,1002) and Number of
    Series Related Instances (0020,1209), where the scanner or an archive wrote one.
    Source: PS3.3 C.7.6.2.1.1.
    """

    sop_instance_uid: SopInstanceUid
    sop_class_uid: str
    image_type: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    number_of_frames: int = 1
    instance_number: int | None = None
    position_mm: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    slice_thickness_mm: float | None = None
    exposure_mas: float | None = None
    has_pixels: bool = True
    announced_images: int | None = None


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """The three levels of one instance's header."""

    study: StudyHeader
    series: SeriesHeader
    image: ImageHeader


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A received instance on disk: `sha256` and `size` are of the data set's bytes as received, without file meta."""

    sha256: Sha256
    size: int
    path: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Source:
    """Who sent an instance, and in which association."""

    ae_title: str
    host: str
    association_id: str


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """One instance whose bytes are safe on disk."""

    header: InstanceHeader
    file: StoredFile
    source: Source


class Registration(StrEnum):
    """What registering an instance found: a new one, the same bytes again, or other bytes under a known UID."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study with the headers of its images and, in the same order, their files."""

    header: SeriesHeader
    study_description: str
    images: tuple[ImageHeader, ...]
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """Where one study stands; a change returns a new value."""

    study_instance_uid: StudyInstanceUid
    header: StudyHeader
    status: StudyStatus
    revision: int
    order_priority: Priority
    priority: Priority
    ai_state: AiState
    reason: str
    received_at: datetime
    last_instance_at: datetime
    deadline: datetime
    complete_at: datetime | None = None
    triaged_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_by: CompletionSignal | None = None

    def moved_to(self, status: StudyStatus) -> "Study":
        """Return the study in `status`.

        Raises:
            StatusNotAllowed: `ALLOWED` does not lead there from the present status.
        """
        if status not in ALLOWED[self.status]:
            raise StatusNotAllowed(f"study {self.study_instance_uid}: {self.status} cannot become {status}")
        return replace(self, status=status)

    def with_late_instance(self, at: datetime) -> "Study":
        """Return the study after a new instance: still receiving, or reopened as the next revision."""
        if self.status is StudyStatus.RECEIVING:
            return replace(self, last_instance_at=at)
        reopened = self.moved_to(StudyStatus.RECEIVING)
        return replace(
            reopened,
            revision=self.revision + 1,
            last_instance_at=at,
            complete_at=None,
            delivered_at=None,
            completed_by=None,
        )
