"""A synthetic head of layers and ellipsoids, painted in the values of any modality; no image of a person is in it.

Coordinates are millimetres in the patient's own frame: x to the left, y to the back, z to the vertex.
Source: PS3.3 C.7.6.2.1.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = tuple[float, float, float]

MATRIX = 256
SLICE_SPACING_MM = 5.0
TOP_SLICE_MM = 80.0

_TENTORIUM_MM = -15.0


@dataclass(frozen=True, slots=True)
class Palette:
    """What each tissue measures, in HU or stored units."""

    air: float
    fat: float
    muscle: float
    bone: float
    bone_spread: float
    fluid: float
    grey: float
    white: float
    falx: float
    vein: float
    calcium: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Where every voxel lies in the head's own frame, which the head's position in the scanner has turned and moved.

    `x` and `y` have shape (slices, rows, columns), `z` has shape (slices,); all in mm.
    """

    x: Array
    y: Array
    z: Array
    spacing_mm: Point

    @property
    def column(self) -> Array:
        """`z` in a shape that combines with `x` and `y`."""
        return self.z[:, None, None]


@dataclass(frozen=True, slots=True)
class Head:
    """A painted head.

    `depth_mm` is the distance below the inner table of the skull, negative in bone and outside, `skin_mm` that below
    the skin, negative in air; `ventricle` is the share of each voxel that is a ventricle.
    """

    grid: Grid
    values: Array
    depth_mm: Array
    skin_mm: Array
    ventricle: Array
    half_axes_mm: Point


def draw_head(rng: Generator, slices: int, palette: Palette, ventricle_size: float, thick_falx: bool) -> Head:
    """Return a head without a lesion, every measure of it drawn from `rng`.

    Args:
        rng: seeded; the same state draws the same head.
        slices: 5 mm apart, from below the skull base to above the vertex.
        palette: values of the tissues.
        ventricle_size: 1 is usual, larger is wider.
        thick_falx: draw a bright falx of 3 mm instead of 1.2 mm.
    """
    grid = _grid(rng, slices)
    axes = (float(rng.uniform(65, 71)), float(rng.uniform(80, 87)), float(rng.uniform(66, 71)))
    vault = _vault_distance(grid, axes)
    outside_brain = _inner_table(rng, grid, vault)
    values = np.full(grid.x.shape, palette.air, dtype=np.float32)
    skin = _paint_scalp_and_face(rng, grid, vault, values, palette)
    _paint_skull(rng, grid, outside_brain, skin, values, palette)
    _paint_brain(rng, grid, outside_brain, values, palette)
    ventricle = _ventricles(rng, grid, ventricle_size)
    ventricle *= outside_brain < -3
    blend(values, ventricle, palette.fluid)
    _paint_midline(grid, outside_brain, values, palette, thick_falx)
    _paint_headrest(rng, grid, values, palette)
    return Head(grid, values, -outside_brain, -skin, ventricle, axes)


def smooth_field(rng: Generator, shape: tuple[int, ...], sigma_cells: Point) -> Array:
    """Return a smooth random field with mean about 0 and standard deviation 1, wavy over `sigma_cells` per axis."""
    slices, rows, columns = (_bumps(count, sigma) for count, sigma in zip(shape, sigma_cells, strict=True))
    field = rng.standard_normal((slices.shape[1], rows.shape[1], columns.shape[1]), dtype=np.float32)
    planes = rows @ (field @ columns.T)
    smooth = np.tensordot(slices, planes, axes=1)
    smooth /= smooth[::3, ::3, ::3].std()
    return np.asarray(smooth, dtype=np.float32)


def _bumps(count: int, sigma: float) -> Array:
    """Return one Gaussian bump per column, `sigma` cells apart, over `count` cells."""
    centres = (np.arange(int(np.ceil(count / sigma)) + 3) - 1) * sigma
    return np.asarray(np.exp(-0.5 * ((np.arange(count)[:, None] - centres) / sigma) ** 2), dtype=np.float32)


def blend(values: Array, share: Array, value: Array | float) -> None:
    """Move `values` towards `value` by `share` (0 to 1) of the way, in place."""
    values += share * (value - values)


