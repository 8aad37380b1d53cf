"""The pixels of one DICOM object as float32 in Hounsfield units or stored units, each frame by its own scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage, RLELossless

from inference.attributes import attribute
from inference.decoding import PARSING_FAILURES, DecodedPixels, gist
from inference.slice_planes import functional_group, numbers
from models.triage_spec import Unit
from triage.errors import UnsupportedPixels

AIR_HU = -1024.0
"""What a padded CT pixel becomes: padding lies outside the reconstructed circle, where there is air."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance. Source: PS3.3 C.7.6.3.1.2, YBR_FULL (ITU-R BT.601)."""

UNSPECIFIED = "US"
"""The Rescale Type that says nothing. Source: PS3.3 C.11.1.1.2."""

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)


COLOUR_DIFFERENCE = 48
"""Channels of a pixel that differ by more than this, of 255, are seen as colour; lossy grey stays well below."""


@dataclass(frozen=True, slots=True)
class FramePixels:
    """One frame: `values` float32, shape (rows, columns); `scale` is Rescale Type ("HU", "CPS", …), "" for none.

    `coloured` is the share of pixels that are seen as colour.
    """

    values: NDArray[np.float32]
    unit: Unit
    scale: str
    coloured: float = 0.0


@dataclass(frozen=True, slots=True)
class _Scale:
    slope: float
    intercept: float
    name: str


def frame_pixels(dataset: Dataset, pixels: DecodedPixels) -> tuple[FramePixels, ...]:
    """Return the frames of `dataset` after its modality transformation; colour ultrasound becomes luminance.

    Padded pixels become air in HU and the lowest real value of their frame elsewhere. MONOCHROME1 images in stored
    units are inverted about the middle of their valid range, so that more is brighter; HU are never inverted, because
    there the photometric interpretation only says how to show them.

    Raises:
        UnsupportedPixels: the pixels are in colour and no ultrasound, or have no usable scale.
    """
    if not pixels.is_grey:
        return tuple(_colour_frame(array, dataset, pixels.photometric) for array in pixels.array)
    if pixels.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        uid = dataset.SOPInstanceUID
        raise UnsupportedPixels(f"{uid}: {pixels.photometric} with one sample, needed MONOCHROME1 or MONOCHROME2")
    inverted = pixels.photometric == "MONOCHROME1"
    return tuple(_grey_frame(array, dataset, index, inverted) for index, array in enumerate(pixels.array))


def _grey_frame(array: NDArray[Any], dataset: Dataset, index: int, inverted: bool) -> FramePixels:
    stored = _without_unused_bits(array, dataset) if array.dtype.kind in "iu" else array
    scale = _scale_of(dataset, index)
    unit: Unit = "HU" if scale and scale.name == "HU" and attribute(dataset, "SOPClassUID") in CT_CLASSES else "stored"
    if "ModalityLUTSequence" in dataset:
        values, (low, high) = _looked_up(stored, dataset)
    else:
        slope, intercept = (scale.slope, scale.intercept) if scale else (1.0, 0.0)
        values = _scaled(stored, slope, intercept)
        low, high = (end * slope + intercept for end in _valid_range(stored, dataset))
    if inverted and unit == "stored":
        values = np.float32(low + high) - values
    padded = _padding(array, stored, dataset)
    if padded is not None and padded.any():
        values[padded] = AIR_HU if unit == "HU" else _lowest(values[~padded])
    return FramePixels(values, unit, scale.name if scale else "")


def _lowest(values: NDArray[np.float32]) -> float:
    return float(values.min()) if values.size else 0.0


