"""A synthetic breast as an ultrasound probe shows it: layers, ligaments, speckle, and what may lie in them.

A plane has shape (stills, rows, columns) and 0.1 mm cells; echo strengths are in dB below the brightest echo.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from dicom_gateway.simulator.head_anatomy import Array, blend, ramp, smooth_field
from dicom_gateway.simulator.phantoms import Phantom

ROWS, COLUMNS, CELL_MM = 400, 480, 0.1
DYNAMIC_RANGE_DB = 60.0
LOOKS = 3
"""Compound imaging averages so many views of the same plane, which softens the speckle."""

Place = tuple[float, float]


def us_breast(rng: Generator, lesion: bool) -> Phantom:
    """Return one to three breast ultrasound stills of 400 by 480, 0 to 255.

    From the skin down: skin, fat between ligaments, gland, pectoral muscle, sometimes a rib. With `lesion` each still
    shows a dark mass with an angular border, a bright halo and a shadow below it. Either may hold what is none: a
    simple cyst, black with a bright zone below it, or a lobule of fat.
    """
    shape = (int(rng.integers(1, 4)), ROWS, COLUMNS)
    across = (np.arange(COLUMNS, dtype=np.float32) - COLUMNS / 2)[None, None, :] + np.zeros(shape, dtype=np.float32)
    down = np.arange(ROWS, dtype=np.float32)[None, :, None] + 5 * smooth_field(rng, shape, (1.0, 60.0, 90.0))
    echo, depths = _layers(rng, across, down)
    centre = (float(rng.uniform(-110, 110)), float(rng.uniform(depths[0] + 50, depths[1] - 45)))
    mask = np.zeros(shape, dtype=np.bool_)
    beside: Place = (
        centre[0] + float(rng.choice((-1, 1))) * float(rng.uniform(150, 200)),
        float(rng.uniform(120, 240)),
    )
    if rng.random() < 0.4:
        _paint_cyst(rng, echo, across, down, beside if lesion else centre)
    if rng.random() < 0.5:
        _paint_fat_lobule(rng, echo, across, down)
    if lesion:
        mask = _paint_mass(rng, echo, across, down, centre)
    pixels = _displayed(rng, echo)
    return Phantom(pixels, (1.0, CELL_MM, CELL_MM), mask, lesion)


def _layers(rng: Generator, across: Array, down: Array) -> tuple[Array, tuple[float, float]]:
    """Return the echo of a sound breast in dB, and the depths in rows at which the gland begins and ends."""
    shape = across.shape
    gland_at, muscle_at = float(rng.uniform(75, 120)), float(rng.uniform(275, 320))
    skin_at, uneven = float(rng.uniform(14, 20)), 14 * smooth_field(rng, shape, (1.0, 40.0, 55.0))
    in_gland = ramp(down + uneven - gland_at, 16) * ramp(muscle_at - 16 - down, 14)
    in_muscle = ramp(down - muscle_at, 6)
    echo = np.full(shape, -33.0, dtype=np.float32) + 3 * smooth_field(rng, shape, (1.0, 14.0, 24.0))
    lobes = smooth_field(rng, shape, (1.0, 16.0, 30.0)) + np.float32(0.3) * smooth_field(rng, shape, (1.0, 5.0, 9.0))
    gland = -19 + 4 * lobes + 3 * smooth_field(rng, shape, (1.0, 4.0, 12.0))
    blend(echo, in_gland, np.asarray(gland, dtype=np.float32))
    # Cooper's ligaments run between the lobules of fat and lose themselves in the gland.
    net, strength = (smooth_field(rng, shape, (1.0, 30.0, 46.0)) for _ in range(2))
    echo += 9 * ramp(0.1 - np.abs(net), 0.24) * np.clip(strength, 0, 1) * (1 - 0.8 * in_gland - in_muscle)
    echo -= 4 * ramp(0.14 - np.abs(lobes + 0.9), 0.4) * in_gland
    fibres = np.abs(smooth_field(rng, shape, (1.0, 3.6, 60.0)))
    blend(echo, in_muscle, np.asarray(-32 + 8 * ramp(0.3 - fibres, 0.6), dtype=np.float32))
    echo += 18 * ramp(2.2 - np.abs(down - muscle_at), 3) + 12 * ramp(1.6 - np.abs(down - muscle_at - 46), 3)
    skin = 16 * ramp(3.0 - np.abs(down - 4), 3) + 14 * ramp(2.4 - np.abs(down - skin_at), 3)
    blend(echo, ramp(skin_at - down, 3), -24.0)
    echo += skin
    if rng.random() < 0.35:
        _paint_rib(echo, across, down, float(rng.uniform(-190, 190)), muscle_at + 52)
    return np.asarray(echo - 8 * down / ROWS, dtype=np.float32), (gland_at, muscle_at)


def _paint_rib(echo: Array, across: Array, down: Array, place: float, top: float) -> None:
    """Paint a rib's surface, bright where the beam meets it, with nothing to be seen below."""
    surface = top + 14 * ((across - place) / 62) ** 2
    over = ramp(62 - np.abs(across - place), 14)
    echo -= 26 * over * ramp(down - surface, 10)
    echo += 24 * over * ramp(2.5 - np.abs(down - surface), 3)