def ramp(inside_mm: Array | NDArray[np.float64], edge_mm: float = 1.0) -> Array:
    """Return 0 outside, 1 inside and a straight ramp of `edge_mm` between, as partial volume has it."""
    return np.asarray(np.clip(inside_mm / np.float32(edge_mm) + np.float32(0.5), 0, 1), dtype=np.float32)


def ellipsoid(grid: Grid, centre: Point, half_axes: Point, edge_mm: float = 1.5) -> tuple[slice, Array]:
    """Return the slices that an ellipsoid touches and its share of their voxels."""
    near = np.flatnonzero(np.abs(grid.z - centre[2]) <= half_axes[2] + edge_mm)
    if near.size == 0:
        return slice(0, 0), np.zeros((0, *grid.x.shape[1:]), dtype=np.float32)
    rows = slice(int(near[0]), int(near[-1]) + 1)
    radius = np.sqrt(
        ((grid.x[rows] - np.float32(centre[0])) / np.float32(half_axes[0])) ** 2
        + ((grid.y[rows] - np.float32(centre[1])) / np.float32(half_axes[1])) ** 2
        + ((grid.column[rows] - np.float32(centre[2])) / np.float32(half_axes[2])) ** 2
    )
    return rows, ramp((1 - radius) * np.float32(min(half_axes)), edge_mm)


def _grid(rng: Generator, slices: int) -> Grid:
    pixel = float(np.round(rng.uniform(0.82, 0.90), 3))
    line = ((np.arange(MATRIX) - (MATRIX - 1) / 2) * pixel).astype(np.float32)
    turn = float(np.radians(rng.uniform(-10, 10)))
    columns, rows = line[None, :] - np.float32(rng.uniform(-5, 5)), line[:, None] - np.float32(rng.uniform(-6, 4))
    x = np.float32(np.cos(turn)) * columns + np.float32(np.sin(turn)) * rows
    y = np.float32(np.cos(turn)) * rows - np.float32(np.sin(turn)) * columns
    z = (TOP_SLICE_MM - SLICE_SPACING_MM * np.arange(slices)[::-1]).astype(np.float32)
    lean, nod = np.float32(rng.uniform(-0.06, 0.06)), np.float32(rng.uniform(-0.08, 0.08))
    return Grid(x + lean * z[:, None, None], y + nod * z[:, None, None], z, (SLICE_SPACING_MM, pixel, pixel))


def _vault_distance(grid: Grid, axes: Point) -> Array:
    """Return the distance in mm from the vault's inner table, negative inside: an egg, wider at the back."""
    a, b, c = axes
    width = np.float32(a) * (1 + np.float32(0.09) * np.clip(grid.y / np.float32(b), -1, 1))
    height = np.where(grid.z > 0, np.float32(c), np.float32(92)).astype(np.float32)[:, None, None]
    across, along, up = grid.x / width, grid.y / np.float32(b), grid.column / height
    # An exponent above 2 makes the sides of the vault steeper than an ellipsoid's.
    powers = [part**2 * np.sqrt(np.abs(part)) for part in (across, along, up)]
    radius = (powers[0] + powers[1] + powers[2] + np.float32(1e-6)) ** np.float32(1 / 2.5)
    slope = np.sqrt((across / width) ** 2 + (along / np.float32(b)) ** 2 + (up / height) ** 2) / radius
    return np.asarray((radius - 1) / np.maximum(slope, np.float32(0.004)), dtype=np.float32)


