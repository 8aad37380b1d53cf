"""Stored files as DICOMweb returns them: headers as DICOM JSON, frames and large values as bytes."""

import mmap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID, ExplicitVRBigEndian

from dicom_gateway.attribute_values import PARSING_FAILURES
from dicom_gateway.elements import Element, Encoding, top_level_elements
from triage.errors import UnreadableInstance, UnsupportedPixels

OCTETS = "application/octet-stream"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
INLINE_BYTES = 1024
PIXEL_DATA = 0x7FE00010

STORED_MEDIA_TYPES: Mapping[str, str] = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.53": "image/jpeg",
    "1.2.840.10008.1.2.4.55": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}
"""What one frame is in each encapsulated transfer syntax. Source: PS3.18 table 8.7.3-5."""

_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True, slots=True)
class BulkData:
    """One frame or one value as it travels, and as what."""

    body: bytes
    media_type: str
    transfer_syntax_uid: str


def metadata(path: str, address: str) -> dict[str, Any]:
    """Return the DICOM JSON of the file's data set (PS3.18 annex F); `address` is that of the instance.

    The pixel data and every longer binary value are named by an address below it. An attribute whose value breaks the
    rules of its VR so that it has no JSON is left out.

    Raises:
        UnreadableInstance: the file is missing, or no DICOM file.
    """
    with _told(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, stop_before_pixels=True)
        told = {}
        for tag in list(dataset.keys()):
            try:
                element = dataset[tag]
                told[f"{tag:08X}"] = _element_json(element, f"{address}/bulkdata/{tag:08X}")
            except PARSING_FAILURES:
                continue
    with mapped(path) as (data, start, syntax):
        pixels = _pixel_element(data, start, syntax)
    if pixels is not None:
        told[f"{PIXEL_DATA:08X}"] = {"vr": "OW", "BulkDataURI": f"{address}/bulkdata/{PIXEL_DATA:08X}"}
    return dict(sorted(told.items()))


def bulk_data(path: str, tag: int) -> BulkData:
    """Return the value of one top-level binary attribute; raises UnreadableInstance where there is none."""
    with _told(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, stop_before_pixels=True)
        if tag not in dataset or not isinstance(dataset[tag].value, bytes):
            raise UnreadableInstance(f"{Path(path).name}: no binary value in {tag:08X}")
        return BulkData(dataset[tag].value, OCTETS, EXPLICIT_LITTLE_ENDIAN)


def stored_media_type(transfer_syntax_uid: str) -> str:
    """Return what one frame is as it is stored; octet-stream where it is not compressed."""
    return STORED_MEDIA_TYPES.get(transfer_syntax_uid, OCTETS)


def frames(
    path: str, numbers: Sequence[int], decoded: bool, decode: Callable[[FileDataset], Any]
) -> Iterator[BulkData]:
    """Yield frames, counted from 1; without numbers all of them, in order.

    Args:
        path: the file.
        numbers: the frames.
        decoded: uncompressed in little endian; else as they are stored.
        decode: turns a compressed object into an array of all frames.

    Raises:
        UnreadableInstance: the file is missing or damaged, or has no such frame.
        UnsupportedPixels: the pixels cannot be decoded, or frames do not end at whole bytes.
    """
    with mapped(path) as (data, start, syntax):
        is_compressed = UID(syntax).is_transfer_syntax and UID(syntax).is_encapsulated
        if not is_compressed:
            yield from _native(path, data, start, syntax, numbers)
        elif decoded:
            yield from _chosen(path, _decoded(path, decode), numbers)
        else:
            yield from _chosen(path, _fragments(path, data, start, syntax), numbers)


