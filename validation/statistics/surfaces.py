"""The surface of a mask, in pieces with their area, and how far the pieces of two surfaces lie from one another.

Between each block of 2x2x2 voxels (in two dimensions 2x2 pixels) runs the piece of surface that marching cubes puts
there: through the middle of every edge whose ends differ. Voxels of the smaller kind that share no face of the block's
edges are parted. A piece has its area in mm² (length in mm) and its place in the middle of the block; what lies outside
the image is background.

Source: S. Nikolov et al., arXiv:1809.04430 (2018), section "Performance metric"; W. Lorensen, H. Cline, SIGGRAPH 1987.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from validation.discrimination import Numbers

Mask = NDArray[np.bool_]
Corner = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Distances:
    """How far each piece of one surface lies from the other surface, in mm, and its area in mm² (length in mm)."""

    distances: Numbers
    areas: Numbers

    def percentile(self, share: float) -> float:
        """Return the least distance within which at least `share` of the area lies."""
        order = np.argsort(self.distances, kind="stable")
        reached = np.cumsum(self.areas[order])
        at = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-12)))
        return float(self.distances[order][at])

    def area_within(self, tolerance_mm: float) -> float:
        return float(self.areas[self.distances <= tolerance_mm].sum())


def surface_distances(first: Mask, second: Mask, spacing_mm: tuple[float, ...]) -> tuple[Distances, Distances]:
    """Return the distances of the first surface from the second, and of the second from the first.

    Args:
        first: not empty, two or three axes.
        second: of the same shape, not empty.
        spacing_mm: of the voxels along each axis.
    """
    box = tuple(slice(min(at), max(at) + 1) for at in map(np.ndarray.tolist, np.nonzero(first | second)))
    areas = [_areas(mask[box], spacing_mm) for mask in (first, second)]
    away = [ndimage.distance_transform_edt(one == 0, sampling=spacing_mm) for one in areas]
    return (
        Distances(away[1][areas[0] > 0], areas[0][areas[0] > 0]),
        Distances(away[0][areas[1] > 0], areas[1][areas[1] > 0]),
    )


def _areas(mask: Mask, spacing_mm: tuple[float, ...]) -> Numbers:
    """Return the area of surface in each block of neighbours, one block more along each axis than voxels."""
    padded = np.pad(mask, 1).astype(np.int64)
    codes = np.zeros([length + 1 for length in mask.shape], dtype=np.int64)
    for bit, corner in enumerate(product((0, 1), repeat=mask.ndim)):
        part = tuple(slice(at, at + length + 1) for at, length in zip(corner, mask.shape, strict=True))
        codes |= padded[part] << bit
    return _area_of_codes(spacing_mm)[codes]


@cache
def _area_of_codes(spacing_mm: tuple[float, ...]) -> Numbers:
    """Return the area for each set of foreground corners, numbered by the bits of their order."""
    corners = list(product((0, 1), repeat=len(spacing_mm)))
    faces = np.prod(spacing_mm) / np.array(spacing_mm)
    areas = np.zeros(2 ** len(corners))
    for code in range(len(areas)):
        chosen = {corner for bit, corner in enumerate(corners) if code >> bit & 1}
        smaller = chosen if 2 * len(chosen) <= len(corners) else set(corners) - chosen
        areas[code] = sum(_patch(part, faces) for part in _connected(smaller))
    return areas


def _connected(corners: set[Corner]) -> list[list[Corner]]:
    """Return the parts that hang together along edges of the block."""
    parts: list[list[Corner]] = []
    left = set(corners)
    while left:
        part = [left.pop()]
        for corner in part:
            near = {other for other in left if _apart(corner, other) == 1}
            part.extend(sorted(near))
            left -= near
        parts.append(part)
    return parts


def _apart(one: Corner, other: Corner) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def _patch(part: list[Corner], faces: Numbers) -> float:
    """Return the area that cuts `part` off from the other corners.

    It is put together from plane polygons, each given by its normal in the unit cube; `faces` are the areas of the
    block's faces across each axis, which stretch the components of a normal.
    """
    axes = len(faces)
    fixed = [axis for axis in range(axes) if len({corner[axis] for corner in part}) == 1]
    ones, across = np.ones(axes), np.array([float(axis in fixed) for axis in range(axes)])
    if len(part) == 1:
        return _length(ones / (8 if axes == 3 else 2), faces)
    if axes == 2:
        return _length(across, faces)
    if len(part) == 2:
        return _length(across / 2, faces)
    if len(part) == 3:
        return _length(across / 2, faces) + _length(ones * 3 / 8, faces)
    if fixed:
        return _length(across, faces)
    neighbours = {corner: sum(_apart(corner, other) == 1 for other in part) for corner in part}
    if 3 in neighbours.values():
        return _length(ones * 3 / 4, faces)
    one, other = (corner for corner, count in neighbours.items() if count == 2)
    ends = [axis for axis in range(3) if one[axis] == other[axis]]
    sides = [np.array([0.0 if axis == end else 0.25 for axis in range(3)]) for end in ends]
    return sum(_length(normal, faces) for normal in (ones / 8, ones * 3 / 8, *sides))


def _length(normal: Numbers, faces: Numbers) -> float:
    return float(np.linalg.norm(normal * faces))