def _inner_table(rng: Generator, grid: Grid, vault: Array) -> Array:
    """Return the distance in mm from the inner table, negative inside: the vault above, the three fossae below."""
    low = slice(0, int(np.searchsorted(grid.z, 10)))
    x, y, z, side = grid.x[low], grid.y[low], grid.column[low], np.abs(grid.x[low])
    temporal_pole = -13 - 24 * np.exp(-(((side - 40) / 17) ** 2))
    front = _step(temporal_pole - y, 2.5)
    back = _step(y - (0.5 * side + 2), 3)
    floor = -22 * front - 44 * (1 - front) * (1 - back) - 60 * back
    floor += 11 * front * np.exp(-(((side - 27) / 13) ** 2) - ((y + 50) / 22) ** 2)
    floor += 18 * np.exp(-(((y - 0.5 * side - 2) / 6) ** 2)) * ramp(side - 14, 8)
    floor += 14 * np.exp(-((x / 9) ** 2) - ((y + 4) / 9) ** 2)
    floor += smooth_field(rng, x.shape, (2.0, 14.0, 14.0)) * 2
    inner = vault.copy()
    np.maximum(inner[low], (floor - z) * np.float32(0.8), out=inner[low])
    neck = slice(0, int(np.searchsorted(grid.z, -45)))
    np.minimum(inner[neck], _canal(grid)[neck], out=inner[neck])
    return inner


def _step(distance_mm: Array | NDArray[np.float64], width_mm: float) -> Array:
    """Return a smooth step from 0 to 1 where `distance_mm` becomes positive."""
    return np.asarray(0.5 + 0.5 * np.tanh(distance_mm / np.float32(2 * width_mm)), dtype=np.float32)


def _canal(grid: Grid) -> Array:
    """Return the distance in mm from the wall of the foramen magnum and the spinal canal, negative inside."""
    return np.asarray(np.hypot(grid.x, grid.y - 36) - 12, dtype=np.float32)


def _paint_scalp_and_face(rng: Generator, grid: Grid, vault: Array, values: Array, palette: Palette) -> Array:
    """Paint everything outside the skull and return the distance in mm from the skin, negative inside."""
    texture = smooth_field(rng, grid.x.shape, (1.5, 5.0, 5.0))
    scalp = np.float32(rng.uniform(10.5, 13.0)) + np.float32(0.3) * texture
    face = (np.hypot(grid.x / 60, (grid.y + 27) / 68) - 1) * 62
    neck = (np.hypot(grid.x / 60, (grid.y - 18) / 66) - 1) * 60
    cranium = vault - scalp + 40 * np.clip((-grid.column - 42) / 20, 0, 1)
    skin = np.minimum(cranium, np.minimum(face, neck) + 2 * np.maximum(grid.column + 22, 0))
    tissue = np.where(texture > 0.6 * (grid.column > -25) - 0.5, np.float32(palette.muscle), np.float32(palette.fat))
    tissue = np.where(skin > -2.5, np.float32(palette.muscle), tissue)
    blend(values, ramp(-skin), tissue)
    low = slice(0, int(np.searchsorted(grid.z, -12)))
    _paint_face(rng, grid, low, skin, values, palette)
    return np.asarray(skin, dtype=np.float32)


def _paint_face(rng: Generator, grid: Grid, low: slice, skin: Array, values: Array, palette: Palette) -> None:
    """Paint jaws, sinuses, nose, eyes and the upper spine into the slices below the brain."""
    lace = smooth_field(rng, grid.x[low].shape, (1.0, 3.0, 3.0))
    jaws = ramp(-np.abs(skin[low] + 13) + 3) * ramp(-grid.y[low] - 8, 12) * (lace > -0.6)
    blend(values[low], jaws, palette.bone)
    spine = ramp(7 - np.abs(_canal(grid)[low] - 7)) * (lace > -0.9) * (grid.column[low] < -48)
    blend(values[low], spine, palette.bone)
    for side in (-1, 1):
        _hollow(grid, (side * 27, -58, -56), (14, 17, 15), values, palette.air, palette.bone)
        _hollow(grid, (side * 31, -64, -30), (19, 24, 17), values, palette.fat, palette.bone)
        rows, eye = ellipsoid(grid, (side * 31, -73, -30), (12, 12, 12))
        blend(values[rows], eye, palette.fluid + (palette.white - palette.fluid) * 0.3)
        rows, ramus = ellipsoid(grid, (side * 46, -8, -62), (5, 15, 26))
        blend(values[rows], ramus, palette.bone)
    _hollow(grid, (0, -62, -48), (13, 28, 22), values, palette.air, palette.bone)
    septa = ramp(0.8 - np.abs(np.abs(grid.x[low]) - 5 * (lace > 0))) * (np.abs(grid.y[low] + 62) < 26)
    blend(values[low], septa * (np.abs(grid.x[low]) < 13) * (lace > -0.8), palette.muscle)


