"""When the series that a model needs is whole: its slices lie at even distances, without a hole or a twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from triage.study import ImageHeader

SPACING_TOLERANCE = 0.05
"""Slice distances may differ from their median by this share: rounded positions do, a missing slice does not."""

DUPLICATE_DISTANCE_MM = 0.01


@dataclass(frozen=True, slots=True)
class SliceStack:
    """Where the slices of one series lie along their common normal, lowest first.

    `offsets_mm` are the projections of Image Position (Patient) on the slice normal. Source: PS3.3 C.7.6.2.1.1.
    `thicknesses_mm` are the slices' own thicknesses in the same order, None where a scanner wrote none.
    """

    offsets_mm: tuple[float, ...]
    normal: tuple[float, float, float]
    thicknesses_mm: tuple[float | None, ...] = ()

    @property
    def gaps_mm(self) -> tuple[float, ...]:
        return tuple(after - before for before, after in zip(self.offsets_mm, self.offsets_mm[1:], strict=False))

    @property
    def spacing_mm(self) -> float:
        """The usual distance between slice centres; 0 for a single slice."""
        return median(self.gaps_mm) if len(self.offsets_mm) > 1 else 0.0

    @property
    def extent_mm(self) -> float:
        """From the centre of the first slice to the centre of the last one, plus one slice distance."""
        return self.offsets_mm[-1] - self.offsets_mm[0] + self.spacing_mm


def slice_stack(images: Sequence[ImageHeader]) -> SliceStack | None:
    """Return the stack that single-frame `images` form, or None where they carry no common orientation."""
    first = images[0].orientation if images else None
    if first is None or any(image.position_mm is None or image.orientation is None for image in images):
        return None
    if any(not _same_orientation(first, image.orientation) for image in images if image.orientation is not None):
        return None
    normal = slice_normal(first)
    placed = sorted((_offset(image, normal), image.slice_thickness_mm or 0.0) for image in images)
    return SliceStack(
        offsets_mm=tuple(offset for offset, _ in placed),
        normal=normal,
        thicknesses_mm=tuple(thickness or None for _, thickness in placed),
    )


def irregularity(stack: SliceStack) -> str:
    """Return what keeps `stack` from being a regular volume, in a few words; an empty string when nothing does."""
    spacing = stack.spacing_mm
    for gap in stack.gaps_mm:
        if gap < DUPLICATE_DISTANCE_MM:
            return "two slices at one position"
        if gap > spacing * (1 + SPACING_TOLERANCE) or gap < spacing * (1 - SPACING_TOLERANCE):
            return f"slices {gap:.2f} mm apart among slices {spacing:.2f} mm apart"
    return ""


def uncovered(stack: SliceStack) -> str:
    """Return where `stack` leaves tissue between two slices unseen, in a few words; an empty string when nowhere.

    Sequential head CT is often thin at the skull base and thick above it: uneven, yet without a hole, because
    neighbouring slices touch. Where a scanner wrote no thickness, only even distances prove that nothing is missing.
    """
    if any(gap < DUPLICATE_DISTANCE_MM for gap in stack.gaps_mm):
        return "two slices at one position"
    for gap, thin, thick in zip(stack.gaps_mm, stack.thicknesses_mm, stack.thicknesses_mm[1:], strict=False):
        if thin is None or thick is None:
            return irregularity(stack)
        if gap > (thin + thick) / 2 * (1 + SPACING_TOLERANCE) and gap > stack.spacing_mm * (1 + SPACING_TOLERANCE):
            return f"slices {gap:.2f} mm apart, {thin:.2f} and {thick:.2f} mm thick"
    return ""


def lacks_announced(images: Sequence[ImageHeader]) -> bool:
    """Return whether the images of one series say that there are more of them.

    An even stack that lost its last slices is an even stack; only such a number, where there is one, shows the loss.
    It may count several series together, so it can prove that something is missing as little as that nothing is.
    """
    frames = sum(image.number_of_frames for image in images)
    return any(frames < (image.announced_images or 0) for image in images)


def slice_normal(orientation: tuple[float, float, float, float, float, float]) -> tuple[float, float, float]:
    """Return the unit normal of a slice: the cross product of its row and column cosines."""
    rx, ry, rz, cx, cy, cz = orientation
    normal = (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)
    length = sqrt(sum(component**2 for component in normal)) or 1.0
    return (normal[0] / length, normal[1] / length, normal[2] / length)


def _offset(image: ImageHeader, normal: tuple[float, float, float]) -> float:
    return sum(p * n for p, n in zip(image.position_mm or (), normal, strict=True))


def _same_orientation(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(abs(a - b) < 1e-3 for a, b in zip(first, second, strict=True))
