"""How the images of a series form one regular stack, or in plain words why they do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees, hypot

import numpy as np
from numpy.typing import NDArray

from inference.slice_planes import SlicePlane
from inference.volume import Cosines, Vector
from triage.completeness import SliceStack, irregularity, slice_normal, uncovered
from triage.errors import InvalidGeometry
from triage.selection import Acceptance

COSINE_TOLERANCE = 1e-3
"""Cosines are written with few digits; 0.001 is 0.06 degrees. The same as in `triage.completeness`."""

SPACING_TOLERANCE = 1e-3
"""Pixel spacings of one series may differ by this share, as rounded decimal strings do."""

LINE_TOLERANCE = 0.1
"""A slice may lie this share of the slice distance away from the straight line through first and last slice."""


@dataclass(frozen=True, slots=True)
class GeometryRule:
    """What a stack may look like.

    `max_tilt_degrees` is the angle between the slice normal and the direction in which the slices follow one another,
    which a tilted gantry opens. 0.5 degrees shifts the image by 1.3 mm over a head of 150 mm.
    `slice_wise` lets slices lie at uneven distances as long as neighbours touch: enough for a model that looks at
    slices one by one, and how sequential head CT is often taken. Such a stack has no slice spacing and no affine.
    """

    max_tilt_degrees: float = 0.5
    slice_wise: bool = False


def rule_for(acceptance: Acceptance) -> GeometryRule:
    """Return what a stack may look like for a model with this acceptance."""
    if not acceptance.slice_wise:
        return GeometryRule()
    return GeometryRule(max_tilt_degrees=acceptance.max_obliquity_degrees, slice_wise=True)


@dataclass(frozen=True, slots=True)
class Stack:
    """Images in order: `order` holds their indices; the other fields are those of `inference.volume.Volume`."""

    order: tuple[int, ...]
    spacing_mm: tuple[float | None, float | None, float | None]
    origin_mm: Vector | None
    orientation: Cosines | None
    slice_step_mm: Vector | None


def unplaced(planes: Sequence[SlicePlane]) -> Stack:
    """Return the stack of images that do not say where they lie, in the order in which they come."""
    spacings = {plane.pixel_spacing_mm for plane in planes}
    between_rows, between_columns = (spacings.pop() if len(spacings) == 1 else None) or (None, None)
    return Stack(tuple(range(len(planes))), (None, between_rows, between_columns), None, None, None)


def stacked(planes: Sequence[SlicePlane], rule: GeometryRule) -> Stack:
    """Return the order and the geometry of `planes`, along the normal on which their main axis increases.

    For axial images that is from the feet to the head, whatever their order, instance numbers or direction of scan.

    Raises:
        InvalidGeometry: planes without position or orientation, differing orientation or pixel spacing, two slices at
            one position, a missing slice, a tilted gantry, or slices that are not on one straight line.

    Source: PS3.3 C.7.6.2.1.1.
    """
    orientation = _common_orientation(planes)
    between_rows, between_columns = _common_spacing(planes) or (None, None)
    normal = _towards_main_axis(slice_normal(orientation))
    positions = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    offsets = positions @ np.array(normal)
    order = np.argsort(offsets, kind="stable")
    positions, offsets = positions[order], offsets[order]
    thicknesses = tuple(planes[index].thickness_mm for index in order)
    even = _require_whole(SliceStack(tuple(offsets.tolist()), normal, thicknesses), rule)
    step = _step(positions, np.array(normal), rule)
    if even:
        _require_straight(positions, step, float(step @ normal))
    return Stack(
        order=tuple(order.tolist()),
        spacing_mm=(float(step @ normal) if len(planes) > 1 and even else None, between_rows, between_columns),
        origin_mm=_vector(positions[0]),
        orientation=orientation,
        slice_step_mm=_vector(step) if even else None,
    )


def _require_whole(stack: SliceStack, rule: GeometryRule) -> bool:
    """Return whether the slices lie at even distances; raise InvalidGeometry where `rule` does not let them be."""
    uneven = irregularity(stack)
    if wrong := uncovered(stack) if rule.slice_wise else uneven:
        raise InvalidGeometry(wrong)
    return not uneven


def _common_orientation(planes: Sequence[SlicePlane]) -> Cosines:
    first = planes[0].orientation
    if first is None or any(plane.orientation is None or plane.position_mm is None for plane in planes):
        raise InvalidGeometry("slices without Image Position or Image Orientation (Patient), needed both on each")
    row, column = np.array(first[:3]), np.array(first[3:])
    if max(abs(row @ row - 1), abs(column @ column - 1), abs(row @ column)) > 2 * COSINE_TOLERANCE:
        raise InvalidGeometry(f"Image Orientation {first} is not two unit vectors at right angles")
    for plane in planes:
        if np.abs(np.subtract(plane.orientation or first, first)).max() > COSINE_TOLERANCE:
            raise InvalidGeometry(f"slices in different orientations: {first} and {plane.orientation}")
    return first


def _common_spacing(planes: Sequence[SlicePlane]) -> tuple[float, float] | None:
    first = planes[0].pixel_spacing_mm
    for plane in planes:
        other = plane.pixel_spacing_mm
        if (first is None) != (other is None):
            raise InvalidGeometry("Pixel Spacing on some slices only, needed on each")
        if first and other and not np.allclose(first, other, rtol=SPACING_TOLERANCE, atol=0):
            raise InvalidGeometry(f"slices with different Pixel Spacing: {first} and {other} mm")
    return first


def _towards_main_axis(normal: Vector) -> Vector:
    largest = max(normal, key=abs)
    return normal if largest > 0 else (-normal[0], -normal[1], -normal[2])


def _step(positions: NDArray[np.float64], normal: NDArray[np.float64], rule: GeometryRule) -> NDArray[np.float64]:
    """Return the way from one slice to the next, the unit normal for a single slice."""
    if len(positions) == 1:
        return normal
    step = np.asarray((positions[-1] - positions[0]) / (len(positions) - 1))
    along = float(step @ normal)
    tilt = degrees(np.arctan2(np.linalg.norm(step - along * normal), along))
    if tilt > rule.max_tilt_degrees:
        raise InvalidGeometry(
            f"gantry tilt: slices follow one another {tilt:.1f}° off their normal, at most {rule.max_tilt_degrees:.1f}°"
        )
    return step


def _require_straight(positions: NDArray[np.float64], step: NDArray[np.float64], along: float) -> None:
    line = positions[0] + np.arange(len(positions))[:, np.newaxis] * step
    astray = float(np.linalg.norm(positions - line, axis=1).max())
    if astray > LINE_TOLERANCE * hypot(*step):
        raise InvalidGeometry(f"a slice lies {astray:.2f} mm off the line of the others, {along:.2f} mm apart")


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
