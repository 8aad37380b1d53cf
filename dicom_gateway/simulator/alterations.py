"""What happens to the images of a scanner that runs with another kernel, or writes its name into them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from dicom_gateway.simulator.phantoms import Phantom
from dicom_gateway.simulator.scanners import Scanner

SHARPENED_BY = 1.0
"""How much of what a Gaussian of one pixel takes away a sharper kernel gives back."""

WHITE_HU = 1500.0
LETTER_PIXELS, MARGIN_PIXELS = 18, 6


def altered(phantom: Phantom, scanner: Scanner) -> Phantom:
    """Return a CT phantom as `scanner` images it; the same where nothing about the scanner has changed."""
    pixels = phantom.pixels
    if scanner.is_sharp:
        pixels = pixels + SHARPENED_BY * (pixels - ndimage.gaussian_filter(pixels, (0, 1, 1)))
    if scanner.logo:
        pixels = np.where(_letters(scanner.logo, pixels.shape[1:]), np.float32(WHITE_HU), pixels)
    return phantom if pixels is phantom.pixels else replace(phantom, pixels=pixels.astype(np.float32))


def _letters(text: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of `text` in the upper left corner of an image of (rows, columns)."""
    canvas = Image.new("L", (shape[1], shape[0]))
    font = ImageFont.load_default(LETTER_PIXELS)
    ImageDraw.Draw(canvas).text((MARGIN_PIXELS, MARGIN_PIXELS), text, fill=255, font=font)
    return np.asarray(canvas) > 127