def _without_unused_bits(array: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Return `array` with only the bits that hold the value, its sign extended; the others may hold anything.

    Source: PS3.5 section 8.1.1. Old objects kept overlays in them. Decoders of encapsulated data put the value into
    the lowest bits, wherever High Bit says that it was.
    """
    width = 8 * array.dtype.itemsize
    bits_stored = min(int(attribute(dataset, "BitsStored")), width)
    syntax = dataset.file_meta.TransferSyntaxUID
    lowest_bits = syntax.is_encapsulated and syntax != RLELossless
    high_bit = bits_stored - 1 if lowest_bits else min(int(attribute(dataset, "HighBit", bits_stored - 1)), width - 1)
    if bits_stored == width or high_bit < bits_stored - 1:
        return array
    shifted: NDArray[Any] = np.right_shift(np.left_shift(array, width - 1 - high_bit), width - bits_stored)
    return shifted


def _scaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[np.float32]:
    # float32 holds every 16-bit integer; longer ones are scaled before they are shortened.
    exact = np.dtype(np.float32 if stored.dtype.itemsize <= 2 else np.float64).type
    values = stored.astype(exact)
    values *= exact(slope)
    values += exact(intercept)
    return np.asarray(values, dtype=np.float32)


def _scale_of(dataset: Dataset, index: int) -> _Scale | None:
    """Return the rescale of one frame, None where there is none.

    On a CT object the absent Rescale Type means HU. Source: PS3.3 C.8.2.1, C.7.6.16.2.9.
    """
    frames_own = functional_group(dataset, "PixelValueTransformationSequence", index)
    for group in (frames_own, dataset) if frames_own else (dataset,):
        slope = numbers(group, "RescaleSlope", 1, dataset)
        intercept = numbers(group, "RescaleIntercept", 1, dataset)
        if slope and intercept:
            if slope[0] == 0:
                raise UnsupportedPixels(f"{dataset.SOPInstanceUID}: Rescale Slope 0, needed another number")
            name = str(
                attribute(group, "RescaleType") or ("HU" if attribute(dataset, "SOPClassUID") in CT_CLASSES else "")
            )
            return _Scale(slope[0], intercept[0], "" if name == UNSPECIFIED else name)
    return None


def _looked_up(stored: NDArray[Any], dataset: Dataset) -> tuple[NDArray[np.float32], tuple[float, float]]:
    try:
        values = apply_modality_lut(stored, dataset).astype(np.float32)
        bits = int(dataset.ModalityLUTSequence[0].LUTDescriptor[2])
    except PARSING_FAILURES as error:
        raise UnsupportedPixels(f"{dataset.SOPInstanceUID}: Modality LUT: {gist(error)}") from error
    return values, (0.0, 2.0**bits - 1)


def _valid_range(stored: NDArray[Any], dataset: Dataset) -> tuple[float, float]:
    """Return the lowest and the highest value that the stored bits can hold."""
    if stored.dtype.kind == "f":
        return float(stored.min()), float(stored.max())
    bits = int(attribute(dataset, "BitsStored"))
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if stored.dtype.kind == "i" else (0.0, 2.0**bits - 1)


def _padding(array: NDArray[Any], stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """Return where the scanner has padded the image, None where it does not say.

    The padding value may use bits that pixels do not, so it is sought in the pixels as they came; and scanners write
    it as unsigned for signed pixels (63536 for -2000), so it is wrapped into their type. Source: PS3.3 C.7.5.1.1.2.
    """
    first = attribute(dataset, "PixelPaddingValue")
    if not isinstance(first, int) or array.dtype.kind not in "iu":
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    ends = np.array([first, last if isinstance(last, int) else first], dtype=np.int64).astype(array.dtype)
    low, high = ends.min(), ends.max()
    if low == high:
        return np.asarray((array == low) | (stored == low))
    return np.asarray((stored >= low) & (stored <= high))


def _colour_frame(array: NDArray[Any], dataset: Dataset, photometric: str) -> FramePixels:
    """Return a colour ultrasound frame as grey from 0 to 255: its luminance, as a grey screen shows it."""
    uid = dataset.SOPInstanceUID
    if dataset.get("Modality") != "US":
        modality = dataset.get("Modality") or "absent"
        raise UnsupportedPixels(
            f"{uid}: colour pixels ({photometric}) of modality {modality}, only US is read in colour"
        )
    if photometric == "PALETTE COLOR":
        try:
            array = apply_color_lut(array, dataset)
        except PARSING_FAILURES as error:
            raise UnsupportedPixels(f"{uid}: palette: {gist(error)}") from error
        photometric = "RGB"
    if photometric != "RGB" or array.shape[-1] != 3:
        raise UnsupportedPixels(f"{uid}: colour pixels in {photometric}, needed what decodes to RGB")
    scaled = array.astype(np.float32) * np.float32(255 / np.iinfo(array.dtype).max)
    coloured = float((scaled.max(axis=-1) - scaled.min(axis=-1) > COLOUR_DIFFERENCE).mean())
    return FramePixels(np.asarray(scaled @ np.array(LUMINANCE, dtype=np.float32)), "stored", "", coloured)