@contextmanager
def mapped(path: str) -> Iterator[tuple[mmap.mmap, int, str]]:
    """Give a stored file's bytes without copying them, where its data set begins, and its transfer syntax."""
    with _told(path), Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        meta_length = int.from_bytes(data[140:144], "little")
        meta = dcmread(path, specific_tags=[], stop_before_pixels=True).file_meta
        yield data, 144 + meta_length, str(meta.TransferSyntaxUID)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Tell every way in which a file can be no DICOM file as one error."""
    try:
        yield
    except PARSING_FAILURES as error:
        raise UnreadableInstance(f"{Path(path).name}: {type(error).__name__} on reading it") from error


def _element_json(element: DataElement, address: str) -> dict[str, Any]:
    value = element.value
    if element.VR in _BINARY_VRS and isinstance(value, bytes) and len(value) > INLINE_BYTES:
        return {"vr": element.VR, "BulkDataURI": address}
    told: dict[str, Any] = element.to_json_dict(None, 1 << 62)
    return told


def _pixel_element(data: mmap.mmap, start: int, syntax: str) -> Element | None:
    uid = UID(syntax)
    if uid.is_transfer_syntax and uid.is_deflated:
        return None
    encoding = Encoding(
        is_implicit=uid.is_implicit_VR if uid.is_transfer_syntax else False,
        is_little_endian=uid.is_little_endian if uid.is_transfer_syntax else True,
    )
    found = (one for one in top_level_elements(data, start, encoding) if one.tag == PIXEL_DATA)
    return next(found, None)


def _chosen(path: str, every: Iterator[BulkData], numbers: Sequence[int]) -> Iterator[BulkData]:
    if not numbers:
        yield from every
        return
    kept: dict[int, BulkData] = {}
    for number, one in enumerate(every, start=1):
        if number in numbers:
            kept[number] = one
        if len(kept) == len(set(numbers)):
            break
    for number in numbers:
        if number not in kept:
            raise UnreadableInstance(f"{Path(path).name}: no frame {number}")
        yield kept[number]


def _native(path: str, data: mmap.mmap, start: int, syntax: str, numbers: Sequence[int]) -> Iterator[BulkData]:
    pixels = _required(path, data, start, syntax)
    header = dcmread(path, stop_before_pixels=True)
    bits = header.BitsAllocated * header.SamplesPerPixel * header.Rows * header.Columns
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if bits % 8:
        raise UnsupportedPixels(f"{Path(path).name}: frames of {bits} bits, needed whole bytes")
    size, total = bits // 8, int(header.get("NumberOfFrames") or 1)
    for number in numbers or range(1, total + 1):
        begin = pixels.start + size * (number - 1)
        if number > total or begin + size > pixels.end:
            raise UnreadableInstance(f"{Path(path).name}: no frame {number}")
        body = data[begin : begin + size]
        if syntax == ExplicitVRBigEndian and header.BitsAllocated > 8:
            width = header.BitsAllocated // 8
            body = np.frombuffer(body, f">u{width}").astype(f"<u{width}").tobytes()
        yield BulkData(body, OCTETS, EXPLICIT_LITTLE_ENDIAN)


def _fragments(path: str, data: mmap.mmap, start: int, syntax: str) -> Iterator[BulkData]:
    pixels = _required(path, data, start, syntax)
    number = int(dcmread(path, specific_tags=["NumberOfFrames"], stop_before_pixels=True).get("NumberOfFrames") or 1)
    for body in generate_frames(data[pixels.start : pixels.end], number_of_frames=number):
        yield BulkData(body, stored_media_type(syntax), syntax)


def _decoded(path: str, decode: Callable[[FileDataset], Any]) -> Iterator[BulkData]:
    array = decode(dcmread(path))
    for frame in array:
        yield BulkData(np.ascontiguousarray(frame).tobytes(), OCTETS, EXPLICIT_LITTLE_ENDIAN)


def _required(path: str, data: mmap.mmap, start: int, syntax: str) -> Element:
    pixels = _pixel_element(data, start, syntax)
    if pixels is None:
        raise UnreadableInstance(f"{Path(path).name}: no pixel data that frames can be cut from")
    return pixels
