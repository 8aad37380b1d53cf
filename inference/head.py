"""Where the head lies in a CT volume, found from the skull, so that neither matrix, field of view nor tilt matter."""

from dataclasses import dataclass
from math import atan2, cos, degrees, radians, sin

import numpy as np
from numpy.typing import NDArray

from inference.bit_planes import BitPlanes
from inference.planar import filled, interpolated, line, turned

BONE_HU = 92.0
"""Blood stays below about 90 HU; a brain window ends at 100 HU, so the skull is what saturates it."""
SEARCH_PIXELS = 128
MARGIN = 1.28
"""Side of the grid over the longest inner diameter of the skull: leaves room for bone, scalp and swelling."""
BONE_RIM = 0.6
"""Share of bone around a space that is still taken for the inside of the skull where the bone is not closed."""
MIN_INSIDE_FRACTION = 0.02
OPENING_CELLS = 5
"""What is narrower than this many cells is no room inside the skull."""
ROUND_HEAD = 1.1
"""Below this ratio of long to short axis the direction of the long axis says nothing."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A square grid on the images: `rows` by `columns` cells around `centre`, turned by `angle_degrees`.

    `centre` is (row, column) and `side` the edge of the square, in pixels of the image, the top left corner of
    the top left pixel being (0, 0). A positive angle turns the grid's downward axis towards larger columns.
    """

    centre: tuple[float, float]
    side: float
    angle_degrees: float
    rows: int
    columns: int

    def to_image(self, grid_points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, column) points of the grid, shape (n, 2), as points of the image, corners counting from 0."""
        fraction = grid_points / np.array([self.rows, self.columns]) - 0.5
        return np.asarray(fraction * self.side @ self._turn().T + np.array(self.centre))

    def to_grid(self, image_points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, column) points of the image, shape (n, 2), as points of the grid."""
        fraction = (image_points - np.array(self.centre)) @ self._turn() / self.side
        return np.asarray((fraction + 0.5) * np.array([self.rows, self.columns]))

    def sample(self, images: NDArray[np.float32], outside: float) -> NDArray[np.float32]:
        """Return `images` (slices, rows, columns) on the grid, smoothed first where the grid is coarser."""
        pixels_per_cell = self.side / self.rows
        sigma = 0.4 * pixels_per_cell if pixels_per_cell > 1 else 0.0
        per_cell = self._turn() * (self.side / np.array([self.rows, self.columns]))
        # Values belong to pixel centres, half a pixel from the corner that both coordinate systems count from.
        offset = self.to_image(np.array([[0.5, 0.5]]))[0] - 0.5
        down, right = np.arange(self.rows), np.arange(self.columns)
        if self.angle_degrees == 0:
            rows_at = line(images.shape[1], per_cell[0, 0] * down + offset[0])
            columns_at = line(images.shape[2], per_cell[1, 1] * right + offset[1])
            return interpolated(images, rows_at, columns_at, outside, sigma)
        places = [offset[way] + per_cell[way, 0] * down[:, np.newaxis] + per_cell[way, 1] * right for way in (0, 1)]
        return turned(images, np.stack(places), outside, sigma)

    def _turn(self) -> NDArray[np.float64]:
        angle = radians(self.angle_degrees)
        return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def whole_image(shape: tuple[int, ...], rows: int, columns: int) -> Placement:
    """Return the smallest upright square that holds a whole image of `shape` (rows, columns)."""
    return Placement((shape[0] / 2, shape[1] / 2), float(max(shape)), 0.0, rows, columns)


