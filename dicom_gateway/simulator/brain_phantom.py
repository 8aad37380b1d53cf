"""A synthetic head as a FLAIR sequence shows it: dark fluid and bone, bright fat, and what is too bright."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from dicom_gateway.simulator.bleeds import grow, intraparenchymal_growth
from dicom_gateway.simulator.head_anatomy import Head, Palette, blend, draw_head, ellipsoid, ramp, smooth_field
from dicom_gateway.simulator.phantoms import Phantom, as_scanned

FLAIR = Palette(
    air=6,
    fat=520,
    muscle=230,
    bone=60,
    bone_spread=25,
    fluid=70,
    grey=430,
    white=340,
    falx=180,
    vein=90,
    calcium=6,
)
"""Signal of a fluid-attenuated T2-weighted sequence, in arbitrary stored units; the headrest gives none."""

MARROW, GLIOSIS, CYST = 190.0, 560.0, 150.0
LARGEST_VALUE = 1200


def mr_brain(rng: Generator, lesion: bool) -> Phantom:
    """Return a FLAIR series of 24 to 28 slices of 256 by 256, 5 mm apart, in stored units 0 to 1200.

    With `lesion` it shows a bright, uneven lump of 8 to 50 ml in the white matter, as a glioma is. Either may show what
    many heads of age have: caps and rims at the ventricles, and a few bright spots of some millimetres.
    """
    head = draw_head(rng, int(rng.integers(24, 29)), FLAIR, float(rng.uniform(0.8, 1.5)), thick_falx=False)
    _paint_fat_and_marrow(rng, head)
    _paint_rims(rng, head)
    if rng.random() < 0.6:
        _paint_spots(rng, head)
    mask = np.zeros(head.values.shape, dtype=np.bool_)
    if lesion:
        mask = _paint_glioma(rng, head)
    coil = 1 + np.float32(0.08) * smooth_field(rng, head.values.shape, (12.0, 90.0, 90.0))
    noise = float(rng.uniform(8, 16))
    pixels = as_scanned(rng, head.values * coil, noise)
    # A magnitude image: noise of two channels, so that air is never below 0.
    other = as_scanned(rng, np.zeros_like(pixels), noise)
    magnitude = np.clip(np.hypot(pixels, other), 0, LARGEST_VALUE).astype(np.float32)
    return Phantom(magnitude, head.grid.spacing_mm, mask, lesion)


def _paint_fat_and_marrow(rng: Generator, head: Head) -> None:
    """Make the scalp a ring of fat below the skin, and the middle of the skull bone marrow."""
    outside = (head.depth_mm < -2) & (head.skin_mm > 2.5) & (head.grid.column > -20)
    scalp = ndimage.gaussian_filter((outside & (head.values > 130)).astype(np.float32), (0, 0.5, 0.5))
    blend(head.values, scalp, FLAIR.fat + 35 * smooth_field(rng, head.values.shape, (1.5, 6.0, 6.0)))
    middle = ramp(1.5 - np.abs(head.depth_mm + 3.4), 1.5) * (outside & (head.values < 110))
    blend(head.values, middle * np.float32(0.8), MARROW)


def _paint_rims(rng: Generator, head: Head) -> None:
    """Paint the thin bright rims that ventricles have at any age."""
    near = ndimage.gaussian_filter(head.ventricle, (0, 2.0, 2.0), truncate=2.5)
    rim = 2.2 * near * (1 - head.ventricle) * (head.depth_mm > 8)
    blend(head.values, np.asarray(rim * float(rng.uniform(0.1, 0.75)), dtype=np.float32), GLIOSIS)


def _paint_spots(rng: Generator, head: Head) -> None:
    """Paint small bright spots into the white matter: no lesion that anybody is looked for with this sequence."""
    a, b, _ = head.half_axes_mm
    for _ in range(int(rng.integers(2, 9))):
        side = 1 if rng.random() < 0.5 else -1
        centre = (
            side * float(rng.uniform(0.25, 0.6)) * a,
            float(rng.uniform(-0.5, 0.5)) * b,
            float(rng.uniform(12, 45)),
        )
        size = float(rng.uniform(1.3, 2.8))
        rows, share = ellipsoid(head.grid, centre, (size, size * float(rng.uniform(0.8, 1.6)), 3.0))
        blend(head.values[rows], share * np.float32(rng.uniform(0.5, 1.0)), GLIOSIS)


def _paint_glioma(rng: Generator, head: Head) -> NDArray[np.bool_]:
    """Paint a lump with an uneven, soft border, some with a cyst inside, and return its voxels."""
    growth = intraparenchymal_growth(rng, head)
    fingers = 1 + np.float32(0.14) * smooth_field(rng, head.values.shape, (1.5, 9.0, 9.0))
    growth = replace(growth, order=growth.order * fingers, edge=7.0, oedema=0.0)
    mask = grow(rng, head, growth, float(rng.uniform(8, 50)), float(rng.uniform(560, 660)))
    inside = ndimage.gaussian_filter(mask.astype(np.float32), (0, 2.0, 2.0))
    np.add(head.values, 38 * inside * smooth_field(rng, head.values.shape, (1.2, 4.0, 4.0)), out=head.values)
    if rng.random() < 0.35:
        reach = growth.order / np.float32(growth.order[mask].max())
        blend(head.values, ramp(float(rng.uniform(0.3, 0.5)) - reach, 0.12), CYST)
    return mask
