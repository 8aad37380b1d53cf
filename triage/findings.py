"""What a model says about a study: coded findings with a calibrated probability and where they are seen."""

from dataclasses import dataclass
from enum import StrEnum

from triage.identifiers import SeriesInstanceUid, SopInstanceUid
from triage.priority import Priority


class AiState(StrEnum):
    """The five things the list may say about the analysis of a study; none of them means "normal"."""

    PENDING = "pending"
    ANALYSED_FLAGGED = "analysed_flagged"
    ANALYSED_NO_FLAG = "analysed_no_flag"
    OUT_OF_SCOPE = "out_of_scope"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept, for example (1386000, SCT, "Intracranial hemorrhage").

    Source: PS3.3 section 8, code value, coding scheme designator, code meaning.
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model spoke: its name, its semantic version and the SHA-256 over all files of its bundle."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Region:
    """A box around a suspected lesion on one image.

    `box` is (left, top, right, bottom) in pixels of the image matrix, the top left corner of the top left
    pixel being (0, 0), as in PS3.3 C.18.6.1.1 (SCOORD). `frame_number` counts from 1; None for single-frame images.
    """

    sop_instance_uid: SopInstanceUid
    box: tuple[float, float, float, float]
    probability: float
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    """The pixels of one image (or one frame of it) that belong to the suspected lesion.

    `packed` holds rows x columns bits, row after row, eight to a byte with the first pixel in the highest bit, the last
    byte filled with zeros; compressed by zlib and written in base64, so that a mask is a short text.
    """

    sop_instance_uid: SopInstanceUid
    rows: int
    columns: int
    packed: str
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number about the suspected lesion: what was measured, the value, and its unit in UCUM ("mm", "mL")."""

    quantity: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ImageScore:
    """The calibrated probability of one image (or one frame of it), in the order of the volume."""

    sop_instance_uid: SopInstanceUid
    probability: float
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One coded finding of one model on one study; flagged when `probability` reaches `threshold`.

    `masks` outline what `segmented` names, on the images of the volume in their order, those without any left out.
    """

    code: Code
    probability: float
    threshold: float
    operating_point: str
    raises_to: Priority
    model: ModelIdentity
    regions: tuple[Region, ...] = ()
    image_scores: tuple[ImageScore, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    masks: tuple[Mask, ...] = ()
    segmented: Code | None = None

    @property
    def flagged(self) -> bool:
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """How long the stages of one analysis took, in seconds of wall time."""

    reading: float
    inference: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one model said about one series: its findings, or why the images are out of its scope.

    `out_of_scope` is None when the model answered. `provider` is the execution provider that really ran
    (for example "CPUExecutionProvider"); `quality` lists what the reader noticed without refusing the images.
    `novelty` is how far the images lie from those that the model was trained on, None where the model cannot tell.
    `embedding` is the mean over the images of what the network saw in them, in its own coordinates; empty where it did
    not run. It is watched for drift.
    """

    model: ModelIdentity
    series_instance_uid: SeriesInstanceUid
    provider: str
    findings: tuple[Finding, ...]
    seconds: StageSeconds
    quality: tuple[str, ...] = ()
    out_of_scope: str | None = None
    novelty: float | None = None
    embedding: tuple[float, ...] = ()
