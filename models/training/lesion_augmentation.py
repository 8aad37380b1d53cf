"""Random changes of whole batches of planar images: geometry, exposure, gain, noise, sharpness, burned-in text."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Variation:
    """How far images of a modality are changed; shares of batches are probabilities per image.

    `turn` in radians, `zoom` and `stretch` as factors around 1, `shift` as share of half the side, `gamma` as exponent
    range around 1, `gain` (contrast) and `offset` on the scale 0 to 1, `speckle` multiplicative and `noise` additive
    standard deviations, `ramp` a change of gain across the image (depth gain of ultrasound, coil of MR, tilt of X-ray).
    """

    turn: float = 0.15
    zoom: tuple[float, float] = (0.85, 1.2)
    stretch: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.1
    mirrored: bool = True
    gamma: float = 0.35
    gain: float = 0.2
    offset: float = 0.08
    speckle: float = 0.0
    noise: float = 0.03
    ramp: float = 0.2
    blurred: float = 0.25
    text: float = 0.0


def varied(planes: Tensor, lesion: Tensor, how: Variation, random: Generator) -> tuple[Tensor, Tensor]:
    """Return planes (n, channels, rows, columns) and lesion (n, 1, rows, columns) as another device might give them.

    Both lie between 0 and 1; all channels of an image are changed alike, but for noise.
    """
    planes, lesion = _moved(planes, lesion, how, random)
    planes = _toned(planes, how, random)
    planes = _sharpness(planes, how, random)
    planes = _noisy(planes, how, random)
    return _written_on(planes.clamp(0, 1), how, random), lesion


def _moved(planes: Tensor, lesion: Tensor, how: Variation, random: Generator) -> tuple[Tensor, Tensor]:
    n = len(planes)
    angle = between(n, -how.turn, how.turn, random)
    zoom, stretch = between(n, *how.zoom, random), between(n, *how.stretch, random)
    flip = torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0) if how.mirrored else torch.ones(n)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = angle.cos() * zoom * stretch * flip, -angle.sin() * zoom
    matrix[:, 1, 0], matrix[:, 1, 1] = angle.sin() * zoom * stretch * flip, angle.cos() * zoom
    matrix[:, :, 2] = torch.stack([between(n, -how.shift, how.shift, random) for _ in range(2)], dim=1)
    both = torch.cat([planes, lesion], dim=1)
    grid = functional.affine_grid(matrix, list(both.shape), align_corners=False)
    moved = functional.grid_sample(both, grid, align_corners=False)
    return moved[:, :-1], moved[:, -1:]


def _toned(planes: Tensor, how: Variation, random: Generator) -> Tensor:
    n = len(planes)
    exponent = torch.exp(between(n, -how.gamma, how.gamma, random))[:, None, None, None]
    gain = 1 + between(n, -how.gain, how.gain, random)[:, None, None, None]
    offset = between(n, -how.offset, how.offset, random)[:, None, None, None]
    along = torch.linspace(-1, 1, planes.shape[2])[None, None, :, None]
    across = torch.linspace(-1, 1, planes.shape[3])[None, None, None, :]
    down, right = (between(n, -how.ramp, how.ramp, random)[:, None, None, None] for _ in range(2))
    ramp = 1 + down * along + right * across
    # Air stays black: an offset there would only teach the network to look at the background.
    return planes.clamp(min=1e-4).pow(exponent) * gain * ramp + offset * (planes > 0.02)


def _sharpness(planes: Tensor, how: Variation, random: Generator) -> Tensor:
    some = torch.rand(len(planes), generator=random) < how.blurred
    if not some.any():
        return planes
    smooth = functional.avg_pool2d(planes[some], 3, stride=1, padding=1, count_include_pad=False)
    blend = between(len(smooth), -0.7, 1.0, random)[:, None, None, None]
    planes = planes.clone()
    planes[some] = planes[some] + blend * (smooth - planes[some])
    return planes


def _noisy(planes: Tensor, how: Variation, random: Generator) -> Tensor:
    n = len(planes)
    if how.noise:
        planes = planes + torch.randn(planes.shape, generator=random) * _strengths(n, how.noise, random)
    if how.speckle:
        coarse = torch.randn((n, 1, planes.shape[2] // 2, planes.shape[3] // 2), generator=random)
        grain = functional.interpolate(coarse, size=planes.shape[2:], mode="bilinear", align_corners=False)
        planes = planes * (1 + grain * _strengths(n, how.speckle, random))
    return planes


def _written_on(planes: Tensor, how: Variation, random: Generator) -> Tensor:
    """Burn words and calipers into some images: what stands beside a lesion must not say what it is."""
    planes = planes.clone()
    for index in torch.nonzero(torch.rand(len(planes), generator=random) < how.text).flatten().tolist():
        seed = int(torch.randint(2**31, (1,), generator=random))
        drawn = torch.from_numpy(_words(planes.shape[2], planes.shape[3], np.random.default_rng(seed)))
        planes[index] = torch.maximum(planes[index], drawn[None])
    return planes


def _words(rows: int, columns: int, random: np.random.Generator) -> NDArray[np.float32]:
    image = Image.new("L", (columns, rows))
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(1, 4))):
        letters = "".join(random.choice(list("ABDEILMNORST0123456789 +"), int(random.integers(3, 12))))
        place = (int(random.integers(0, columns * 3 // 4)), int(random.integers(0, rows - 8)))
        pen.text(
            place,
            letters,
            fill=int(random.integers(120, 256)),
            font=ImageFont.load_default(float(random.integers(7, 13))),
        )
    for _ in range(int(random.integers(0, 5))):
        x, y, arm = int(random.integers(0, columns)), int(random.integers(0, rows)), int(random.integers(1, 4))
        pen.line((x - arm, y, x + arm, y), fill=230)
        pen.line((x, y - arm, x, y + arm), fill=230)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _strengths(n: int, highest: float, random: Generator) -> Tensor:
    return (torch.rand(n, generator=random) ** 2 * highest)[:, None, None, None]


def between(n: int, low: float, high: float, random: Generator) -> Tensor:
    """Return `n` numbers drawn evenly from `low` to `high`."""
    return torch.rand(n, generator=random) * (high - low) + low
