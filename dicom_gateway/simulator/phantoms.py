"""Synthetic head CTs, with or without a bleed whose place is known, and what every phantom is."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from dicom_gateway.simulator.bleeds import paint_bleed
from dicom_gateway.simulator.head_anatomy import SLICE_SPACING_MM, Array, Head, Palette, blend, draw_head, ellipsoid

HOUNSFIELD = Palette(
    air=-1000,
    fat=-95,
    muscle=52,
    bone=1150,
    bone_spread=350,
    fluid=6,
    grey=42,
    white=33,
    falx=52,
    vein=50,
    calcium=150,
)
"""CT numbers of an unenhanced head at 120 kV, in HU."""


@dataclass(frozen=True, slots=True)
class Phantom:
    """Images with the truth about them.

    `pixels` has shape (slices, rows, columns), in HU for CT and in stored units otherwise; slices run from caudal to
    cranial. `spacing_mm` is (between slices, between rows, between columns). `lesion_mask` has the shape of `pixels`.
    """

    pixels: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    lesion_mask: NDArray[np.bool_]
    has_lesion: bool


def ct_head(rng: Generator, bleed: bool, slice_mm: float = SLICE_SPACING_MM, dose: float = 1.0) -> Phantom:
    """Return an unenhanced head CT of 256 by 256, in HU: 28 to 34 slices of 5 mm, or as many of `slice_mm` as fit.

    Noise is that of the usual dose and of 5 mm divided by the root of `dose` and of the thickness, as photons count.
    With `bleed` it holds one bleed of 8 to 60 ml (less where the ventricles have no more room). Without, it may hold
    what is mistaken for one: calcified pineal gland and choroid plexus, a thick falx.
    """
    slices = int(rng.integers(28, 35))
    distracts = bool(rng.random() < 0.35)
    size = float(rng.uniform(0.8, 1.7))
    head = draw_head(rng, slices, HOUNSFIELD, size, thick_falx=distracts and bool(rng.random() < 0.5))
    if distracts:
        _paint_calcifications(rng, head)
    mask = np.zeros(head.values.shape, dtype=np.bool_)
    if bleed:
        mask = paint_bleed(rng, head, float(rng.uniform(58, 76)))
    noise = float(rng.uniform(3, 5)) / (dose * slice_mm / SLICE_SPACING_MM) ** 0.5
    values, bleeds = (resliced(one, SLICE_SPACING_MM / slice_mm) for one in (head.values, mask))
    pixels = as_scanned(rng, values, noise)
    return Phantom(np.clip(pixels, -1024, 3071), (slice_mm, *head.grid.spacing_mm[1:]), bleeds > 0.5, bleed)


def resliced(values: NDArray[np.generic], slices_per_slice: float) -> Array:
    """Return a volume cut into that many slices for each one: thinner ones interpolated, thicker ones averaged."""
    volume = values.astype(np.float32)
    if slices_per_slice == 1:
        return volume
    edges = np.arange(int(len(volume) * slices_per_slice) + 1) / slices_per_slice
    # The integral along the slices, read at the edges of the new ones; a slice holds its value over its thickness.
    total = np.concatenate([np.zeros_like(volume[:1]), np.cumsum(volume, axis=0, dtype=np.float64)])
    below = np.minimum(edges.astype(int), len(volume) - 1)
    share = (edges - below)[:, None, None]
    at_edges = total[below] + share * volume[below]
    return np.asarray(np.diff(at_edges, axis=0) * slices_per_slice, dtype=np.float32)


def _paint_calcifications(rng: Generator, head: Head) -> None:
    size = float(rng.uniform(1.5, 3.0))
    for centre in ((0.0, 24.0, 2.0), (-19.0, 29.0, 10.0), (19.0, 29.0, 10.0)):
        rows, share = ellipsoid(head.grid, centre, (size, size, 3.0))
        blend(head.values[rows], share * np.float32(rng.uniform(0.3, 0.9)), HOUNSFIELD.calcium)


def as_scanned(rng: Generator, values: Array, noise: float) -> Array:
    """Return `values` blurred as a soft kernel does, with noise of standard deviation `noise`, a little smooth too."""
    blurred = ndimage.gaussian_filter(values, (0, 0.55, 0.55), truncate=3)
    grain = ndimage.gaussian_filter(rng.standard_normal(values.shape, dtype=np.float32), (0, 0.6, 0.6), truncate=3)
    return np.asarray(blurred + grain * np.float32(noise / grain.std()), dtype=np.float32)
