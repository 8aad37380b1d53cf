"""Bleeds painted into studies without one, so that the network learns what blood looks like beyond the few real ones.

Every painted bleed comes with the cells it covers, which the real labels (per slice) do not have. Distractors (calcium,
old infarcts, swollen scalp) are painted as well, without a label, so that paint alone is no sign.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from models.training.head_ct_dataset import LABELS, LabelledStudy

SLICE_STEP = 4.5
"""Cells of the grid that one slice is apart from the next: about 5 mm, a cell being about 1.1 mm."""
VISIBLE_HU = 12.0
"""A painted cell counts when it became brighter by this much; nearer to bone nobody could see it."""
MIN_CELLS = 20
"""A slice bleeds when painted bleeds cover this many cells of it; with fewer it is drawn for nothing."""


@dataclass(frozen=True, slots=True)
class TrainingSlice:
    """One slice as a batch takes it: `planes` (3, rows, columns) is it, the one before and the one after, in HU.

    `inside` and `lesion` have shape (1, rows, columns); `lesion_known` says whether `lesion` tells the cells.
    """

    planes: NDArray[np.float32]
    inside: NDArray[np.float32]
    lesion: NDArray[np.float32]
    lesion_known: bool
    labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PaintedStudy:
    """A study with the cells that a painted bleed covers: `lesion` has shape (slices, rows, columns), 0 or 1.

    `cells_known` is False for a study with a real bleed, of which only the slices are known; `doubtful` (slices,)
    marks slices with so little paint that nobody could say.
    """

    study: LabelledStudy
    lesion: NDArray[np.float32]
    cells_known: bool
    doubtful: NDArray[np.bool_]

    def at(self, index: int) -> TrainingSlice:
        """Return slice `index` with its neighbours; at the ends the slice stands in for the one that is missing."""
        planes, last = self.study.planes, len(self.study.planes) - 1
        return TrainingSlice(
            planes=planes[[index, max(index - 1, 0), min(index + 1, last)]],
            inside=self.study.inside[index : index + 1],
            lesion=self.lesion[index : index + 1],
            lesion_known=self.cells_known or not self.study.labels[index, 0],
            labels=self.study.labels[index],
        )


def paint(study: LabelledStudy, depth: NDArray[np.float32], random: Generator, bleeds: int) -> PaintedStudy:
    """Return `study`, which has no bleed, with as many painted bleeds and perhaps a distractor.

    Args:
        study: a study without a bleed.
        depth: distance of each cell to the skull in cells, shape (slices, rows, columns), 0 outside.
        random: source of all choices.
        bleeds: how many to paint; 0 paints distractors only.
    """
    planes, labels = study.planes.copy(), study.labels.copy()
    lesion, touched = np.zeros(planes.shape, dtype=bool), np.zeros(len(planes), dtype=bool)
    if random.random() < 0.35:
        planes = _distracted(planes, depth, study.inside, random)
    for _ in range(bleeds):
        subtype = int(random.choice(5, p=(0.12, 0.26, 0.17, 0.25, 0.20)))
        shape = _SHAPES[subtype](planes, depth, random)
        filled = _filled(planes, shape, random.uniform(50, 82), random)
        visible = shape & (filled - planes > VISIBLE_HU)
        planes, lesion, touched = filled, lesion | visible, touched | shape.any(axis=(1, 2))
        covered = visible.sum(axis=(1, 2)) >= MIN_CELLS
        labels[covered, 0] = 1
        labels[covered, 1 + subtype] = 1
    doubtful = touched & (labels[:, 0] == 0)
    painted = replace(study, planes=planes, labels=labels)
    return PaintedStudy(painted, lesion.astype(np.float32), cells_known=True, doubtful=doubtful)


def depth_inside(study: LabelledStudy) -> NDArray[np.float32]:
    """Return how far each cell inside the skull is from the skull, in cells; 0 outside."""
    return np.stack([ndimage.distance_transform_edt(plane > 0) for plane in study.inside]).astype(np.float32)


def _intraventricular(planes: NDArray[np.float32], depth: NDArray[np.float32], random: Generator) -> NDArray[np.bool_]:
    fluid = (ndimage.gaussian_filter(planes, (0, 1, 1)) < 20) & (depth > 18)
    if fluid.sum() < 60:
        return _intraparenchymal(planes, depth, random)
    return fluid & _ellipsoid(planes.shape, _a_cell(fluid, random), random.uniform(6, 28, 3), random)


def _intraparenchymal(planes: NDArray[np.float32], depth: NDArray[np.float32], random: Generator) -> NDArray[np.bool_]:
    centre = _a_cell(depth > random.uniform(2, 15), random)
    radius = np.exp(random.uniform(np.log(2.5), np.log(18)))
    return _ellipsoid(planes.shape, centre, radius * random.uniform(0.7, 1.4, 3), random) & (depth > 0)


def _subarachnoid(planes: NDArray[np.float32], depth: NDArray[np.float32], random: Generator) -> NDArray[np.bool_]:
    smooth = ndimage.gaussian_filter(planes, (0, 1, 1))
    fluid = (smooth < np.percentile(smooth[depth > 0], random.uniform(8, 22))) & (depth > 0)
    return fluid & _ellipsoid(planes.shape, _a_cell(fluid, random), random.uniform(10, 32, 3), random)


def _epidural(planes: NDArray[np.float32], depth: NDArray[np.float32], random: Generator) -> NDArray[np.bool_]:
    """A lens: what a large ball, its centre beyond the skull, cuts out of the inside."""
    rim = _a_cell((depth > 0) & (depth < 2), random)
    middle = np.argwhere(depth[rim[0]] > 0).mean(axis=0)
    outwards = (np.array(rim[1:]) - middle) / max(1.0, float(np.linalg.norm(np.array(rim[1:]) - middle)))
    radius, thickness = random.uniform(16, 48), random.uniform(3, 18)
    centre = (rim[0], *(np.array(rim[1:]) + outwards * (radius - thickness)))
    return _ellipsoid(planes.shape, centre, np.full(3, radius), random, roughness=0.15) & (depth > 0)


def _subdural(planes: NDArray[np.float32], depth: NDArray[np.float32], random: Generator) -> NDArray[np.bool_]:
    """A crescent: the cells nearest to the skull within a wide ball around a point of it."""
    rim = _a_cell((depth > 0) & (depth < 2), random)
    reach = random.uniform(25, 70)
    near = _ellipsoid(planes.shape, rim, np.array([reach * 0.8, reach, reach]), random, roughness=0.2)
    return near & (depth > 0) & (depth < random.uniform(2.5, 9))


_SHAPES = (_intraventricular, _intraparenchymal, _subarachnoid, _epidural, _subdural)
assert len(_SHAPES) == len(LABELS) - 1


def _a_cell(where: NDArray[np.bool_], random: Generator) -> tuple[int, ...]:
    cells = np.flatnonzero(where)
    if not len(cells):
        return tuple(size // 2 for size in where.shape)
    return tuple(int(one) for one in np.unravel_index(cells[random.integers(len(cells))], where.shape))


def _ellipsoid(
    shape: tuple[int, ...],
    centre: tuple[float, ...],
    radii: NDArray[np.float64],
    random: Generator,
    roughness: float = 0.35,
) -> NDArray[np.bool_]:
    """Return a turned ellipsoid with an uneven surface; radii in cells, slices being `SLICE_STEP` cells apart."""
    reach = np.exp(roughness) * np.array([radii[0] / SLICE_STEP, *2 * [radii[1:].max()]])
    box = tuple(
        slice(max(0, int(middle - far)), min(size, int(middle + far) + 2))
        for middle, far, size in zip(centre, reach, shape, strict=True)
    )
    result = np.zeros(shape, dtype=bool)
    extent = result[box].shape
    if 0 in extent:
        return result
    slices, rows, columns = np.ogrid[box]
    turn = random.uniform(0, np.pi)
    down, across = rows - centre[1], columns - centre[2]
    first, second = down * np.cos(turn) + across * np.sin(turn), across * np.cos(turn) - down * np.sin(turn)
    distance = ((slices - centre[0]) * SLICE_STEP / radii[0]) ** 2 + (first / radii[1]) ** 2 + (second / radii[2]) ** 2
    knots = np.maximum(2, np.array(extent) // (4, 16, 16))
    bumps = ndimage.zoom(random.normal(size=knots), np.array(extent) / knots, order=1)
    result[box] = distance < np.exp(roughness * np.clip(bumps, -2, 2))
    return result


def _filled(
    planes: NDArray[np.float32], shape: NDArray[np.bool_], target: float, random: Generator
) -> NDArray[np.float32]:
    """Bring `shape` to `target` HU with a soft edge, keeping the noise of the image and adding an uneven clot."""
    touched = np.flatnonzero(ndimage.binary_dilation(np.asarray(shape.any(axis=(1, 2)))))
    if not len(touched):
        return planes
    part = slice(touched[0], touched[-1] + 1)
    blur = (random.uniform(0.2, 0.5), *2 * [random.uniform(0.6, 1.4)])
    edge = ndimage.gaussian_filter(shape[part].astype(np.float32), blur)
    here = planes[part]
    unevenness = ndimage.gaussian_filter(random.normal(size=here.shape), (0.5, 2.5, 2.5)) * random.uniform(0, 40)
    lift = (target + unevenness - ndimage.gaussian_filter(here, (0, 1.5, 1.5))) * edge * random.uniform(0.75, 1.0)
    result = planes.copy()
    bone = here >= 92
    result[part] = np.where(bone, here, np.clip(here + lift, -20, 100))
    return result


def _distracted(
    planes: NDArray[np.float32], depth: NDArray[np.float32], inside: NDArray[np.float32], random: Generator
) -> NDArray[np.float32]:
    kind = random.integers(3)
    if kind == 0:
        spot = _ellipsoid(planes.shape, _a_cell(depth > 5, random), random.uniform(1.5, 4, 3), random)
        return np.where(spot, np.float32(100), planes)
    if kind == 1:
        old = _ellipsoid(planes.shape, _a_cell(depth > 3, random), random.uniform(8, 25, 3), random) & (depth > 0)
        return _filled(planes, old, random.uniform(8, 24), random)
    near = (
        ndimage.binary_dilation(inside > 0, np.ones((1, 3, 3), dtype=np.bool_), iterations=14)
        & (inside == 0)
        & (planes < 90)
    )
    near &= ndimage.gaussian_filter(planes, (0, 1, 1)) > -18
    swelling = near & _ellipsoid(planes.shape, _a_cell(near, random), random.uniform(15, 35, 3), random)
    return _filled(planes, swelling, random.uniform(40, 75), random)