def place_on_head(windowed: NDArray[np.float32], rows: int, columns: int) -> Placement:
    """Return an upright-headed square around the skull, or the whole image where no closed skull is seen.

    Args:
        windowed: HU clipped to a brain window (at most 100 HU), shape (slices, rows, columns).
        rows: of the grid.
        columns: of the grid.
    """
    factor = max(1, round(max(windowed.shape[1:]) / SEARCH_PIXELS))
    inside = inside_skull(_reduced(windowed, factor)) > 0
    areas = inside.sum(axis=(1, 2))
    if areas.max(initial=0) < MIN_INSIDE_FRACTION * inside[0].size:
        return whole_image(windowed.shape[1:], rows, columns)
    points = np.argwhere(inside[areas >= 0.7 * areas.max()])[:, 1:] + 0.5
    angle = _long_axis_degrees(points)
    turn = Placement((0.0, 0.0), 1.0, angle, 1, 1)
    along = turn.to_grid(points.astype(np.float64)) - 0.5
    low, high = np.percentile(along, 0.5, axis=0), np.percentile(along, 99.5, axis=0)
    centre = turn.to_image(((low + high) / 2 + 0.5)[np.newaxis])[0] * factor
    return Placement(
        (float(centre[0]), float(centre[1])), float((high - low).max()) * factor * MARGIN, angle, rows, columns
    )


def inside_skull(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 inside the skull and 0 elsewhere, bone being outside.

    A slice whose bone encloses a space is taken as it is. From the slice with the largest such space outwards, what
    continues the space of the neighbour and is mostly rimmed by bone is added: at the base the skull is open.

    Args:
        planes: HU clipped to a brain window, shape (slices, rows, columns), the head filling most of the image.
    """
    bone = planes >= BONE_HU
    # Sutures and fractures leave gaps of a few pixels in it.
    gap = max(1, round(planes.shape[1] / 64))
    bits = BitPlanes(planes.shape[1], planes.shape[2], reach=max(gap, OPENING_CELLS // 2))
    bones, tissues = bits.packed(bone), bits.packed(~bone & (planes > -15.0))
    bridged = bits.unpacked([bits.closed(one, gap) for one in bones])
    spaces = bits.packed(np.stack([filled(one) for one in bridged]))
    inside = [bits.opened(space & tissue, OPENING_CELLS) for space, tissue in zip(spaces, tissues, strict=True)]
    start = max(range(len(inside)), key=lambda index: inside[index].bit_count())
    for way in (range(start - 1, -1, -1), range(start + 1, len(inside))):
        for here in way:
            before = inside[here + 1 if here < start else here - 1]
            inside[here] = _continued(bits, before, inside[here], bones[here], tissues[here])
    return bits.unpacked(inside).astype(np.float32)


def _continued(bits: BitPlanes, before: int, enclosed: int, bone: int, tissue: int) -> int:
    """Return the part of the slice that continues the space `before` of its neighbour; nothing once bone is left."""
    reach = bits.dilated(before, 3)
    grown = bits.dilated(before & tissue, 6, within=tissue)
    candidate = bits.opened((enclosed & reach) | grown, OPENING_CELLS)
    rim = bits.dilated(candidate, 1) & ~candidate
    if not rim or (bits.dilated(bone, 2) & rim).bit_count() / rim.bit_count() < BONE_RIM:
        candidate = enclosed & reach
    return candidate


def _reduced(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    rows, columns = (size // factor * factor for size in images.shape[1:])
    whole = images[:, :rows, :columns]
    # Whole planes are added up, columns first: the order, and so the rounding, is that of `mean` over blocks.
    across = whole[:, :, ::factor].copy()
    for column in range(1, factor):
        across += whole[:, :, column::factor]
    blocks = across[:, ::factor].copy()
    for row in range(1, factor):
        blocks += across[:, row::factor]
    return np.asarray(blocks / np.float32(factor**2))


def _long_axis_degrees(points: NDArray[np.floating]) -> float:
    """Return by how much the long axis of `points` (row, column) is turned from upright; 0 for a round head."""
    (rows, shared), (_, columns) = np.cov(points.T)
    half_difference, root = (rows - columns) / 2, np.hypot((rows - columns) / 2, shared)
    long, short = (rows + columns) / 2 + root, (rows + columns) / 2 - root
    if short <= 0 or np.sqrt(long / short) < ROUND_HEAD:
        return 0.0
    angle = degrees(0.5 * atan2(shared, half_difference))
    return angle if abs(angle) <= 45.0 else 0.0
