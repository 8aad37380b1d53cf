"""Where the frames of source images lie and what was lost in compressing them, as a segmentation has to repeat it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.valuerep import DSfloat

from triage.errors import UnreadableInstance
from triage.study import Series

_GEOMETRY: Mapping[str, Mapping[str, int]] = {
    "PixelMeasuresSequence": {"PixelSpacing": 2, "SliceThickness": 1, "SpacingBetweenSlices": 1},
    "PlaneOrientationSequence": {"ImageOrientationPatient": 6},
    "PlanePositionSequence": {"ImagePositionPatient": 3},
}
"""The functional groups of PS3.3 C.7.6.16.2 that say where a frame lies, with their attributes and how many values
those have. Plain images have the attributes at the top level."""

_OPTIONAL = frozenset({"SpacingBetweenSlices"})
"""Type 3; every other attribute a group needs. Slice Thickness is type 1C, and dciodvfy asks for it."""

_COMPRESSION = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")
_FURTHER_TAGS = [
    "SpecificCharacterSet",
    "FrameOfReferenceUID",
    "LossyImageCompression",
    *_COMPRESSION,
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_UNPARSED = (InvalidDicomError, EOFError, OSError, ValueError, TypeError, AttributeError, KeyError, IndexError)


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame of a source image: `frame_number` counts from 1 and is None for single-frame images.

    `groups` holds one item for each functional group of the geometry that the image states in whole; `lossy` is None
    for images that were never compressed with losses, else what is said about that.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None
    frame_of_reference_uid: str
    groups: Mapping[str, Dataset] = field(hash=False)
    lossy: Mapping[str, object] | None = field(hash=False)

    @property
    def placed(self) -> bool:
        """Whether the image says where the frame lies in the patient."""
        return bool(self.frame_of_reference_uid) and len(self.groups) == len(_GEOMETRY)

    @property
    def height_mm(self) -> float:
        """The distance of a placed frame from the origin along its normal."""
        orientation = np.array(self.groups["PlaneOrientationSequence"].ImageOrientationPatient, dtype=np.float64)
        position = np.array(self.groups["PlanePositionSequence"].ImagePositionPatient, dtype=np.float64)
        return float(position @ np.cross(orientation[:3], orientation[3:]))


def read_frames(series: Series, wanted: Iterable[tuple[str, int | None]]) -> tuple[SourceFrame, ...]:
    """Return the frames `wanted`, pairs of SOP Instance UID and frame number, each file read once.

    Raises:
        UnreadableInstance: a file is missing or is no DICOM file.
    """
    files = {image.sop_instance_uid: (image, file) for image, file in zip(series.images, series.files, strict=True)}
    tags = [*_FURTHER_TAGS, *(keyword for attributes in _GEOMETRY.values() for keyword in attributes)]
    by_uid: dict[str, list[int | None]] = {}
    for uid, frame_number in wanted:
        by_uid.setdefault(uid, []).append(frame_number)
    frames: list[SourceFrame] = []
    for uid, numbers in by_uid.items():
        image, file = next(found for known, found in files.items() if known == uid)
        try:
            header = dcmread(Path(file.path), stop_before_pixels=True, specific_tags=tags)
            frames.extend(_frame(header, image.sop_class_uid, uid, number) for number in numbers)
        except _UNPARSED as error:
            raise UnreadableInstance(
                f"instance {uid}: {type(error).__name__} on reading its file, DICOM needed"
            ) from error
    return tuple(frames)


def _frame(header: Dataset, sop_class_uid: str, uid: str, frame_number: int | None) -> SourceFrame:
    lossy = header.get("LossyImageCompression") == "01"
    items = {name: _item(header, name, attributes, frame_number) for name, attributes in _GEOMETRY.items()}
    return SourceFrame(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=uid,
        frame_number=frame_number,
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
        groups={name: item for name, item in items.items() if item is not None},
        lossy={keyword: header[keyword].value for keyword in _COMPRESSION if header.get(keyword)} if lossy else None,
    )


def _item(header: Dataset, name: str, attributes: Mapping[str, int], frame_number: int | None) -> Dataset | None:
    """Return a new item of the functional group, or None where the image does not state it in whole."""
    source = _stated(header, name, frame_number)
    item = Dataset()
    for keyword, count in attributes.items():
        if values := _numbers(source, keyword, count):
            setattr(item, keyword, values if count > 1 else values[0])
    return item if all(keyword in item for keyword in attributes if keyword not in _OPTIONAL) else None


def _stated(header: Dataset, name: str, frame_number: int | None) -> Dataset:
    """Return where the attributes of a functional group stand: in the frame's item, the shared one or the top level."""
    own: Sequence[Dataset] = header.get("PerFrameFunctionalGroupsSequence") or ()
    shared: Sequence[Dataset] = header.get("SharedFunctionalGroupsSequence") or ()
    for groups in (*own[(frame_number or 1) - 1 : frame_number or 1], *shared[:1]):
        found: Sequence[Dataset] | None = groups.get(name)
        if found:
            return found[0]
    return header


def _numbers(source: Dataset, keyword: str, count: int) -> list[DSfloat] | None:
    """Return the `count` values of a decimal string, or None where they are absent or are no numbers."""
    try:
        value = source.get(keyword)
        values = [float(one) for one in (value if isinstance(value, Sequence | np.ndarray) else [value])]
    except (TypeError, ValueError):
        return None
    if len(values) != count or not all(isfinite(one) for one in values):
        return None
    return [DSfloat(one, auto_format=True) for one in values]
