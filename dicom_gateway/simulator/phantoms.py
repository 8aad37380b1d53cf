"""Synthetic images of four modalities, each with or without a lesion whose place is known."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from dicom_gateway.simulator.bleeds import grow, intraparenchymal_growth, paint_bleed
from dicom_gateway.simulator.head_anatomy import (
    Array,
    Head,
    Palette,
    blend,
    draw_head,
    ellipsoid,
    ramp,
    smooth_field,
)

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

FLAIR = Palette(
    air=6,
    fat=720,
    muscle=260,
    bone=60,
    bone_spread=30,
    fluid=70,
    grey=430,
    white=340,
    falx=180,
    vein=90,
    calcium=60,
)
"""Signal of a fluid-attenuated T2-weighted sequence, in arbitrary stored units."""


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


def ct_head(rng: Generator, bleed: bool) -> Phantom:
    """Return an unenhanced head CT of 28 to 34 slices of 256 by 256, 5 mm apart, in HU.

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
    pixels = _as_scanned(rng, head.values, noise=float(rng.uniform(3, 5)))
    return Phantom(np.clip(pixels, -1024, 3071), head.grid.spacing_mm, mask, bleed)


def mr_brain(rng: Generator, lesion: bool) -> Phantom:
    """Return a FLAIR series of 24 to 28 slices of 256 by 256, 5 mm apart, in stored units 0 to 1200.

    With `lesion` it shows a bright lump of 8 to 50 ml in the white matter, as a glioma is.
    """
    head = draw_head(rng, int(rng.integers(24, 29)), FLAIR, float(rng.uniform(0.8, 1.5)), thick_falx=False)
    mask = np.zeros(head.values.shape, dtype=np.bool_)
    if lesion:
        growth = replace(intraparenchymal_growth(rng, head), edge=6.0, oedema=0.0)
        mask = grow(rng, head, growth, float(rng.uniform(8, 50)), float(rng.uniform(680, 850)))
    coil = 1 + np.float32(0.08) * smooth_field(rng, head.values.shape, (12.0, 90.0, 90.0))
    pixels = _as_scanned(rng, head.values * coil, noise=float(rng.uniform(8, 16)))
    return Phantom(np.clip(np.abs(pixels), 0, 1200), head.grid.spacing_mm, mask, lesion)


def us_breast(rng: Generator, lesion: bool) -> Phantom:
    """Return one to three breast ultrasound stills of 400 by 480, 0 to 255.

    From the skin down: skin, fat, gland, pectoral muscle. With `lesion` each shows a dark mass with an uneven border
    and a shadow below it.
    """
    count, rows, columns = int(rng.integers(1, 4)), 400, 480
    shape = (count, rows, columns)
    across = (np.arange(columns, dtype=np.float32)[None, None, :] - columns / 2) + np.zeros(shape, dtype=np.float32)
    down = np.arange(rows, dtype=np.float32)[None, :, None] + 6 * smooth_field(rng, shape, (1.0, 60.0, 60.0))
    echo = 62 + 60 * ramp(down - 90, 30) - 55 * ramp(down - 300, 25) + 110 * ramp(14 - down, 5)
    layers = smooth_field(rng, shape, (1.0, 5.0, 26.0))
    echo += (14 + 12 * ramp(down - 90, 30)) * layers
    echo += 70 * ramp(2.5 - np.abs(down - 302), 3)
    centre = (float(rng.uniform(-90, 90)), float(rng.uniform(140, 220)))
    half_axes = (float(rng.uniform(52, 84)), float(rng.uniform(40, 62)))
    wobble = 1 + np.float32(0.1) * smooth_field(rng, shape, (1.0, 22.0, 22.0))
    radius = np.hypot((across - centre[0]) / half_axes[0], (down - centre[1]) / half_axes[1]) * wobble
    mask = (radius < 1) & lesion
    if lesion:
        shadow = ramp(half_axes[0] * 0.7 - np.abs(across - centre[0]), 16) * ramp(down - centre[1], 30)
        echo *= 1 - np.float32(0.5) * shadow
        blend(echo, ramp((1 - radius) * 40, 8), 24 + 5 * layers)
    return Phantom(_speckled(rng, echo), (1.0, 0.1, 0.1), np.asarray(mask, dtype=np.bool_), lesion)


def _speckled(rng: Generator, echo: Array) -> Array:
    """Return `echo` as an ultrasound device shows it: speckle of Rayleigh statistics, compressed, 0 to 255."""
    real, imaginary = (
        ndimage.gaussian_filter(rng.standard_normal(echo.shape, dtype=np.float32), (0, 0.8, 1.6)) for _ in range(2)
    )
    amplitude = np.hypot(real, imaginary)
    speckle = 20 * np.log10(np.maximum(amplitude / amplitude.mean(), np.float32(0.05)))
    shown = np.maximum(echo, 4) * (1 + np.float32(0.045) * speckle)
    return np.asarray(np.clip(shown, 0, 255), dtype=np.float32)


