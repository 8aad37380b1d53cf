"""What is written into the pixels: blanked where it is known to stand, refused where nobody knows."""

import struct
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from triage.errors import UnsupportedPixels

_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
_MAY_BE_WRITTEN_INTO = frozenset(("US", "IVUS", "OT", "ES", "XC", "GM", "OP", "SC"))
_UNREADABLE = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, RuntimeError, OSError,
    MemoryError, struct.error,
)  # fmt: skip
"""What pydicom and the decoders raise on pixels that make no sense."""
_TELLING_IMAGE_TYPES = frozenset(("SCREEN SAVE", "DOSE", "REPORT"))


def clean_pixels(image: Dataset) -> str:
    """Blank what is known to be written into the pixels, and return in words what was done.

    Ultrasound is kept inside its regions (0018,6011) alone; devices of burned_in.toml lose the areas that it names.

    Raises:
        UnsupportedPixels: there may be text in the pixels, and nobody knows where; or they cannot be decoded.
    """
    areas = _known_areas(image)
    regions = _regions(image)
    if not areas and not regions:
        if reason := _suspicion(image):
            raise UnsupportedPixels(f"{reason}, and neither regions (0018,6011) nor a known device say where")
        return "nothing is written into them, by their kind and by Burned In Annotation"
    pixels = _decoded(image)
    rows, columns = int(image.Rows), int(image.Columns)
    blank = np.zeros((rows, columns), dtype=bool)
    if regions:
        blank[:] = True
        for left, top, right, bottom in regions:
            blank[max(0, top) : bottom + 1, max(0, left) : right + 1] = False
    for x, y, width, height in areas:
        left, top = x if x >= 0 else columns + x, y if y >= 0 else rows + y
        blank[max(0, top) : top + height, max(0, left) : left + width] = True
    _fill(image, pixels, blank)
    image.BurnedInAnnotation = "NO"
    share = round(100 * float(blank.mean()))
    return f"{share} % blanked: outside {len(regions)} ultrasound regions, {len(areas)} areas of a known device"


def _suspicion(image: Dataset) -> str:
    declared = str(image.get("BurnedInAnnotation", "")).strip().upper()
    if declared == "YES":
        return "Burned In Annotation is YES"
    if declared == "NO":
        return ""
    modality = str(image.get("Modality", "")).strip().upper()
    if modality in _MAY_BE_WRITTEN_INTO or str(image.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURES):
        return f"images of modality {modality or 'none'} may have text in them, Burned In Annotation is not NO"
    kinds = " ".join(map(str, image.get("ImageType", []) or [])).upper()
    told = next((one for one in _TELLING_IMAGE_TYPES if one in kinds), "")
    return f"Image Type says {told}, Burned In Annotation is not NO" if told else ""


def _regions(image: Dataset) -> list[tuple[int, int, int, int]]:
    """Return the ultrasound regions: left, top, right, bottom, the last two included. Source: PS3.3 C.8.5.5.1."""
    corners = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    items = image.get("SequenceOfUltrasoundRegions") or []
    if any(name not in item for item in items for name in corners):
        raise UnsupportedPixels("an ultrasound region (0018,6011) without its four corners")
    return [(int(one[corners[0]].value), int(one[corners[1]].value), int(one[corners[2]].value),
             int(one[corners[3]].value)) for one in items]  # fmt: skip


def _known_areas(image: Dataset) -> list[tuple[int, int, int, int]]:
    for device in _devices():
        told = {name: str(image.get(name, "")).lower() for name in device["contains"]}
        fits = all(part.lower() in told[name] for name, part in device["contains"].items())
        size = (image.get("Modality"), image.get("Rows"), image.get("Columns"))
        if fits and size == (device["modality"], device["rows"], device["columns"]):
            return [(area[0], area[1], area[2], area[3]) for area in device["areas"]]
    return []


@cache
def _devices() -> list[dict[str, Any]]:
    text = files("dicom_gateway.deidentification").joinpath("burned_in.toml").read_text(encoding="utf-8")
    devices: list[dict[str, Any]] = tomllib.loads(text)["device"]
    return devices


def _decoded(image: Dataset) -> NDArray[Any]:
    """Return the stored values, shape (frames, rows, columns, samples), to be written to; `image` is decoded."""
    try:
        if image.file_meta.TransferSyntaxUID.is_encapsulated:
            image.decompress(generate_instance_uid=False)
        samples, bits = int(image.get("SamplesPerPixel", 1)), int(image.BitsAllocated)
        if bits not in (8, 16) or "422" in str(image.PhotometricInterpretation):
            raise UnsupportedPixels(
                f"{bits} bits, {image.PhotometricInterpretation}: not a layout that is blanked here"
            )
        frames, rows, columns = int(image.get("NumberOfFrames", 1) or 1), int(image.Rows), int(image.Columns)
        if not image.file_meta.TransferSyntaxUID.is_little_endian:
            raise UnsupportedPixels("big endian: not a layout that is blanked here")
        values = np.frombuffer(image.PixelData, dtype=f"<u{bits // 8}")[: frames * rows * columns * samples]
        if samples > 1 and int(image.get("PlanarConfiguration", 0)) == 1:
            return values.reshape(frames, samples, rows, columns).transpose(0, 2, 3, 1).copy()
        return values.reshape(frames, rows, columns, samples).copy()
    except UnsupportedPixels:
        raise
    except _UNREADABLE as error:
        raise UnsupportedPixels(f"pixels cannot be decoded: {type(error).__name__}") from error


def _fill(image: Dataset, pixels: NDArray[Any], blank: NDArray[np.bool_]) -> None:
    """Write `pixels` back with black where `blank` is true."""
    photometric = str(image.PhotometricInterpretation)
    if photometric.startswith("YBR"):
        black: Any = np.array([0, 128, 128], dtype=pixels.dtype)
    else:
        black = (1 << int(image.BitsStored)) - 1 if photometric == "MONOCHROME1" else 0
        if int(image.get("PixelRepresentation", 0)):
            black = 0
    pixels[:, blank] = black
    if pixels.shape[3] > 1:
        image.PlanarConfiguration = 0
    content = pixels.tobytes()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image["PixelData"].VR = "OW" if int(image.BitsAllocated) > 8 else "OB"
    image["PixelData"].is_undefined_length = False
    image.PixelData = content + b"\0" * (len(content) % 2)
