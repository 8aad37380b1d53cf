"""Synthetic bleeds: where blood collects, grown until it has the volume that was drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dicom_gateway.simulator.head_anatomy import Array, Head, blend, smooth_field

SMALLEST_ML, LARGEST_ML = 8.0, 60.0

_BRAIN_TOP_MM, _BRAIN_BOTTOM_MM = 55.0, -14.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How a bleed fills the head: a voxel belongs to it once it has grown to `order`, 0 being its first voxel.

    `edge` is the change of `order` over which blood fades out; voxels that it cannot reach have order infinity.
    """

    order: Array
    edge: float
    oedema: float = 0.0


def paint_bleed(rng: Generator, head: Head, hyperdense: float) -> NDArray[np.bool_]:
    """Paint one bleed of a drawn kind into `head` in place and return its voxels.

    Args:
        rng: seeded.
        head: values in HU.
        hyperdense: what clotted blood measures, in HU.
    """
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    return grow(rng, head, kind(rng, head), float(rng.uniform(SMALLEST_ML, LARGEST_ML)), hyperdense)


def grow(rng: Generator, head: Head, growth: Growth, volume_ml: float, value: float) -> NDArray[np.bool_]:
    """Paint `growth` with `value` in place, as large as `volume_ml` or as its space allows, and return its voxels."""
    reachable = growth.order[np.isfinite(growth.order)]
    voxel_ml = float(np.prod(head.grid.spacing_mm)) / 1000
    wanted = max(1, min(int(volume_ml / voxel_ml), int(reachable.size * 0.9)))
    size = float(np.partition(reachable, wanted - 1)[wanted - 1])
    share = np.clip(0.5 + (size - growth.order) / np.float32(growth.edge), 0, 1)
    if growth.oedema:
        around = np.clip(0.5 + (size + growth.oedema - growth.order) / np.float32(growth.oedema), 0, 1)
        blend(head.values, around * np.float32(0.55), 16.0)
    texture = smooth_field(rng, head.values.shape, (1.0, 3.0, 3.0))
    blend(head.values, share, np.float32(value) + 2 * texture)
    return growth.order <= size


def epidural_growth(rng: Generator, head: Head) -> Growth:
    """A lens against the inner table: as thick as its centre is near, bounded by the dura."""
    centre = _point_on_vault(rng, head)
    distance_mm = _distance(head, centre)
    order = head.depth_mm / 22 + (distance_mm / 38) ** 2
    return Growth(_within(order, head.depth_mm > 0), edge=0.12)


def subdural_growth(rng: Generator, head: Head) -> Growth:
    """A crescent over one hemisphere: thin, wide, never across the falx."""
    side = 1 if rng.random() < 0.5 else -1
    centre = _point_on_vault(rng, head, side)
    distance_mm = _distance(head, centre)
    order = head.depth_mm / 9 + (distance_mm / 68) ** 4
    reachable = (head.depth_mm > 0) & (side * head.grid.x > 1.5) & (head.grid.column > _BRAIN_BOTTOM_MM - 12)
    return Growth(_within(order, reachable), edge=0.2)


def intraparenchymal_growth(rng: Generator, head: Head) -> Growth:
    """A lump in the brain with an uneven surface and a dark rim of oedema."""
    a, b, _ = head.half_axes_mm
    side = 1 if rng.random() < 0.5 else -1
    centre = (side * float(rng.uniform(0.3, 0.6)) * a, float(rng.uniform(-0.5, 0.5)) * b, float(rng.uniform(-2, 38)))
    stretch = rng.uniform(0.8, 1.25, size=3)
    radius = np.sqrt(
        ((head.grid.x - np.float32(centre[0])) * np.float32(stretch[0])) ** 2
        + ((head.grid.y - np.float32(centre[1])) * np.float32(stretch[1])) ** 2
        + ((head.grid.column - np.float32(centre[2])) * np.float32(stretch[2])) ** 2
    )
    order = radius * (1 + np.float32(0.12) * smooth_field(rng, radius.shape, (2.0, 12.0, 12.0)))
    return Growth(_within(order, head.depth_mm > 2), edge=2.5, oedema=5.0)


def intraventricular_growth(_rng: Generator, head: Head) -> Growth:
    """Blood that has sunk to the back of the ventricles, with a level."""
    order = 80 - head.grid.y
    return Growth(_within(order, head.ventricle > 0.5), edge=3.0)


_KINDS: tuple[Callable[[Generator, Head], Growth], ...] = (
    epidural_growth,
    subdural_growth,
    intraparenchymal_growth,
    intraventricular_growth,
)


def _within(order: Array | NDArray[np.float64], reachable: NDArray[np.bool_]) -> Array:
    return np.asarray(np.where(reachable, order, np.float32(np.inf)), dtype=np.float32)


def _point_on_vault(rng: Generator, head: Head, side: int = 0) -> tuple[float, float, float]:
    """Return a point of the inner table beside the brain, on the `side` asked for (0: either)."""
    a, b, c = head.half_axes_mm
    side = side or (1 if rng.random() < 0.5 else -1)
    z = float(rng.uniform(_BRAIN_BOTTOM_MM + 12, _BRAIN_TOP_MM - 10))
    ring = np.sqrt(max(0.1, 1 - (z / c) ** 2))
    angle = float(np.radians(rng.uniform(-50, 50)))
    return side * a * ring * float(np.cos(angle)), b * ring * float(np.sin(angle)), z


def _distance(head: Head, centre: tuple[float, float, float]) -> Array:
    return np.asarray(
        np.sqrt(
            (head.grid.x - np.float32(centre[0])) ** 2
            + (head.grid.y - np.float32(centre[1])) ** 2
            + (head.grid.column - np.float32(centre[2])) ** 2
        ),
        dtype=np.float32,
    )
