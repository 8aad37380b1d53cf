"""From a network's map to masks on the images, and what they measure."""

import base64
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from inference.head import Placement
from inference.planar import interpolated, line
from inference.volume import Volume
from models.triage_spec import Segmentation
from triage.findings import Code, Mask, Measurement

LONGEST_DIAMETER = Code("103339001", "SCT", "Long Axis")
VOLUME = Code("118565006", "SCT", "Volume")

ROUNDING = 1e-3
"""By less than this does rounding lift an interpolated logit above the logits that it lies between."""


def masks_on_images(
    maps: NDArray[np.float32], placement: Placement, shape: tuple[int, int], how: Segmentation
) -> NDArray[np.bool_]:
    """Return where the lesion lies on the images, shape (images, rows, columns), from maps of logits (images, h, w).

    The map is interpolated linearly at the centre of every pixel; pieces smaller than `how.min_share` of the image are
    left out.
    """
    rows, columns = shape
    cells = np.array([maps.shape[1] / placement.rows, maps.shape[2] / placement.columns])
    centres = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])
    on_map = placement.to_grid(centres) * cells - 0.5
    per_pixel = np.stack([on_map[1] - on_map[0], on_map[2] - on_map[0]], axis=1)
    limit = float(np.log(how.threshold / (1 - how.threshold)))
    least = max(1, round(how.min_share * rows * columns))
    found = np.zeros((len(maps), rows, columns), dtype=np.bool_)
    if placement.angle_degrees != 0:
        for one, mask in zip(maps.astype(np.float32), found, strict=True):
            mask[:] = without_specks(_turned(one, per_pixel, on_map[0], shape) >= limit, least)
        return found
    rows_at = line(maps.shape[1], on_map[0, 0] + per_pixel[0, 0] * np.arange(rows))
    columns_at = line(maps.shape[2], on_map[0, 1] + per_pixel[1, 1] * np.arange(columns))
    for one, mask in zip(maps.astype(np.float32), found, strict=True):
        high = one >= limit - ROUNDING
        if high.any():
            down, across = rows_at.around(high.any(axis=1)), columns_at.around(high.any(axis=0))
            near = interpolated(one[np.newaxis], rows_at.part(down), columns_at.part(across), None)[0]
            mask[down, across] = without_specks(near >= limit, least)
    return found


def _turned(
    one: NDArray[np.float32], per_pixel: NDArray[np.float64], origin: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    turned = ndimage.affine_transform(one, per_pixel, origin, output_shape=shape, order=1, mode="nearest")
    return np.asarray(turned)


def without_specks(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return `mask` (rows, columns) without pieces of fewer than `pixels` pixels."""
    pieces, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    large = np.bincount(pieces.ravel()) >= pixels
    large[0] = False
    return large[pieces]


def packed_masks(masks: NDArray[np.bool_], volume: Volume) -> tuple[Mask, ...]:
    """Return the masks that are not empty, as texts."""
    return tuple(
        Mask(
            sop_instance_uid=volume.sop_instance_uids[image],
            rows=mask.shape[0],
            columns=mask.shape[1],
            packed=base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), level=1)).decode("ascii"),
            frame_number=volume.frame_numbers[image],
        )
        for image, mask in enumerate(masks)
        if mask.any()
    )


def unpacked(mask: Mask) -> NDArray[np.bool_]:
    """Return the pixels (rows, columns) of a mask."""
    bits = np.frombuffer(zlib.decompress(base64.b64decode(mask.packed)), dtype=np.uint8)
    return np.unpackbits(bits, count=mask.rows * mask.columns).reshape(mask.rows, mask.columns).astype(bool)


def measurements_of(
    masks: NDArray[np.bool_], spacing_mm: Sequence[float | None], even: bool
) -> tuple[Measurement, ...]:
    """Return the longest diameter within one image in mm and the volume in mL, where the spacing allows them.

    Args:
        masks: shape (images, rows, columns).
        spacing_mm: between slices, rows and columns; None where unknown.
        even: whether the slices lie at even distances, as a volume needs.
    """
    between_slices, *in_plane = spacing_mm
    row, column = in_plane
    if row is None or column is None or not masks.any():
        return ()
    found = [Measurement(LONGEST_DIAMETER, round(_longest_mm(masks, row, column), 1), "mm")]
    if between_slices is not None and even and len(masks) > 1:
        millilitres = float(masks.sum()) * between_slices * row * column / 1000
        found.append(Measurement(VOLUME, round(millilitres, 2), "mL"))
    return tuple(found)


def _longest_mm(masks: NDArray[np.bool_], row: float, column: float) -> float:
    """Return the longest distance between two points of one connected piece on one image (RECIST: within a plane)."""
    longest = 0.0
    for mask in masks:
        if not mask.any():
            continue
        pieces, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        for piece, place in enumerate(ndimage.find_objects(pieces), start=1):
            corner = np.array([place[0].start, place[1].start])
            points = corner + _ends_of_rows(pieces[place] == piece)
            longest = max(longest, _diameter(points * np.array([row, column])))
    return longest


def _ends_of_rows(piece: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first and the last pixel of each row, among which are the corners; every row has some."""
    rows = np.arange(len(piece))
    first, last = piece.argmax(axis=1), piece.shape[1] - 1 - piece[:, ::-1].argmax(axis=1)
    return np.stack([np.tile(rows, 2), np.concatenate([first, last])], axis=1)


def _diameter(points: NDArray[np.float64]) -> float:
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        # Too few points, or all in one line: every point is a corner.
        corners = points
    return float(pdist(corners).max()) if len(corners) > 1 else 0.0
