"""What of a study is looked at first, in which order its images lie, and how grey values become visible."""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.completeness import slice_normal
from triage.findings import Analysis
from triage.identifiers import SeriesInstanceUid, SopInstanceUid
from triage.reading import leading_finding
from triage.study import ImageHeader, Series


@dataclass(frozen=True, slots=True)
class FrameAddress:
    """One image, or one frame of a multi-frame image; `frame_number` counts from 1, None for single-frame images."""

    series_instance_uid: SeriesInstanceUid
    sop_instance_uid: SopInstanceUid
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The grey values that are told apart: `centre` ± `width` / 2, in Hounsfield units for CT."""

    name: str
    centre: float
    width: float


HEAD_WINDOWS = (
    Window("Brain", 40, 80),
    Window("Subdural", 75, 215),
    Window("Stroke", 35, 40),
    Window("Bone", 600, 2800),
)
BODY_WINDOWS = (Window("Soft tissue", 40, 400), Window("Lung", -600, 1500), Window("Bone", 600, 2800))
_HEAD_PARTS = frozenset({"HEAD", "BRAIN", "SKULL", "NEURO", "CRANIUM"})


def windows_for(series: Series) -> tuple[Window, ...]:
    """Return the presets for the series, the usual one first; empty where grey values have no common scale."""
    header = series.header
    if header.modality != "CT":
        return ()
    words = {header.body_part.upper(), *series.study_description.upper().split()}
    return HEAD_WINDOWS if words & _HEAD_PARTS else BODY_WINDOWS


def frames_in_order(series: Series) -> tuple[FrameAddress, ...]:
    """Return every frame with pixels: along the slice normal where all images share one, else by instance number."""
    images = [image for image in series.images if image.has_pixels]
    ordered = sorted(images, key=lambda one: (one.instance_number or 0, one.sop_instance_uid))
    normal = _common_normal(images)
    if normal is not None:
        ordered.sort(key=lambda one: sum(p * n for p, n in zip(one.position_mm or (), normal, strict=False)))
    return tuple(address for image in ordered for address in _frames(series, image))


def key_frame(series: Sequence[Series], analyses: Sequence[Analysis]) -> FrameAddress | None:
    """Return what is shown first: where the leading finding is seen best, else the middle of the largest series."""
    known = {image.sop_instance_uid: one for one in series for image in one.images if image.has_pixels}
    finding = leading_finding([one for analysis in analyses for one in analysis.findings])
    scored = [*finding.regions] if finding else []
    places = [(one.probability, one.sop_instance_uid, one.frame_number) for one in scored]
    if finding and finding.flagged and not places:
        places = [(one.probability, one.sop_instance_uid, one.frame_number) for one in finding.image_scores]
    seen = [place for place in places if place[1] in known]
    if seen:
        _, uid, frame_number = max(seen, key=lambda place: place[0])
        return FrameAddress(known[uid].header.series_instance_uid, uid, frame_number)
    by_size = sorted(series, key=lambda one: (-len(frames_in_order(one)), one.header.series_instance_uid))
    frames = frames_in_order(by_size[0]) if by_size else ()
    return frames[len(frames) // 2] if frames else None


def _common_normal(images: Sequence[ImageHeader]) -> tuple[float, float, float] | None:
    first = images[0].orientation if images else None
    if first is None or any(image.position_mm is None or image.orientation is None for image in images):
        return None
    normal = slice_normal(first)
    others = (slice_normal(image.orientation) for image in images if image.orientation is not None)
    is_common = all(sum(a * b for a, b in zip(normal, other, strict=True)) > 0.999 for other in others)
    return normal if is_common else None


def _frames(series: Series, image: ImageHeader) -> list[FrameAddress]:
    uid = series.header.series_instance_uid
    if image.number_of_frames <= 1:
        return [FrameAddress(uid, image.sop_instance_uid)]
    return [FrameAddress(uid, image.sop_instance_uid, number) for number in range(1, image.number_of_frames + 1)]
