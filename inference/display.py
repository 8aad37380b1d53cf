"""Pixels for the quick look: single frames, reduced to what a screen shows, and the key image with its caption."""

import gzip
import io
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut

from inference.decoder_process import DecoderProcess
from inference.decoding import PARSING_FAILURES, DecodedPixels
from inference.dicom_pixels import frame_pixels
from triage.errors import TooBusy, UnreadableInstance, UnsupportedPixels

Box: TypeAlias = tuple[float, float, float, float]

LONGEST_SIDE = 1280
"""A quick look shows no more pixels than a screen; larger images are averaged over whole blocks of pixels."""

CACHE_BYTES = 256 * 1024 * 1024
AT_ONCE = 2
PATIENCE_S = 20.0
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it travels: `about` describes `body`.

    Grey frames are gzipped little-endian uint16, row by row; their value is intercept + slope * stored. Colour frames
    are JPEG.
    """

    about: dict[str, Any]
    body: bytes
    media_type: str

    @property
    def header(self) -> str:
        """Return `about` as one line of JSON in ASCII."""
        return json.dumps(self.about, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Frame:
    values: NDArray[Any]
    about: dict[str, Any]


@dataclass(slots=True)
class FrameReader:
    """Reads frames of stored instances, few at a time, and keeps what was read lately."""

    decoder: DecoderProcess = field(default_factory=DecoderProcess)
    _kept: "OrderedDict[tuple[str, int], EncodedFrame]" = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE))

    def frame(self, path: str, index: int) -> EncodedFrame:
        """Return frame `index` (from 0) of the file.

        Raises:
            UnreadableInstance: the file is missing or not DICOM, or has no such frame.
            UnsupportedPixels: the pixels cannot be decoded.
            TooBusy: too many frames are being read.
        """
        with self._lock:
            if kept := self._kept.get((path, index)):
                self._kept.move_to_end((path, index))
                return kept
        if not self._turns.acquire(timeout=PATIENCE_S):
            raise TooBusy("too many images are asked for at once; try again in a moment")
        try:
            frames = [_encoded(one) for one in self._frames(path)]
        finally:
            self._turns.release()
        self._keep(path, frames, index)
        if index >= len(frames):
            raise UnreadableInstance(f"{Path(path).name}: {len(frames)} frames, none at {index + 1}")
        return frames[index]

    def key_image(
        self, path: str, index: int, window: tuple[float, float] | None, caption: str, boxes: tuple[Box, ...]
    ) -> bytes:
        """Return a PNG of one frame with the caption burned in, so that no copy of it can lose it.

        Args:
            path: the file.
            index: the frame, from 0.
            window: centre and width of the grey values; None takes the file's own, or all that matter.
            caption: the words.
            boxes: what to draw, (left, top, right, bottom) in pixels of the image matrix.
        """
        frames = self._frames(path)
        if index >= len(frames):
            raise UnreadableInstance(f"{Path(path).name}: {len(frames)} frames, none at {index + 1}")
        return _drawn(frames[index], window, caption, boxes)

    def _frames(self, path: str) -> list[_Frame]:
        try:
            dataset = dcmread(path)
            pixels = self.decoder.decoded(dataset)
            return _frames_of(dataset, pixels)
        except (InvalidDicomError, *PARSING_FAILURES) as error:
            raise UnreadableInstance(f"{Path(path).name}: not a readable image: {type(error).__name__}") from error

    def _keep(self, path: str, frames: Sequence[EncodedFrame], wanted: int) -> None:
        """Keep the frames nearest to the wanted one, as many as fit; forget what was not asked for longest."""
        with self._lock:
            for index in sorted(range(len(frames)), key=lambda index: -abs(index - wanted)):
                key = (path, index)
                if key not in self._kept:
                    self._kept[key] = frames[index]
                    self._bytes += len(frames[index].body)
                self._kept.move_to_end(key)
            while self._bytes > CACHE_BYTES and self._kept:
                _, forgotten = self._kept.popitem(last=False)
                self._bytes -= len(forgotten.body)


def _frames_of(dataset: Dataset, pixels: DecodedPixels) -> list[_Frame]:
    if pixels.is_grey:
        return [_grey(dataset, one.values, one.unit) for one in frame_pixels(dataset, pixels)]
    array = pixels.array
    if pixels.photometric == "PALETTE COLOR":
        array = apply_color_lut(array, dataset)
    elif pixels.photometric != "RGB":
        raise UnsupportedPixels(f"{dataset.SOPInstanceUID}: colour in {pixels.photometric}, needed what decodes to RGB")
    full = np.iinfo(array.dtype).max
    eight_bit = array if full == 255 else (array.astype(np.float32) * (255 / full)).astype(np.uint8)
    return [_colour(dataset, one) for one in eight_bit]


def _grey(dataset: Dataset, values: NDArray[np.float32], unit: str) -> _Frame:
    factor = _factor(values.shape)
    small = _reduced(values, factor)
    # Eight bits are what a device meant for the screen; more bits hold more than a screen can tell apart.
    low, high = (0.0, 255.0) if int(dataset.BitsStored) <= 8 and unit != "HU" else np.percentile(small, (1, 99))
    centre, width = float(low + high) / 2, max(float(high - low), 1.0)
    own = _own_window(dataset) if dataset.get("PhotometricInterpretation") == "MONOCHROME2" else None
    about = {
        **_common(dataset, values.shape, factor),
        "kind": "grey",
        "rows": small.shape[0],
        "columns": small.shape[1],
        "unit": "HU" if unit == "HU" else "",
        "window": list(own or (round(centre, 3), round(width, 3))),
    }
    return _Frame(small, about)


def _colour(dataset: Dataset, values: NDArray[np.uint8]) -> _Frame:
    factor = _factor(values.shape)
    small = _reduced(values.astype(np.float32), factor).astype(np.uint8) if factor > 1 else values
    about = {
        **_common(dataset, values.shape, factor),
        "kind": "colour",
        "rows": small.shape[0],
        "columns": small.shape[1],
        "unit": "",
        "window": [127.5, 255.0],
    }
    return _Frame(small, about)


def _common(dataset: Dataset, shape: Sequence[int], factor: int) -> dict[str, Any]:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    frame_time = dataset.get("FrameTime")
    return {
        "matrix": [int(shape[0]), int(shape[1])],
        "reduced": factor,
        "spacing_mm": [float(one) for one in spacing] if spacing and len(spacing) == 2 else None,
        "frame_time_ms": float(frame_time) if frame_time else None,
    }


def _own_window(dataset: Dataset) -> tuple[float, float] | None:
    """Return the window that the file asks for, None where it asks for none. Source: PS3.3 C.11.2.1.2."""
    centre, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    first = [one[0] if hasattr(one, "__len__") and not isinstance(one, str) else one for one in (centre, width) if one]
    return (float(first[0]), max(float(first[1]), 1.0)) if len(first) == 2 else None


def _factor(shape: Sequence[int]) -> int:
    return max(1, -(-max(shape[0], shape[1]) // LONGEST_SIDE))


def _reduced(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return values
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    whole = values[: rows * factor, : columns * factor]
    blocks = whole.reshape(rows, factor, columns, factor, *values.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _encoded(frame: _Frame) -> EncodedFrame:
    if frame.about["kind"] == "colour":
        written = io.BytesIO()
        Image.fromarray(frame.values).save(written, "JPEG", quality=JPEG_QUALITY)
        return EncodedFrame(frame.about, written.getvalue(), "image/jpeg")
    low, high = float(frame.values.min()), float(frame.values.max())
    # Whole numbers such as HU travel exactly; only what spans more than 16 bits, or has fractions, is rounded.
    exact = bool(high - low <= 65535 and low == round(low) and np.all(frame.values == np.rint(frame.values)))
    slope = 1.0 if exact else max((high - low) / 65535, 1e-12)
    stored = np.rint((frame.values - np.float32(low)) / np.float32(slope)).astype("<u2")
    about = {**frame.about, "slope": slope, "intercept": low}
    return EncodedFrame(about, gzip.compress(stored.tobytes(), compresslevel=1, mtime=0), "application/octet-stream")


def _drawn(frame: _Frame, window: tuple[float, float] | None, caption: str, boxes: Sequence[Box]) -> bytes:
    if frame.about["kind"] == "grey":
        centre, width = window or tuple(frame.about["window"])
        grey = (frame.values - np.float32(centre - width / 2)) * np.float32(255 / width)
        image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    else:
        image = Image.fromarray(frame.values).convert("RGB")
    scale = max(1.0, 512 / max(image.size))
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for box in boxes:
        corners = [side * scale / frame.about["reduced"] for side in box]
        draw.rectangle(corners, outline=(255, 203, 107), width=2)
    _burn_in(draw, image.size, caption)
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _burn_in(draw: ImageDraw.ImageDraw, size: tuple[int, int], caption: str) -> None:
    font = ImageFont.load_default(max(13, size[0] // 34))
    left, top, right, bottom = draw.textbbox((0, 0), caption, font=font)
    height = int(bottom - top) + 10
    draw.rectangle((0, size[1] - height, size[0], size[1]), fill=(0, 0, 0))
    place = ((size[0] - (right - left)) / 2, size[1] - height + 5 - top)
    draw.text(place, caption, font=font, fill=(255, 203, 107))
