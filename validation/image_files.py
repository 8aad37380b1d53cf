"""The pixels of an image file that is not DICOM."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from triage.errors import InvalidDataset
from validation.labelled_images import LabelledImage


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image as stored: `pixels` uint8 or uint16, shape (rows, columns); `lossy_ratio` is None for exact files.

    `lossy_ratio` is the size of the pixels over the size of the file.
    """

    pixels: NDArray[Any]
    lossy_ratio: float | None


def read_image(image: LabelledImage) -> StoredImage:
    """Return the pixels of a grey image; colours become luminance.

    Raises:
        InvalidDataset: the file is no image, or its pixels are neither of 8 nor of 16 bits.
    """
    try:
        with Image.open(image.path) as opened:
            grey = opened if opened.mode.startswith("I") else opened.convert("L")
            pixels = np.asarray(grey)
            lossy = opened.format in ("JPEG", "WEBP")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise InvalidDataset(f"{image.name}: cannot be decoded ({type(error).__name__}), needed an image") from error
    if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() < 2**16:
        # Pillow opens some 16-bit PNG as 32-bit integers.
        pixels = pixels.astype(np.uint16)
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidDataset(f"{image.name}: {pixels.dtype} pixels of shape {pixels.shape}, needed 8 or 16 bits, grey")
    return StoredImage(pixels, pixels.nbytes / image.path.stat().st_size if lossy else None)
