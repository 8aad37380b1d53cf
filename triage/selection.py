"""Which series of a study a model may see, and in plain words why it may not see the others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, degrees

from triage.completeness import irregularity, lacks_announced, slice_stack, uncovered
from triage.identifiers import SeriesInstanceUid
from triage.study import Series


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a model may see; empty tuples and zeros demand nothing.

    `body_parts` and `excluded_words` are compared without regard to case: body parts with Body Part Examined
    (0018,0015) or, where the scanner left that empty, as words of the descriptions; excluded words with the words of
    the series description and the protocol name, of which one must be among `required_words` where there are any.
    A model that looks at slices one by one (`slice_wise`) may see slices at uneven distances, as long as neighbours
    touch; any other needs an even volume. With `stills` each image stands for itself, and they may differ in size.
    `excluded_makers` and `required_makers` are beginnings of Manufacturer (0008,0070); the latter let nothing else in.
    """

    modalities: tuple[str, ...]
    sop_class_uids: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    excluded_words: tuple[str, ...] = ()
    image_type_excludes: tuple[str, ...] = ()
    min_slices: int = 1
    min_extent_mm: float = 0.0
    slice_spacing_mm: tuple[float, float] | None = None
    orientation: str = ""
    max_obliquity_degrees: float = 90.0
    min_rows: int = 1
    slice_wise: bool = False
    required_words: tuple[str, ...] = ()
    excluded_makers: tuple[str, ...] = ()
    stills: bool = False
    required_makers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A series that a model may not see, and why."""

    series_instance_uid: SeriesInstanceUid
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The series chosen for one model (None when there is none), why, and a reason for each refused one."""

    chosen: Series | None
    reason: str
    refusals: tuple[Refusal, ...]


def select_series(series: Sequence[Series], acceptance: Acceptance) -> Selection:
    """Return the acceptable series with the most images, ties broken by UID so that the choice is stable."""
    reasons = {one.header.series_instance_uid: reason_against(one, acceptance) for one in series}
    refusals = tuple(Refusal(uid, reason) for uid, reason in reasons.items() if reason)
    suitable = [one for one in series if not reasons[one.header.series_instance_uid]]
    if not suitable:
        return Selection(None, _why_none(series, refusals), refusals)
    chosen = min(suitable, key=lambda one: (-len(one.images), one.header.series_instance_uid))
    others = tuple(
        Refusal(one.header.series_instance_uid, f"series with more images chosen ({len(chosen.images)})")
        for one in suitable
        if one is not chosen
    )
    label = chosen.header.series_description or f"series {chosen.header.series_number or ''}".strip()
    return Selection(chosen, f"{label}: {len(chosen.images)} images accepted", refusals + others)


def has_whole_series(series: Sequence[Series], acceptance: Acceptance) -> bool:
    """Return whether the series that the model would be given is here, as far as its images say how many there are."""
    chosen = select_series(series, acceptance).chosen
    return chosen is not None and not lacks_announced(chosen.images)


def reason_against(series: Series, acceptance: Acceptance) -> str:
    """Return why `series` is not what `acceptance` asks for, or an empty string when it is."""
    for reason_of in (_against_labels, _against_images, _against_stack):
        if reason := reason_of(series, acceptance):
            return reason
    return ""


def is_of_kind(series: Series, acceptance: Acceptance) -> bool:
    """Return whether `series` is of a modality and a maker that the model is for, whatever else speaks against it."""
    header = series.header
    made_for = not acceptance.required_makers or _is_by(header.manufacturer, acceptance.required_makers)
    return made_for and header.modality.upper() in acceptance.modalities


def _why_none(series: Sequence[Series], refusals: tuple[Refusal, ...]) -> str:
    if not series:
        return "no images"
    largest = max(series, key=lambda one: len(one.images)).header.series_instance_uid
    return next(refusal.reason for refusal in refusals if refusal.series_instance_uid == largest)


def _against_labels(series: Series, acceptance: Acceptance) -> str:
    header = series.header
    if header.modality.upper() not in acceptance.modalities:
        return f"modality {header.modality or 'absent'}, needed {' or '.join(acceptance.modalities)}"
    if _is_by(header.manufacturer, acceptance.excluded_makers):
        return f"made by {header.manufacturer}, which the model was not trained on"
    if acceptance.required_makers and not _is_by(header.manufacturer, acceptance.required_makers):
        return f"made by {header.manufacturer or 'nobody named'}, needed {' or '.join(acceptance.required_makers)}"
    wanted = {part.upper() for part in acceptance.body_parts}
    described = _words(series.study_description, header.series_description, header.protocol_name)
    if wanted and header.body_part and header.body_part.upper() not in wanted:
        return f"body part {header.body_part}, needed {acceptance.body_parts[0]}"
    if wanted and not header.body_part and not described & wanted:
        return f"body part not stated, needed {acceptance.body_parts[0]}"
    said = _words(header.series_description, header.protocol_name)
    if excluded := said & {word.upper() for word in acceptance.excluded_words}:
        return f"description says {min(excluded)}"
    if acceptance.required_words and not said & {word.upper() for word in acceptance.required_words}:
        return f"description does not say {' or '.join(acceptance.required_words)}"
    return ""


def _is_by(manufacturer: str, makers: Sequence[str]) -> bool:
    return any(manufacturer.upper().startswith(maker.upper()) for maker in makers)


def _against_images(series: Series, acceptance: Acceptance) -> str:
    for image in series.images:
        if not image.has_pixels:
            return "an object without pixel data"
        if acceptance.sop_class_uids and image.sop_class_uid not in acceptance.sop_class_uids:
            return f"SOP class {image.sop_class_uid} is not one that the model reads"
        unwanted = {value.upper() for value in image.image_type} & {v.upper() for v in acceptance.image_type_excludes}
        if unwanted:
            return f"image type {min(unwanted)}"
        if min(image.rows, image.columns) < acceptance.min_rows:
            return f"matrix {image.rows}x{image.columns}, at least {acceptance.min_rows} needed"
    frames = sum(image.number_of_frames for image in series.images)
    if frames < acceptance.min_slices:
        return f"{frames} slices, at least {acceptance.min_slices} needed"
    return ""


def _against_stack(series: Series, acceptance: Acceptance) -> str:
    if not (acceptance.slice_spacing_mm or acceptance.min_extent_mm or acceptance.orientation):
        return ""
    if any(image.number_of_frames > 1 for image in series.images):
        # The geometry of a multi-frame object lies in its functional groups; the volume reader checks it there.
        return ""
    stack = slice_stack(series.images)
    if stack is None:
        return "slices without a common position and orientation"
    if acceptance.orientation == "axial" and _obliquity_degrees(stack.normal) > acceptance.max_obliquity_degrees:
        return f"slices tilted {_obliquity_degrees(stack.normal):.0f}° from axial"
    if wrong := uncovered(stack) if acceptance.slice_wise else irregularity(stack):
        return wrong
    if stack.extent_mm < acceptance.min_extent_mm:
        return f"covers {stack.extent_mm:.0f} mm, at least {acceptance.min_extent_mm:.0f} mm needed"
    low, high = acceptance.slice_spacing_mm or (0.0, float("inf"))
    if not low <= stack.spacing_mm <= high:
        return f"slices {stack.spacing_mm:.1f} mm apart, {low:.1f} to {high:.1f} mm needed"
    return ""


def _obliquity_degrees(normal: tuple[float, float, float]) -> float:
    return degrees(acos(min(1.0, abs(normal[2]))))


def _words(*texts: str) -> set[str]:
    return {word for text in texts for word in re.split(r"[^A-Z0-9]+", text.upper()) if word}
