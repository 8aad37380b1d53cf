"""A synthetic chest as a radiograph shows it: how much tissue X-rays crossed, so that everything lies over everything.

Coordinates are millimetres from the middle of the image: x to the patient's left, which is on the viewer's right, and
y downwards. Amounts are thickness of water that stops as much, in cm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from dicom_gateway.simulator.head_anatomy import Array, ramp, smooth_field
from dicom_gateway.simulator.phantoms import Phantom

SIZE, CELL_MM = 512, 0.8
WHITE, SHOULDER_CM, MARKER_CM = 3900.0, 14.0, 26.0
"""The curve from amounts to grey is a film's: it grows towards `WHITE` by 63 % of the rest for each `SHOULDER_CM`."""


@dataclass(frozen=True, slots=True)
class Chest:
    """Where every pixel lies, and how much of the way through the body is lung there, 0 to 1."""

    x: Array
    y: Array
    lungs: Array
    width: float


def dx_chest(rng: Generator, lesion: bool) -> Phantom:
    """Return one frontal chest radiograph of 512 by 512, 12 bits, bright where X-rays were stopped.

    With `lesion` one lung has a patchy opacity. Either may show what is none: breasts, nipples, a calcified nodule.
    """
    line = ((np.arange(SIZE) - (SIZE - 1) / 2) * CELL_MM).astype(np.float32)
    x, y = (np.ascontiguousarray(one, dtype=np.float32) for one in np.meshgrid(line, line))
    turn = float(np.radians(rng.uniform(-2, 2)))
    x, y = x + np.float32(turn) * y - np.float32(rng.uniform(-5, 5)), y - np.float32(turn) * x
    chest = Chest(x, y, *_lungs(rng, x, y))
    amount = _soft_tissue(rng, chest) - 15.5 * chest.lungs
    amount += _heart(rng, chest) + _vessels(rng, chest) + _bones(rng, chest) + _overlays(rng, chest)
    mask = np.zeros(x.shape, dtype=np.bool_)
    if lesion:
        opacity = _opacity(rng, chest)
        amount += opacity
        mask = opacity > 2.0
    np.maximum(amount, _marker(), out=amount)
    image = ndimage.gaussian_filter(WHITE * (1 - np.exp(-np.maximum(amount, 0) / SHOULDER_CM)), 0.7)
    grain = 16 + 10 * np.clip(image / 3000, 0, 1)
    image += grain * ndimage.gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), 0.5) * 2
    pixels = np.clip(image, 0, WHITE)[None].astype(np.float32)
    return Phantom(pixels, (1.0, CELL_MM, CELL_MM), mask[None], lesion)


def _lungs(rng: Generator, x: Array, y: Array) -> tuple[Array, float]:
    """Return the share of lung on the way through the body, and the half width of the chest's cage in mm."""
    width, top, floor = float(rng.uniform(122, 138)), float(rng.uniform(-150, -138)), float(rng.uniform(84, 108))
    share = np.zeros(x.shape, dtype=np.float32)
    height = (y - top) / (floor - top)
    for side in (-1, 1):
        out = side * x
        outer = width * np.sqrt(1 - (1 - np.clip(height * 1.5, 0, 1)) ** 2) * (0.94 + 0.06 * np.clip(height, 0, 1))
        inner = 20 + 9 * np.clip(height, 0, 1) ** 2
        dome = floor + (8 if side > 0 else 0) - 34 * np.clip(1 - ((out - 66) / 66) ** 2, 0, 1) + 10
        across = np.clip((out - inner) / np.maximum(outer - inner, 1), 0, 1)
        depth = (4 * across * (1 - across)) ** np.float32(0.38)
        part = depth * ramp(dome - y, 5) * ramp(y - top, 12)
        np.maximum(share, np.asarray(part, dtype=np.float32), out=share)
    return ndimage.gaussian_filter(share, 1.2), width


def _soft_tissue(rng: Generator, chest: Chest) -> Array:
    """Return the body: neck, shoulders, trunk; the mediastinum with the airway; belly with the stomach's air."""
    x, y = chest.x, chest.y
    waves = smooth_field(rng, (1, *x.shape), (1.0, 60.0, 60.0))[0]
    shoulders = 58 + 150 * np.clip((y + 190) / 42, 0, 1) ** np.float32(0.6)
    half = shoulders - 34 * np.clip((y + 130) / 110, 0, 1) + 8 * np.clip((y - 80) / 100, 0, 1) + 3 * waves
    inside = np.clip(1 - np.abs(x) / half, 0, 1)
    body = 17.5 * np.minimum(1, (inside * 3.2)) ** np.float32(0.5) + np.float32(0.5) * waves * (inside > 0)
    body *= 0.72 + 0.28 * np.clip((y + 190) / 110, 0, 1)
    body += 4.5 * ramp(y - 92, 60) * np.clip(inside * 3, 0, 1)
    middle = 3.2 * ramp(27 + 3 * waves - np.abs(x), 16) * ramp(y + 172, 60)
    sway = x - 2.5 * np.sin(y / 60)
    airway = ramp(7.5 - np.abs(sway), 4) * ramp(-58 - y, 8)
    for side, slope in ((-1, 1.15), (1, 1.5)):
        out = side * (x - 1)
        branch = ramp(5.0 - np.abs(out - (y + 62) * slope) * 0.7, 3) * ramp(out, 4) * ramp(34 - out, 8) * (y > -66)
        airway = np.maximum(airway, branch)
    stomach = np.hypot(
        (x - float(rng.uniform(50, 70))) / float(rng.uniform(24, 38)), (y - 128) / float(rng.uniform(9, 17))
    )
    return np.asarray(body + middle - 3.0 * airway - 5.5 * ramp((1 - stomach) * 20, 6), dtype=np.float32)


