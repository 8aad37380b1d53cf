"""What can befall an image on its way, in degrees: noise, blur, motion, another window, compression, words."""

import hashlib
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from validation.answers import PixelChange
from validation.labelled_images import LabelledImage

Pixels = NDArray[Any]
"""As stored: uint8 or uint16, shape (rows, columns)."""

Values = NDArray[np.float64]
"""From 0, black, to 1, the highest value of the image's type (uint8) or of the image (uint16)."""

Alteration = Callable[[Values, float, np.random.Generator], Values]

WORDS = "ACUITY TEST 01-01-1970 12:34 R"


def noise(values: Values, dose: float, random: np.random.Generator, at_full_dose: float) -> Values:
    """Return the image as at a share of the dose: quantum noise grows with one over the root of the dose.

    White noise of the variance that is missing is added; `at_full_dose` is its standard deviation now.
    """
    return values + random.normal(0, at_full_dose * np.sqrt(1 / dose - 1), values.shape)


def _blur(values: Values, pixels: float, _random: np.random.Generator) -> Values:
    return np.asarray(ndimage.gaussian_filter(values, pixels))


def _sharpen(values: Values, amount: float, _random: np.random.Generator) -> Values:
    return np.asarray(values + amount * (values - ndimage.gaussian_filter(values, 1.0)))


def _motion(values: Values, pixels: float, _random: np.random.Generator) -> Values:
    return np.asarray(ndimage.uniform_filter1d(values, max(1, round(pixels)), axis=1, mode="nearest"))


def _gamma(values: Values, exponent: float, _random: np.random.Generator) -> Values:
    return np.asarray(np.clip(values, 0, 1) ** exponent)


def _contrast(values: Values, factor: float, _random: np.random.Generator) -> Values:
    return np.asarray(values.mean() + factor * (values - values.mean()))


def _resample(values: Values, factor: float, _random: np.random.Generator) -> Values:
    rows, columns = values.shape
    image = Image.fromarray(values.astype(np.float32))
    small = image.resize((max(1, round(columns * factor)), max(1, round(rows * factor))), Image.Resampling.BOX)
    return np.asarray(small.resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float64)


def _jpeg(values: Values, quality: float, _random: np.random.Generator) -> Values:
    written = io.BytesIO()
    Image.fromarray(np.clip(np.round(values * 255), 0, 255).astype(np.uint8)).save(
        written, "JPEG", quality=int(quality)
    )
    return np.asarray(Image.open(written), dtype=np.float64) / 255


def _crop(values: Values, share: float, _random: np.random.Generator) -> Values:
    """Black out a share of each side: the matrix, and with it the size of a pixel, stays."""
    rows, columns = (round(size * share) for size in values.shape)
    kept = np.zeros_like(values)
    inside = (slice(rows, values.shape[0] - rows), slice(columns, values.shape[1] - columns))
    kept[inside] = values[inside]
    return kept


def _text(values: Values, lines: float, _random: np.random.Generator) -> Values:
    image = Image.fromarray(values.astype(np.float32))
    height = max(8, values.shape[0] // 24)
    for line in range(int(lines)):
        ImageDraw.Draw(image).text((4, 4 + line * (height + 4)), WORDS, fill=1.0, font_size=height)
    return np.asarray(image, dtype=np.float64)


def _turned(values: Values, degrees: float, _random: np.random.Generator) -> Values:
    return np.rot90(values, round(degrees / 90))


def _mirrored(values: Values, axis: float, _random: np.random.Generator) -> Values:
    return np.flip(values, int(axis))


ALTERATIONS: dict[str, Alteration] = {
    "blur": _blur,
    "sharpen": _sharpen,
    "motion": _motion,
    "gamma": _gamma,
    "contrast": _contrast,
    "resample": _resample,
    "jpeg": _jpeg,
    "crop": _crop,
    "text": _text,
    "turned": _turned,
    "mirrored": _mirrored,
}
ORIENTATION = ("turned", "mirrored")
"""Not a decline of quality: another question is asked, and a refusal is the best answer."""

KINDS = {
    "noise": "share of the dose",
    "blur": "standard deviation in pixels",
    "sharpen": "share of detail added",
    "motion": "length in pixels",
    "gamma": "exponent",
    "contrast": "factor around the mean",
    "resample": "share of the pixels along each side",
    "jpeg": "quality",
    "crop": "share blacked out on each side",
    "text": "lines",
    "turned": "degrees",
    "mirrored": "axis: 0 upside down, 1 left for right",
}
"""Every kind with what its severity means."""


def alteration(kind: str, severity: float, seed: int, noise_at_full_dose: float) -> PixelChange:
    """Return the function that alters an image; the same image, kind, severity and seed give the same pixels.

    `noise_at_full_dose` in units of stored values.
    """

    return partial(_altered, kind, severity, seed, noise_at_full_dose)


def _altered(
    kind: str, severity: float, seed: int, noise_at_full_dose: float, image: LabelledImage, pixels: Pixels
) -> Pixels:
    scale = 255.0 if pixels.dtype == np.uint8 else float(max(1, pixels.max()))
    name = hashlib.sha256(f"{kind} {severity} {seed} {image.sha256}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(name[:8]))
    values = pixels.astype(np.float64) / scale
    if kind == "noise":
        altered = noise(values, severity, random, noise_at_full_dose / scale)
    else:
        altered = ALTERATIONS[kind](values, severity, random)
    return np.clip(np.round(altered * scale), 0, scale).astype(pixels.dtype)
