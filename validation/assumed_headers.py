"""What the DICOM headers of a study of plain images say: the ones that `to_dicom` writes and that models select by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    UltrasoundImageStorage,
)

from inference.volume import Volume
from triage.errors import InvalidDataset, InvalidGeometry
from triage.identifiers import SeriesInstanceUid, SopInstanceUid
from triage.study import ImageHeader, Series, SeriesHeader
from validation.assumed_geometry import AXIAL, SLICE_SPACING_MM, AssumedGeometry, assumed_geometry
from validation.dataset_description import DESCRIPTION_FILE, MODALITIES, Description
from validation.derived_uids import derived_uid
from validation.labelled_images import LabelledImage, LabelledStudy

SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "US": UltrasoundImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
}
IMAGE_TYPES = {
    "CT": ("DERIVED", "PRIMARY", "AXIAL"),
    "MR": ("DERIVED", "PRIMARY", "OTHER"),
    "US": ("DERIVED", "PRIMARY"),
    "DX": ("DERIVED", "PRIMARY"),
}
"""Derived: windowed, resampled or cropped by those who published them. Source: PS3.3 C.7.6.1.1.2, C.8.3.1.1.1."""


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """The UIDs of a study of plain images, derived from its content."""

    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str

    def sop_instance_uid(self, image: LabelledImage, rank: int) -> SopInstanceUid:
        return SopInstanceUid(derived_uid("instance", self.study_instance_uid, str(rank), image.sha256))


def identity_of(study: LabelledStudy, description: Description) -> StudyIdentity:
    """Return the UIDs of `study`: the same images in the same order give the same ones, wherever they lie."""
    content = [image.sha256 for image in study.images]
    study_uid = derived_uid("study", description.name, study.study, *content)
    return StudyIdentity(study_uid, derived_uid("series", study_uid), derived_uid("frame of reference", study_uid))


def require_known_modality(description: Description, folder_name: str) -> None:
    """Raise InvalidDataset unless there is a DICOM object for images of this kind."""
    if description.modality not in MODALITIES:
        raise InvalidDataset(
            f"{folder_name}/{DESCRIPTION_FILE}: modality: found {description.modality!r}, "
            f"needed one of {', '.join(MODALITIES)}"
        )


def geometry_of(description: Description) -> AssumedGeometry:
    """Return what is assumed about the images of a data set."""
    return assumed_geometry(description.modality, description.body_part)


def study_description(description: Description) -> str:
    """Return what the order would say, for example "CT head"."""
    return f"{description.modality} {description.body_part.lower()}".strip()


def series_description(description: Description) -> str:
    """Return what a technician would write: the body part, the sequence where the task names it, the slices."""
    words = [description.body_part.capitalize()]
    if description.modality == "MR" and "FLAIR" in description.task.upper():
        words.append("FLAIR")
    if geometry_of(description).slices:
        words.append(f"{SLICE_SPACING_MM:.0f} mm")
    return " ".join(word for word in words if word)


def assumed_series(study: LabelledStudy, description: Description, shape: tuple[int, int]) -> Series:
    """Return the series that `study` would be in DICOM, with headers and no files, for selection.

    `shape` is (rows, columns) of its images.
    """
    identity, geometry = identity_of(study, description), geometry_of(description)
    (rows, columns), spacing = shape, geometry.pixel_spacing_mm(shape[1])
    images = tuple(
        ImageHeader(
            sop_instance_uid=identity.sop_instance_uid(image, rank),
            sop_class_uid=SOP_CLASSES[description.modality],
            image_type=IMAGE_TYPES[description.modality],
            rows=rows,
            columns=columns,
            instance_number=rank + 1,
            position_mm=geometry.position_mm(rank, rows, columns),
            orientation=AXIAL if geometry.slices else None,
            pixel_spacing_mm=(spacing, spacing) if geometry.slices and spacing else None,
            slice_thickness_mm=SLICE_SPACING_MM if geometry.slices else None,
        )
        for rank, image in enumerate(study.images)
    )
    header = SeriesHeader(
        SeriesInstanceUid(identity.series_instance_uid),
        modality=description.modality,
        body_part=description.body_part,
        series_description=series_description(description),
        series_number=1,
        manufacturer=description.manufacturer,
    )
    return Series(header, study_description(description), images, files=())


def assumed_volume(study: LabelledStudy, description: Description, pixels: Sequence[NDArray[Any]]) -> Volume:
    """Return the volume that the reader of live studies makes of the DICOM objects of `study`.

    Args:
        study: whose images are the slices, in order.
        description: with the scale of the stored values.
        pixels: as stored, one array (rows, columns) per image.

    Raises:
        InvalidGeometry: the images have different sizes.
    """
    matrices = sorted({"x".join(map(str, one.shape)) for one in pixels})
    if len(matrices) > 1:
        raise InvalidGeometry(f"study {study.study}: matrices {' and '.join(matrices[:2])}, needed one")
    rows, columns = pixels[0].shape
    series = assumed_series(study, description, (rows, columns))
    geometry, stored = geometry_of(description), description.stored
    spacing = geometry.pixel_spacing_mm(columns)
    between_slices = SLICE_SPACING_MM if geometry.slices and len(pixels) > 1 else None
    return Volume(
        values=np.stack(pixels).astype(np.float32) * np.float32(stored.slope) + np.float32(stored.intercept),
        unit=stored.unit,
        spacing_mm=(between_slices, spacing, spacing),
        sop_instance_uids=tuple(image.sop_instance_uid for image in series.images),
        frame_numbers=(None,) * len(pixels),
        origin_mm=geometry.position_mm(0, rows, columns),
        orientation=AXIAL if geometry.slices else None,
        slice_step_mm=(0.0, 0.0, between_slices or 1.0) if geometry.slices else None,
    )