def _hollow(grid: Grid, centre: Point, half_axes: Point, values: Array, filling: float, wall: float) -> None:
    """Paint a cavity with a thin wall."""
    outer = (half_axes[0] + 2.0, half_axes[1] + 2.0, half_axes[2] + 2.0)
    rows, shell = ellipsoid(grid, centre, outer)
    blend(values[rows], shell, wall)
    rows, hole = ellipsoid(grid, centre, half_axes)
    blend(values[rows], hole, filling)


def _paint_skull(rng: Generator, grid: Grid, inner: Array, skin: Array, values: Array, palette: Palette) -> None:
    waves = smooth_field(rng, grid.x.shape, (3.0, 30.0, 30.0))
    thickness = np.float32(rng.uniform(5.5, 7.5)) + np.float32(0.8) * waves
    thickness += 2 * np.clip(np.abs(grid.y) / 80 - 0.7, 0, 1) - 2 * (grid.column < -15)
    lace = smooth_field(rng, grid.x.shape, (1.0, 3.5, 3.5))
    bone = palette.bone + palette.bone_spread * np.clip(lace, -1, 1)
    blend(values, ramp(inner) * ramp(np.minimum(thickness - inner, -3 - skin)), bone)
    # Mastoid cells: air between lamellae, behind and beside the petrous bone.
    mastoid = (np.abs(grid.x) > 36) & (np.abs(grid.y - 22) < 16) & (np.abs(grid.column + 36) < 16)
    blend(values, mastoid * ramp(inner - 2) * (inner < 16) * (lace > 0.1), palette.air * 0.8)


def _paint_brain(rng: Generator, grid: Grid, inner: Array, values: Array, palette: Palette) -> None:
    """Paint brain: folded cortex over white matter, sulci with fluid, deep grey nuclei, Sylvian fissures, cisterns."""
    depth = -inner
    folds = smooth_field(rng, grid.x.shape, (1.3, 7.0, 7.0))
    cortex = np.exp(-((folds / np.float32(0.55)) ** 2)) * np.clip((34 - depth) / 10, 0, 1)
    cortex = np.maximum(cortex, np.clip((5 - depth) / 2, 0, 1))
    tissue = palette.white + (palette.grey - palette.white) * cortex
    tissue += np.float32(0.12 * (palette.grey - palette.white)) * smooth_field(rng, grid.x.shape, (2.0, 14.0, 14.0))
    for centre, half_axes in _DEEP_NUCLEI:
        rows, nucleus = ellipsoid(grid, centre, half_axes, 4)
        blend(tissue[rows], nucleus * np.float32(0.7), palette.grey)
    atrophy = float(rng.uniform(0.15, 0.75))
    sulci = np.exp(-((folds / np.float32(0.13)) ** 2)) * np.clip((16 - depth) / 8, 0, 1) * np.float32(atrophy)
    rim = np.clip(np.float32(0.6 + 1.6 * atrophy) - depth, 0, 1)
    blend(tissue, np.maximum(sulci, rim), palette.fluid)
    for side, (across, along) in ((side, place) for side in (-1, 1) for place in _SYLVIAN_FISSURE):
        centre = (side * across, along + float(rng.uniform(-3, 3)), float(rng.uniform(-8, 4)))
        rows, fissure = ellipsoid(grid, centre, (5.5, 1.6 + 2 * atrophy, 11), 2)
        blend(tissue[rows], fissure * np.float32(0.45 + 0.5 * atrophy), palette.fluid)
    for centre, half_axes in _CISTERNS:
        rows, cistern = ellipsoid(grid, centre, half_axes, 3)
        blend(tissue[rows], cistern * np.float32(0.8), palette.fluid)
    blend(values, ramp(depth), tissue)


