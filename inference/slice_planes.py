"""Where each image of a DICOM object lies in the patient and how far apart its pixels are, from its header."""

from dataclasses import dataclass
from math import isfinite

from pydicom.dataset import Dataset

from inference.attributes import attribute
from inference.volume import Cosines, Vector
from triage.errors import InvalidGeometry

TWO_DIMENSIONAL_REGION = 1
CENTIMETRES = 3
"""Region Spatial Format 1 and Physical Units 3 of an ultrasound region. Source: PS3.3 C.8.5.5.1."""


@dataclass(frozen=True, slots=True)
class SlicePlane:
    """The plane of one image; None where the header does not say.

    `position_mm` is the centre of the first pixel, `orientation` the six cosines of Image Orientation (Patient), both
    LPS. `pixel_spacing_mm` is (between rows, between columns), the order of Pixel Spacing (0028,0030).
    `thickness_mm` is the nominal thickness of the slice.
    """

    position_mm: Vector | None
    orientation: Cosines | None
    pixel_spacing_mm: tuple[float, float] | None
    thickness_mm: float | None = None


def slice_planes(dataset: Dataset, number_of_frames: int) -> tuple[SlicePlane, ...]:
    """Return the plane of each frame of `dataset`.

    Raises:
        InvalidGeometry: a value is there but is no number, or a spacing is not above zero.
    """
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return tuple(_plane_of_frame(dataset, index) for index in range(number_of_frames))
    spacing = _pixel_spacing(dataset)
    if number_of_frames > 1:
        # One Image Position cannot place several frames, so a classic multi-frame object has no planes of its own.
        return (SlicePlane(None, None, spacing),) * number_of_frames
    thickness = _thickness(dataset, dataset)
    return (SlicePlane(_position(dataset, dataset), _orientation(dataset, dataset), spacing, thickness),)


def functional_group(dataset: Dataset, keyword: str, frame_index: int) -> Dataset:
    """Return the item of the functional group `keyword` that holds for a frame; empty when there is none.

    The frame's own group comes before the shared one. Source: PS3.3 C.7.6.16.1.
    """
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    holders = list(per_frame[frame_index : frame_index + 1]) + list(dataset.get("SharedFunctionalGroupsSequence") or [])
    for holder in holders:
        if items := holder.get(keyword):
            return Dataset(items[0])
    return Dataset()


def numbers(dataset: Dataset, keyword: str, count: int, owner: Dataset) -> tuple[float, ...] | None:
    """Return the `count` finite numbers of an attribute, None when it is absent or empty.

    Raises:
        InvalidGeometry: the attribute holds something else; the message names the instance of `owner`.
    """
    try:
        value = attribute(dataset, keyword)
        if value is None or value == "":
            return None
        found = tuple(float(number) for number in (value if count > 1 else [value]))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InvalidGeometry(f"{owner.SOPInstanceUID}: {keyword} is not {count} numbers") from error
    if not found:
        return None
    if len(found) != count or not all(isfinite(number) for number in found):
        raise InvalidGeometry(f"{owner.SOPInstanceUID}: {keyword} holds {len(found)} numbers, needed {count}, finite")
    return found


def _plane_of_frame(dataset: Dataset, index: int) -> SlicePlane:
    measures = functional_group(dataset, "PixelMeasuresSequence", index)
    return SlicePlane(
        _position(functional_group(dataset, "PlanePositionSequence", index), dataset),
        _orientation(functional_group(dataset, "PlaneOrientationSequence", index), dataset),
        _spacing(measures, "PixelSpacing", dataset),
        _thickness(measures, dataset),
    )


def _thickness(group: Dataset, owner: Dataset) -> float | None:
    found = numbers(group, "SliceThickness", 1, owner)
    return found[0] if found and found[0] > 0 else None


def _position(group: Dataset, owner: Dataset) -> Vector | None:
    found = numbers(group, "ImagePositionPatient", 3, owner)
    return (found[0], found[1], found[2]) if found else None


def _orientation(group: Dataset, owner: Dataset) -> Cosines | None:
    found = numbers(group, "ImageOrientationPatient", 6, owner)
    return (found[0], found[1], found[2], found[3], found[4], found[5]) if found else None


def _pixel_spacing(dataset: Dataset) -> tuple[float, float] | None:
    """Return the spacing in the patient where it is calibrated, else at the detector, else of the ultrasound region."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if spacing := _spacing(dataset, keyword, dataset):
            return spacing
    return _ultrasound_spacing(dataset)


def _spacing(group: Dataset, keyword: str, owner: Dataset) -> tuple[float, float] | None:
    found = numbers(group, keyword, 2, owner)
    if found is None:
        return None
    if min(found) <= 0:
        raise InvalidGeometry(f"{owner.SOPInstanceUID}: {keyword} {found[0]}, {found[1]}, needed two above zero")
    return (found[0], found[1])


def _ultrasound_spacing(dataset: Dataset) -> tuple[float, float] | None:
    """Return the spacing that all two-dimensional regions measured in centimetres share, else None."""
    spacings = set()
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
        if region.get("RegionSpatialFormat") == TWO_DIMENSIONAL_REGION and units == (CENTIMETRES, CENTIMETRES):
            down, across = numbers(region, "PhysicalDeltaY", 1, dataset), numbers(region, "PhysicalDeltaX", 1, dataset)
            spacings.add((abs(down[0]) * 10, abs(across[0]) * 10) if down and across else (0.0, 0.0))
    spacing = spacings.pop() if len(spacings) == 1 else None
    return spacing if spacing and min(spacing) > 0 else None