def _paint_cyst(rng: Generator, echo: Array, across: Array, down: Array, centre: Place) -> None:
    """Paint a simple cyst: round, sharp, without an echo, brighter tissue below, as fluid takes little sound away."""
    wide = float(rng.uniform(24, 62))
    radius = np.hypot((across - centre[0]) / wide, (down - centre[1]) / (wide * float(rng.uniform(0.6, 0.85))))
    echo += 8 * ramp(wide * 0.8 - np.abs(across - centre[0]), 14) * ramp(down - centre[1], 20) * (radius > 1)
    echo += 9 * ramp(0.035 - np.abs(radius - 1.02), 0.04)
    blend(echo, ramp((1 - radius) * wide, 2), -72.0)


def _paint_fat_lobule(rng: Generator, echo: Array, across: Array, down: Array) -> None:
    """Paint an island of fat in the gland: grey as the fat above it, smooth, with a thin bright rim and no shadow."""
    centre = (float(rng.uniform(-200, 200)), float(rng.uniform(130, 230)))
    radius = np.hypot(
        (across - centre[0]) / float(rng.uniform(45, 90)), (down - centre[1]) / float(rng.uniform(16, 28))
    )
    blend(echo, ramp((1 - radius) * 20, 3), np.float32(-34.0) + 2 * smooth_field(rng, echo.shape, (1.0, 10.0, 16.0)))
    echo += 8 * ramp(0.06 - np.abs(radius - 1), 0.08)


def _paint_mass(rng: Generator, echo: Array, across: Array, down: Array, centre: Place) -> NDArray[np.bool_]:
    """Paint a suspicious mass through which each still cuts a little differently, and return its pixels."""
    wide, tall = float(rng.uniform(45, 78)), float(rng.uniform(38, 64))
    cuts = rng.uniform(0.82, 1.05, size=(len(echo), 1, 1)).astype(np.float32)
    x, y = across - centre[0] - 12 * (1 - cuts), down - centre[1]
    angle = np.arctan2(y / tall, x / wide)
    lobed = sum(float(rng.uniform(0, 0.1)) * np.cos(count * angle + float(rng.uniform(0, 6.3))) for count in (2, 3, 5))
    uneven = (
        1 + lobed + np.float32(0.07) * sum(smooth_field(rng, echo.shape, (1.0, size, size)) for size in (6.0, 20.0))
    )
    radius = np.asarray(np.hypot(x / (wide * cuts), y / (tall * cuts)) / uneven, dtype=np.float32)
    streaks = 1 + np.float32(0.3) * smooth_field(rng, echo.shape, (1.0, 400.0, 9.0))
    below = ramp(wide * 0.75 - np.abs(x), 26) * ramp(y, tall)
    echo -= float(rng.uniform(9, 17)) * below * streaks * (0.5 + 0.5 * ramp(260 - y, 200))
    echo += 7 * ramp(0.12 - np.abs(radius - 1.1), 0.16)
    inside = -45 + 3 * smooth_field(rng, echo.shape, (1.0, 7.0, 12.0)) + 3 * ramp(-y, tall)
    blend(echo, ramp((1 - radius) * tall, 7), np.asarray(inside, dtype=np.float32))
    if rng.random() < 0.4:
        dots = smooth_field(rng, echo.shape, (1.0, 2.2, 2.2)) > 2.6
        echo += 22 * ndimage.gaussian_filter((dots & (radius < 0.8)).astype(np.float32), (0, 0.8, 0.8))
    return np.asarray(radius < 1, dtype=np.bool_)


def _displayed(rng: Generator, echo: Array) -> Array:
    """Return echo strengths as a device shows them: compounded speckle, logarithmic grey levels, 0 to 255.

    The speckle of one look has Rayleigh statistics and grows coarser across than along the beam.
    """
    power = np.zeros(echo.shape, dtype=np.float32)
    for _ in range(LOOKS):
        for _ in range(2):
            part = ndimage.gaussian_filter(rng.standard_normal(echo.shape, dtype=np.float32), (0, 1.2, 2.4))
            power += part * part / part.var()
    speckle_db = 10 * np.log10(np.maximum(power / (2 * LOOKS), np.float32(0.03)))
    shown = (echo + speckle_db + DYNAMIC_RANGE_DB) * np.float32(255 / DYNAMIC_RANGE_DB)
    shown = ndimage.gaussian_filter(shown, (0, 0.6, 0.6)) + 2 * rng.standard_normal(echo.shape, dtype=np.float32)
    return np.asarray(np.clip(shown, 0, 255), dtype=np.float32)