def _heart(rng: Generator, chest: Chest) -> Array:
    """Return what heart, aorta and the roots of the lungs add where lung would be."""
    x, y = chest.x, chest.y
    size = float(rng.uniform(0.88, 1.08))
    ventricle = np.hypot((x - 34 * size - 0.3 * (y - 48)) / (44 * size), (y - 46) / (52 * size))
    atrium = np.hypot((x + 12) / (25 * size), (y - 42) / (44 * size))
    trunk = np.hypot((x - 22) / 20, (y + 24) / 32)
    arch = np.hypot((x - 20) / 20, (y + 72) / 19)
    added = np.zeros(x.shape, dtype=np.float32)
    for radius, thick, edge in ((ventricle, 13.5, 9), (atrium, 11.0, 9), (trunk, 8.0, 8), (arch, 8.5, 6)):
        bulge = np.sqrt(np.clip(1 - np.minimum(radius, 1) ** 2, 0, 1))
        part = thick * np.maximum(bulge, np.float32(0.45)) * ramp((1 - radius) * 30, edge)
        np.maximum(added, np.asarray(part, dtype=np.float32), out=added)
    return np.asarray(added * (0.25 + 0.75 * np.clip(chest.lungs * 1.6, 0, 1)), dtype=np.float32)


def _vessels(rng: Generator, chest: Chest) -> Array:
    """Return the vessels of the lungs, branching from the roots and thinner outwards, and a mesh of the small ones."""
    canvas = Image.new("F", (SIZE * 2, SIZE * 2))
    pen = ImageDraw.Draw(canvas)
    for side in (-1, 1):
        root = (side * float(rng.uniform(36, 42)), -14.0 - 8 * side)
        for angle in np.linspace(-1.35, 1.45, 11):
            _branch(rng, pen, root, side, float(angle + rng.normal(0, 0.1)), float(rng.uniform(3.4, 5.2)), 0)
    drawn = np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), dtype=np.float32)
    mesh = (
        smooth_field(rng, (1, SIZE, SIZE), (1.0, 3.0, 3.0))[0] + smooth_field(rng, (1, SIZE, SIZE), (1.0, 9.0, 9.0))[0]
    )
    roots = [np.hypot((chest.x - side * 36) / 15, (chest.y + 8 + 8 * side) / 26) for side in (-1, 1)]
    hila = sum(ramp((1 - radius) * 12, 14) for radius in roots)
    return np.asarray((ndimage.gaussian_filter(drawn, 0.8) + 2.4 * hila + 0.3 * mesh) * chest.lungs, dtype=np.float32)


def _branch(
    rng: Generator,
    pen: ImageDraw.ImageDraw,
    start: tuple[float, float],
    side: int,
    angle: float,
    width: float,
    order: int,
) -> None:
    """Draw one vessel from `start` outwards, and the two that it divides into."""
    x, y = start
    for _ in range(int(rng.integers(3, 6))):
        step = 8.5 - 1.5 * order
        end = (x + side * step * float(np.cos(angle)), y + step * float(np.sin(angle)))
        ends = [(SIZE - 1) + 2 * value / CELL_MM for value in (x, y, *end)]
        pen.line(ends, fill=0.55 * width, width=max(1, round(2 * width / CELL_MM / 1.6)))
        (x, y), width, angle = end, width * 0.88, angle + float(rng.normal(0, 0.09))
    if order < 3:
        for turn in (-0.42, 0.36):
            _branch(rng, pen, (x, y), side, angle + turn * float(rng.uniform(0.6, 1.3)), width * 0.78, order + 1)