def dx_chest(rng: Generator, lesion: bool) -> Phantom:
    """Return one frontal chest radiograph of 512 by 512, 12 bits, bright where X-rays were stopped.

    With `lesion` one lung has a patchy opacity. Lungs, heart, diaphragm, spine, clavicles and ribs are drawn.
    """
    size = 512
    x = (np.arange(size, dtype=np.float32)[None, :] - size / 2) * np.float32(0.8) + np.zeros(
        (size, 1), dtype=np.float32
    )
    y = (np.arange(size, dtype=np.float32)[:, None] - size / 2) * np.float32(0.8) + np.zeros(
        (1, size), dtype=np.float32
    )
    waves = smooth_field(rng, (1, size, size), (1.0, 40.0, 40.0))[0]
    body = ramp(175 + 22 * np.tanh(y / 70) - np.abs(x) + 2 * waves, 12)
    image = 2450 * body + 120 * waves * body
    lungs = _lungs(rng, x, y, waves)
    fine = smooth_field(rng, (1, size, size), (1.0, 5.0, 5.0))[0]
    blend(image, lungs, 900 + 70 * waves + 45 * fine)
    heart = np.hypot((x - 22) / rng.uniform(52, 64), (y - 55) / 58) - 1
    blend(image, ramp(-heart * 55, 6) * np.float32(0.85), 2500.0)
    image += 380 * ramp(26 - np.abs(x), 10) * body
    image += _bones(x, y) * body
    mask = np.zeros((1, size, size), dtype=np.bool_)
    if lesion:
        mask = _paint_opacity(rng, image, lungs, x, y)[None]
    image = ndimage.gaussian_filter(image, 0.8) + 22 * rng.standard_normal((size, size), dtype=np.float32)
    return Phantom(np.clip(image, 0, 4095)[None].astype(np.float32), (1.0, 0.8, 0.8), mask, lesion)


def _lungs(rng: Generator, x: Array, y: Array, waves: Array) -> Array:
    """Return the share of lung in each pixel: two tall ovals, cut below by the domes of the diaphragm."""
    share = np.zeros(x.shape, dtype=np.float32)
    for side in (-1, 1):
        oval = np.abs((x - side * 76) / 56) ** 2.4 + np.abs((y + 8) / float(rng.uniform(128, 140))) ** 2.4
        dome = y - (82 + 10 * (side > 0) + ((x - side * 70) / 13) ** 2)
        part = ramp((1 - oval) * 50 + waves, 6) * ramp(-dome, 4)
        np.maximum(share, part, out=share)
    return share


def _bones(x: Array, y: Array) -> Array:
    """Return what ribs and clavicles add."""
    added = np.zeros(x.shape, dtype=np.float32)
    for number in range(9):
        across = np.abs(x) / 130
        for height in (-118 + 25 * number + 52 * across**2 - 14 * across, -112 + 25 * number - 30 * across**2):
            line = ramp(4.2 - np.abs(y - height), 2.5) * (np.abs(x) > 22) * (np.abs(x) < 138)
            np.maximum(added, line * np.float32(230), out=added)
    clavicle = ramp(5.5 - np.abs(y + 122 + np.abs(x) * 0.16), 3) * (np.abs(x) > 12) * (np.abs(x) < 150)
    return np.asarray(np.maximum(added, clavicle * 330), dtype=np.float32)


def _paint_opacity(rng: Generator, image: Array, lungs: Array, x: Array, y: Array) -> NDArray[np.bool_]:
    """Paint a patchy consolidation into one lung and return its pixels."""
    side = 1 if rng.random() < 0.5 else -1
    centre = (side * float(rng.uniform(65, 95)), float(rng.uniform(-60, 45)))
    wide, tall = float(rng.uniform(24, 42)), float(rng.uniform(24, 46))
    patches = smooth_field(rng, (1, *x.shape), (1.0, 12.0, 12.0))[0]
    radius = np.hypot((x - centre[0]) / wide, (y - centre[1]) / tall) + np.float32(0.18) * patches
    share = np.clip((1.25 - radius) / 0.6, 0, 1) * lungs
    blend(image, share * np.float32(0.7), 2100.0)
    return np.asarray(share > 0.4, dtype=np.bool_)


def _paint_calcifications(rng: Generator, head: Head) -> None:
    size = float(rng.uniform(1.5, 3.0))
    for centre in ((0.0, 24.0, 2.0), (-19.0, 29.0, 10.0), (19.0, 29.0, 10.0)):
        rows, share = ellipsoid(head.grid, centre, (size, size, 3.0))
        blend(head.values[rows], share * np.float32(rng.uniform(0.3, 0.9)), HOUNSFIELD.calcium)


def _as_scanned(rng: Generator, values: Array, noise: float) -> Array:
    """Return `values` blurred as a soft kernel does, with noise of standard deviation `noise`, a little smooth too."""
    blurred = ndimage.gaussian_filter(values, (0, 0.55, 0.55), truncate=3)
    grain = ndimage.gaussian_filter(rng.standard_normal(values.shape, dtype=np.float32), (0, 0.6, 0.6), truncate=3)
    return np.asarray(blurred + grain * np.float32(noise / grain.std()), dtype=np.float32)