def _ventricles(rng: Generator, grid: Grid, size: float) -> Array:
    """Return the share of each voxel that is a ventricle: lateral ones with their horns, the third and the fourth."""
    share = np.zeros(grid.x.shape, dtype=np.float32)
    for side in (-1, 1):
        own = size * float(rng.uniform(0.85, 1.15))
        for index, centre in enumerate(_LATERAL_VENTRICLE):
            wide = (3.4 if index < 4 else 4.2) * own
            rows, part = ellipsoid(grid, (side * centre[0], centre[1], centre[2]), (wide, 11.0, 4.5 + 2.5 * own), 2)
            np.maximum(share[rows], part, out=share[rows])
    for middle, half_axes in (
        ((0.0, 5.0, -3.0), (1.6 * size, 12.0, 9.0)),
        ((0.0, 37.0, -36.0), (6.0 * size, 4.5, 7.0)),
    ):
        rows, part = ellipsoid(grid, middle, half_axes, 2)
        np.maximum(share[rows], part, out=share[rows])
    return share


_DEEP_NUCLEI: tuple[tuple[Point, Point], ...] = (
    ((-11.0, 12.0, 0.0), (8.0, 14.0, 9.0)),
    ((11.0, 12.0, 0.0), (8.0, 14.0, 9.0)),
    ((-25.0, -8.0, 2.0), (7.0, 18.0, 11.0)),
    ((25.0, -8.0, 2.0), (7.0, 18.0, 11.0)),
)
"""Thalami and lentiform nuclei as (centre, half axes) in mm."""

_CISTERNS: tuple[tuple[Point, Point], ...] = (
    ((0.0, -6.0, -24.0), (13.0, 9.0, 7.0)),
    ((0.0, 27.0, -9.0), (11.0, 4.0, 5.0)),
    ((0.0, 10.0, -30.0), (15.0, 4.0, 7.0)),
)
"""Suprasellar, quadrigeminal and prepontine cistern as (centre, half axes) in mm."""

_SYLVIAN_FISSURE = ((34.0, -4.0), (41.0, -10.0), (48.0, -15.0), (56.0, -13.0))
"""Where the fissure runs from the insula to the surface: (across, along) in mm."""

_LATERAL_VENTRICLE: tuple[Point, ...] = (
    (6.0, -27.0, 7.0),
    (7.0, -18.0, 12.0),
    (8.5, -6.0, 17.0),
    (10.5, 8.0, 19.0),
    (15.0, 20.0, 15.0),
    (20.0, 31.0, 9.0),
    (22.0, 41.0, 5.0),
)
"""Centres of the ellipsoids that one lateral ventricle is made of, from the frontal to the occipital horn, in mm."""


def _paint_midline(grid: Grid, inner: Array, values: Array, palette: Palette, thick: bool) -> None:
    """Paint falx, sagittal sinus and the interhemispheric fissure."""
    brain = ramp(-inner)
    reach = np.clip((grid.column - 22) / 8, 0, 1)
    ends = np.maximum(ramp(-grid.y - 42, 6), ramp(grid.y - 44, 6))
    where = np.maximum(reach, ends) * (grid.column > _TENTORIUM_MM) * brain
    off_plane = np.abs(grid.x - smooth_wave(grid.y))
    blend(values, where * ramp(2.2 - off_plane, 2) * np.float32(0.3), palette.fluid)
    blend(values, where * ramp((1.5 if thick else 0.6) - off_plane) * np.float32(0.9 if thick else 0.55), palette.falx)
    sinus = ramp(3.2 - np.hypot(grid.x, inner + 3)) * (grid.y > 0) * (grid.column > _TENTORIUM_MM)
    blend(values, sinus * np.float32(0.8), palette.vein)


def smooth_wave(y: Array) -> Array:
    """Return how far in mm the falx strays from the plane x = 0."""
    return np.asarray(0.8 * np.sin(y / 25), dtype=np.float32)


def _paint_headrest(rng: Generator, grid: Grid, values: Array, palette: Palette) -> None:
    """Paint the thin bright cup of the headrest into the air below the head."""
    radius = float(rng.uniform(110, 122))
    line = np.abs(np.hypot(grid.x, grid.y + 6) - radius)
    blend(values, ramp(1.5 - line) * (grid.y > 62), palette.calcium)
