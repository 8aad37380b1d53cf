"""Plain values for tests: small studies, series and analyses with sensible defaults."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from triage.findings import Analysis, Code, Finding, ImageScore, ModelIdentity, Region, StageSeconds
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid, StudyInstanceUid
from triage.priority import Priority
from triage.selection import Acceptance
from triage.study import (
    ImageHeader,
    InstanceHeader,
    ReceivedInstance,
    Series,
    SeriesHeader,
    Source,
    StoredFile,
    StudyHeader,
)

MORNING = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
STUDY = StudyInstanceUid("2.25.1000")
SERIES = SeriesInstanceUid("2.25.2000")
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MODEL = ModelIdentity("ct-head-haemorrhage", "0.1.0", "d" * 64)
HAEMORRHAGE = Code("1386000", "SCT", "Intracranial hemorrhage")
HEAD_CT = Acceptance(
    modalities=("CT",),
    body_parts=("HEAD", "BRAIN"),
    excluded_words=("BONE",),
    image_type_excludes=("LOCALIZER",),
    min_slices=5,
    min_extent_mm=20.0,
    slice_spacing_mm=(0.5, 10.0),
    orientation="axial",
    max_obliquity_degrees=35.0,
)


@dataclass
class FrozenClock:
    """A clock that stands still until it is told to go on."""

    time: datetime = field(default=MORNING)

    def now(self) -> datetime:
        return self.time

    def forward(self, **timedelta_arguments: float) -> None:
        self.time += timedelta(**timedelta_arguments)


def an_image(number: int, **changes: object) -> ImageHeader:
    """Return slice `number` of a stack of axial slices 5 mm apart."""
    image = ImageHeader(
        sop_instance_uid=SopInstanceUid(f"2.25.3{number:03}"),
        sop_class_uid=CT_IMAGE_STORAGE,
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        rows=512,
        columns=512,
        instance_number=number,
        position_mm=(0.0, 0.0, 5.0 * number),
        orientation=AXIAL,
        pixel_spacing_mm=(0.5, 0.5),
        slice_thickness_mm=5.0,
    )
    return replace(image, **changes)  # type: ignore[arg-type]


def a_file(content: str = "bytes") -> StoredFile:
    """Return the file of an instance whose data set is `content`."""
    return StoredFile(
        Sha256(sha256(content.encode()).hexdigest()), len(content), f"/spool/{content}", "1.2.840.10008.1.2.1"
    )


def a_series(images: int = 10, **header: object) -> Series:
    """Return an axial head CT series; `header` changes its series header."""
    numbered = tuple(an_image(number) for number in range(images))
    values: dict[str, object] = {"modality": "CT", "body_part": "HEAD", "series_description": "Head 5mm"} | header
    return Series(
        header=SeriesHeader(SERIES, **values),  # type: ignore[arg-type]
        study_description="CT head",
        images=numbered,
        files=tuple(a_file(image.sop_instance_uid) for image in numbered),
    )


def an_instance(number: int = 0, content: str = "", association: str = "a1", **study: str) -> ReceivedInstance:
    """Return slice `number` of the head CT as it was received; `study` changes its study header."""
    image = an_image(number)
    header = InstanceHeader(
        StudyHeader(STUDY, patient_name="DOE^JANE", patient_id="P1", **study),  # type: ignore[arg-type]
        SeriesHeader(SERIES, modality="CT", body_part="HEAD", series_description="Head 5mm"),
        image,
    )
    return ReceivedInstance(header, a_file(content or image.sop_instance_uid), Source("CT1", "127.0.0.1", association))


def an_analysis(probability: float = 0.9, threshold: float = 0.5, out_of_scope: str | None = None) -> Analysis:
    """Return what the head CT model said."""
    scores = tuple(ImageScore(an_image(number).sop_instance_uid, probability) for number in range(3))
    finding = Finding(
        code=HAEMORRHAGE,
        probability=probability,
        threshold=threshold,
        operating_point="balanced",
        raises_to=Priority.CRITICAL,
        model=MODEL,
        regions=(Region(an_image(1).sop_instance_uid, (10.0, 20.0, 30.0, 40.0), probability),),
        image_scores=scores,
    )
    findings = () if out_of_scope else (finding,)
    return Analysis(MODEL, SERIES, "CPUExecutionProvider", findings, StageSeconds(0.1, 0.2), (), out_of_scope)