def _bones(rng: Generator, chest: Chest) -> Array:
    """Return what spine, ribs, clavicles and shoulder blades add."""
    x, y, out = chest.x, chest.y, np.abs(chest.x)
    added = np.zeros(x.shape, dtype=np.float32)
    cage = chest.width * np.sqrt(1 - (1 - np.clip((y + 152) / 165, 0.01, 1)) ** 2) + 3
    reach = np.clip(out / cage, 0, 1)
    first, gap = float(rng.uniform(-141, -134)), float(rng.uniform(22.5, 25))
    for number in range(11):
        start = first + gap * number * (0.86 + 0.014 * number)
        back = start - 7 * np.sin(np.pi * reach) + (15 + 3.0 * number) * reach**3
        np.maximum(added, 1.9 * _tube(y - back, 4.9) * ramp(out - 16, 5) * ramp(cage - out, 5), out=added)
        if number < 8:
            front = start + (46 + 3.0 * number) - (31 + 3 * number) * (reach - 0.15) + 6 * (1 - reach) ** 2
            seen = ramp(out - (46 + 4 * number), 24) * ramp(cage - out, 5)
            np.maximum(added, 1.25 * _tube(y - front, 5.6) * seen, out=added)
    collar = y + 128 - 17 * np.clip(out / 100, 0, 1.6) ** 0.7 + 5 * np.sin(out / 26)
    clavicle = 2.4 * _tube(collar, 6.2) * ramp(out - 14, 5) * ramp(152 - out, 8)
    blade = ramp(out - (126 + 0.16 * (y + 60)), 3) * ramp(172 - out, 14) * ramp(y + 128, 10) * ramp(12 - y, 30)
    bodies = 1 + np.float32(0.16) * np.sign(np.sin(2 * np.pi * y / 23)) * (np.abs(np.sin(2 * np.pi * y / 23)) > 0.25)
    spine = 3.1 * ramp(17 - out, 5) * bodies + 0.9 * ramp(3.4 - np.abs(out - 11), 3)
    return np.asarray(np.maximum(added, clavicle) + 1.3 * blade + spine, dtype=np.float32)


def _tube(distance: Array | NDArray[np.float64], radius: float) -> Array:
    """Return the shadow of a bone that is dense at its surface: two edges and a lighter middle."""
    across = np.abs(distance) / radius
    rim = np.exp(-(((across - 0.85) / 0.22) ** 2))
    return np.asarray(0.62 * ramp((1 - across) * radius, 1.2) + 0.38 * rim, dtype=np.float32)


def _overlays(rng: Generator, chest: Chest) -> Array:
    """Return what lies over the lungs and is no opacity: breasts, nipples, a small calcified nodule."""
    x, y = chest.x, chest.y
    added = np.zeros(x.shape, dtype=np.float32)
    has_breasts, has_nipples = bool(rng.random() < 0.45), bool(rng.random() < 0.35)
    low, size = float(rng.uniform(48, 74)), float(rng.uniform(0.85, 1.15))
    for side in (-1, 1):
        radius = np.hypot((side * x - 74) / (56 * size), (y - low) / (50 * size))
        fold = np.sqrt(np.clip(1 - np.minimum(radius, 1) ** 2, 0, 1)) * (0.3 + 0.7 * ramp(y - low + 16, 44))
        added += float(rng.uniform(2.0, 3.2)) * has_breasts * np.asarray(fold, dtype=np.float32)
        nipple = np.hypot(side * x - 80 * size, y - low - 12)
        added += 1.6 * has_nipples * ramp(4.5 - nipple, 3)
    if rng.random() < 0.3:
        place = (float(rng.choice((-1, 1))) * float(rng.uniform(55, 105)), float(rng.uniform(-90, 50)))
        added += 4.5 * ramp(float(rng.uniform(1.8, 3.4)) - np.hypot(x - place[0], y - place[1]), 1.6)
    return added


def _opacity(rng: Generator, chest: Chest) -> Array:
    """Return what a patchy consolidation of one lung adds."""
    side = 1 if rng.random() < 0.5 else -1
    centre = (side * float(rng.uniform(58, 92)), float(rng.uniform(-75, 40)))
    wide, tall = float(rng.uniform(24, 40)), float(rng.uniform(26, 46))
    coarse = smooth_field(rng, (1, *chest.x.shape), (1.0, 14.0, 14.0))[0]
    fine = smooth_field(rng, (1, *chest.x.shape), (1.0, 5.0, 5.0))[0]
    radius = np.hypot((chest.x - centre[0]) / wide, (chest.y - centre[1]) / tall) + 0.2 * coarse + 0.08 * fine
    share = np.clip((1.3 - radius) / 0.75, 0, 1) * np.clip(chest.lungs * 1.3, 0, 1)
    return np.asarray(share * (float(rng.uniform(5.0, 7.5)) + 0.5 * coarse + 0.5 * fine), dtype=np.float32)


def _marker() -> Array:
    """Return the lead letter that says which side is which."""
    canvas = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(canvas).text((SIZE - 40, 24), "L", fill=255, font=ImageFont.load_default(28))
    return np.asarray(np.asarray(canvas) * (MARKER_CM * 0.85 / 255), dtype=np.float32)
