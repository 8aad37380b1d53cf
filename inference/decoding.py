"""Encoded pixel data become arrays: which decoder takes which transfer syntax, and the same error from all of them."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from inference.attributes import attribute
from triage.errors import UnsupportedPixels

SPECTRAL_SELECTION = "1.2.840.10008.1.2.4.53"
FULL_PROGRESSION = "1.2.840.10008.1.2.4.55"
"""JPEG processes 6 and 8, and 10 and 12; retired. Source: PS3.6 table A-1."""

GDCM_ALONE = (JPEGLossless, JPEGLosslessSV1, SPECTRAL_SELECTION, FULL_PROGRESSION)

PLUGINS: Mapping[str, str] = {
    JPEG2000: "pylibjpeg",
    JPEG2000Lossless: "pylibjpeg",
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    RLELossless: "pydicom",
}
"""One decoder for each transfer syntax, so that the same bytes give the same pixels on every installation."""

NATIVE_KINDS: Mapping[tuple[int, int], str] = {(8, 0): "<u1", (8, 1): "<i1", (16, 0): "<u2", (16, 1): "<i2"}
"""Bits Allocated and Pixel Representation as numpy says it."""

AS_THEY_CAME: dict[str, Any] = {"correct_unused_bits": False}
"""pydicom clears the bits above Bits Stored as if High Bit were always the next lower one; we do it ourselves."""

PARSING_FAILURES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom and the decoders behind it raise for damaged or unknown data; they document no single class."""


@dataclass(frozen=True, slots=True)
class DecodedPixels:
    """All frames of one object, shape (frames, rows, columns) or (frames, rows, columns, 3), and what they are now."""

    array: NDArray[Any]
    photometric: str

    @property
    def is_grey(self) -> bool:
        return self.array.ndim == 3 and self.photometric != "PALETTE COLOR"


def can_kill_the_process(dataset: FileDataset) -> bool:
    """Return whether decoding needs GDCM, whose JPEG codec ends the process on some damaged files.

    It throws a C++ exception that nobody catches (GDCM 3.2.6, gdcmJPEGBITSCodec.hxx 782: "An invalid logic behavior
    occurred"); 1 of about 20 randomly damaged files did. Such data are decoded in `inference.decoder_process`.
    """
    return dataset.file_meta.TransferSyntaxUID in GDCM_ALONE or _has_twelve_bits(dataset)


def decoded(dataset: FileDataset) -> DecodedPixels:
    """Return the pixels of `dataset`, YBR converted to RGB.

    Raises:
        UnsupportedPixels: there are none, they are damaged, or no decoder knows their transfer syntax.
    """
    uid, syntax = dataset.SOPInstanceUID, dataset.file_meta.TransferSyntaxUID
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnsupportedPixels(f"{uid}: no pixel data")
    try:
        if _has_twelve_bits(dataset) or syntax in (SPECTRAL_SELECTION, FULL_PROGRESSION):
            return DecodedPixels(_read_by_gdcm(dataset), str(dataset.PhotometricInterpretation))
        if (plain := _plainly_stored(dataset)) is not None:
            return plain
        plugin = PLUGINS.get(syntax, "")
        array, properties = get_decoder(syntax).as_array(dataset, decoding_plugin=plugin, **AS_THEY_CAME)
        frames = array if int(properties["number_of_frames"]) > 1 else array[np.newaxis]
        return DecodedPixels(frames, str(properties["photometric_interpretation"]))
    except PARSING_FAILURES as error:
        raise UnsupportedPixels(f"{uid}: {syntax.name}: pixel data cannot be decoded: {gist(error)}") from error


def gist(error: Exception) -> str:
    """Return the first lines of a decoder's message, which otherwise runs over many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:200] or type(error).__name__


def _plainly_stored(dataset: FileDataset) -> DecodedPixels | None:
    """Return grey pixels that stand in the file as they are, None where pydicom must have a closer look.

    pydicom takes 0.3 ms to find out that there is nothing to decode, a quarter of what reading a CT slice cost.
    """
    if dataset.file_meta.TransferSyntaxUID not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        return None
    bits, stored, sign = (attribute(dataset, name) for name in ("BitsAllocated", "BitsStored", "PixelRepresentation"))
    photometric, samples = (attribute(dataset, name) for name in ("PhotometricInterpretation", "SamplesPerPixel"))
    shape = tuple(attribute(dataset, name, 1) for name in ("NumberOfFrames", "Rows", "Columns"))
    content = dataset.get("PixelData")
    if not all(isinstance(size, int) and size > 0 for size in (bits, stored, *shape)) or not isinstance(content, bytes):
        return None
    pixels, kind = prod(shape), NATIVE_KINDS.get((bits, sign))
    if kind is None or stored > bits or samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return None
    # Data of an odd length are followed by one byte that says nothing.
    if len(content) != (pixels * bits // 8 + 1) // 2 * 2:
        return None
    return DecodedPixels(np.frombuffer(content, kind, pixels).reshape(shape), photometric)


def _has_twelve_bits(dataset: FileDataset) -> bool:
    return bool(dataset.file_meta.TransferSyntaxUID == JPEGExtended12Bit and dataset.get("BitsStored", 8) > 8)


def _read_by_gdcm(dataset: FileDataset) -> NDArray[Any]:
    """Return lossy grey JPEG of 12 bits, which pydicom 3.0 leaves undecoded, from the file of `dataset`.

    GDCM 3.2.6 gave the same bits as DCMTK's dcmdjpeg on eight real files of the three transfer syntaxes.
    """
    reader = gdcm.ImageReader()
    reader.SetFileName(str(dataset.filename))
    if dataset.SamplesPerPixel != 1 or not reader.Read():
        raise ValueError("GDCM cannot read it, or it is in colour")
    buffer = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    shape = (int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows), int(dataset.Columns))
    kind = np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{int(dataset.BitsAllocated) // 8}")
    return np.frombuffer(buffer, kind).reshape(shape)
