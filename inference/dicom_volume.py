"""Step 4, first half: the files of one series become one volume, or a reason why they do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError

from inference.attributes import attribute
from inference.decoder_process import DecoderProcess
from inference.decoding import PARSING_FAILURES
from inference.dicom_pixels import FramePixels, frame_pixels
from inference.slice_planes import SlicePlane, slice_planes
from inference.stacking import GeometryRule, Stack, stacked, unplaced
from inference.volume import Volume
from triage.errors import InvalidGeometry, UnreadableInstance
from triage.identifiers import SopInstanceUid
from triage.study import Series

TOMOGRAPHIC = ("CT", "MR", "PT")
"""Modalities whose slices mean nothing without their place; stills and projections may come without."""


@dataclass(frozen=True, slots=True)
class _Slice:
    sop_instance_uid: SopInstanceUid
    series_instance_uid: str
    frame_of_reference_uid: str
    modality: str
    instance_number: int
    frame_number: int | None
    plane: SlicePlane
    pixels: FramePixels


def read_volume(
    source: Series | Sequence[Path], rule: GeometryRule | None = None, decoder: DecoderProcess | None = None
) -> Volume:
    """Return the images of one series as one volume; each file is read once and nothing is resampled or guessed.

    Images that say where they lie are ordered along their normal (`inference.stacking.stacked`). Stills and
    projections that do not are kept in the order of their instance numbers, with an unknown slice spacing.

    Args:
        source: a series of a study, or the files of one series in any order.
        rule: what a stack may look like; the default allows no gantry tilt.
        decoder: one that is kept between series; without it, JPEG that needs a process of its own starts one.

    Raises:
        InvalidGeometry: no images, more than one series, matrix, unit or frame of reference, a hole, two slices at one
            position, mixed orientation, a tilted gantry.
        UnsupportedPixels: an image cannot be decoded.
        UnreadableInstance: a file is missing or is not DICOM.
    """
    paths = [Path(file.path) for file in source.files] if isinstance(source, Series) else list(source)
    # Decoders hold the interpreter's lock: two threads took as long as one (JPEG 2000, JPEG-LS, JPEG, RLE; measured).
    decoder = decoder or DecoderProcess()
    slices = [one for path in paths for one in _slices_of(path, decoder)]
    slices.sort(key=lambda one: (one.instance_number, one.sop_instance_uid, one.frame_number or 0))
    _require_one_kind(slices)
    try:
        stack = _stack_of(slices, rule or GeometryRule())
    except InvalidGeometry as error:
        raise InvalidGeometry(f"series {slices[0].series_instance_uid}: {error}") from error
    ordered = [slices[index] for index in stack.order]
    return Volume(
        values=np.stack([one.pixels.values for one in ordered]),
        unit=ordered[0].pixels.unit,
        spacing_mm=stack.spacing_mm,
        sop_instance_uids=tuple(one.sop_instance_uid for one in ordered),
        frame_numbers=tuple(one.frame_number for one in ordered),
        origin_mm=stack.origin_mm,
        orientation=stack.orientation,
        slice_step_mm=stack.slice_step_mm,
        coloured=max(one.pixels.coloured for one in ordered),
    )


def _slices_of(path: Path, decoder: DecoderProcess) -> list[_Slice]:
    try:
        dataset = dcmread(path)
        _require_identity(dataset, path)
        return _slices(dataset, frame_pixels(dataset, decoder.decoded(dataset)))
    except (InvalidDicomError, *PARSING_FAILURES) as error:
        raise UnreadableInstance(f"{path.name}: not a readable DICOM file: {type(error).__name__}") from error


def _require_identity(dataset: FileDataset, path: Path) -> None:
    if not attribute(dataset, "SOPInstanceUID") or not attribute(dataset, "SOPClassUID"):
        raise UnreadableInstance(f"{path.name}: SOP Class or Instance UID absent, needed both")
    if "TransferSyntaxUID" not in dataset.file_meta:
        raise UnreadableInstance(f"{dataset.SOPInstanceUID}: Transfer Syntax UID absent from the file meta group")


def _slices(dataset: FileDataset, frames: Sequence[FramePixels]) -> list[_Slice]:
    multi_frame = len(frames) > 1
    return [
        _Slice(
            sop_instance_uid=SopInstanceUid(str(attribute(dataset, "SOPInstanceUID"))),
            series_instance_uid=str(attribute(dataset, "SeriesInstanceUID", "")),
            frame_of_reference_uid=str(attribute(dataset, "FrameOfReferenceUID", "")),
            modality=str(attribute(dataset, "Modality", "")),
            instance_number=_instance_number(dataset),
            frame_number=number if multi_frame else None,
            plane=plane,
            pixels=pixels,
        )
        for number, (plane, pixels) in enumerate(zip(slice_planes(dataset, len(frames)), frames, strict=True), start=1)
    ]


def _instance_number(dataset: Dataset) -> int:
    """Return Instance Number, 0 where it is absent or no number; it only orders images without a position."""
    try:
        return int(attribute(dataset, "InstanceNumber") or 0)
    except (ValueError, TypeError):
        return 0


def _require_one_kind(slices: Sequence[_Slice]) -> None:
    """Raise InvalidGeometry unless all slices belong together."""
    if not slices:
        raise InvalidGeometry("a series without images, needed at least one")
    first = slices[0]
    kinds = {
        "series": {one.series_instance_uid for one in slices},
        "frames of reference": {one.frame_of_reference_uid for one in slices if one.plane.position_mm},
        "matrices": {"x".join(str(size) for size in one.pixels.values.shape) for one in slices},
        "units": {f"{one.pixels.unit} {one.pixels.scale}".strip() for one in slices},
    }
    for name, found in kinds.items():
        if len(found) > 1:
            listed = ", ".join(sorted(found)[:3])
            raise InvalidGeometry(f"series {first.series_instance_uid}: {len(found)} {name} ({listed}), needed one")
    if len({(one.sop_instance_uid, one.frame_number) for one in slices}) < len(slices):
        raise InvalidGeometry(f"series {first.series_instance_uid}: one instance in two files, needed each once")


def _stack_of(slices: Sequence[_Slice], rule: GeometryRule) -> Stack:
    planes = [one.plane for one in slices]
    placed = [plane for plane in planes if plane.position_mm and plane.orientation]
    if placed or (len(slices) > 1 and slices[0].modality in TOMOGRAPHIC):
        return stacked(planes, rule)
    return unplaced(planes)
