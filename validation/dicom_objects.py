"""One plain image as a CT, MR, US or DX object: what PS3.3 demands, what is known, and nothing that is not."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from triage.errors import InvalidDataset
from validation.assumed_geometry import AXIAL, SLICE_SPACING_MM
from validation.assumed_headers import (
    IMAGE_TYPES,
    SOP_CLASSES,
    StudyIdentity,
    geometry_of,
    series_description,
    study_description,
)
from validation.dataset_description import Description, StoredValues
from validation.image_files import StoredImage
from validation.labelled_images import LabelledStudy

IMPLEMENTATION_UID = UID("2.25.256823402671434284926466155092617294621")
IMPLEMENTATION_NAME = "ACUITY_DATASET"
STUDY_DATE, STUDY_TIME = "20200101", "120000"
"""The true dates were removed by those who published the images; one fixed date stands for all of them."""

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,39}")
REGIONS = {"CHEST": ("816094009", "SCT", "Chest")}
SIDES = {"left": "L", "right": "R", "l": "L", "r": "R"}
UNPAIRED = ("HEAD", "BRAIN", "SKULL", "NECK", "CHEST", "ABDOMEN", "PELVIS", "SPINE", "HEART")
VIEWS = {"AP": ("399348003", "SCT", "antero-posterior"), "PA": ("272479007", "SCT", "postero-anterior")}
"""Source: PS3.16 CID 4031 and CID 4010."""


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """One image of a study: its place (`rank` counts from 0, from below), UID, pixels and row of `labels.csv`."""

    rank: int
    sop_instance_uid: str
    stored: StoredImage
    row: Mapping[str, str]


def dicom_object(
    study: LabelledStudy, identity: StudyIdentity, description: Description, image: PlacedImage
) -> FileDataset:
    """Return the image as a DICOM object without any label of the data set.

    Raises:
        InvalidDataset: the scale of the stored values has no place in an object of this modality.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SOP_CLASSES[description.modality]
    meta.MediaStorageSOPInstanceUID = UID(image.sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset = FileDataset("", Dataset(), preamble=b"\0" * 128, file_meta=meta)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _add_patient_and_study(dataset, study, identity, description, image.row)
    _add_series(dataset, identity, description)
    _add_image(dataset, description, image)
    _OF_MODALITY[description.modality](dataset, identity, description, image)
    return dataset


def pseudonym(description: Description, patient: str) -> str:
    """Return the data set's own name for a patient, with that of the set before it, as an LO of 64 characters."""
    whole = f"{description.name}-{patient}"
    return whole if PLAIN.fullmatch(whole) else f"P-{sha256(whole.encode()).hexdigest()[:16]}"


def _add_patient_and_study(
    dataset: Dataset,
    study: LabelledStudy,
    identity: StudyIdentity,
    description: Description,
    row: Mapping[str, str],
) -> None:
    patient = pseudonym(description, study.patient)
    dataset.PatientName = f"{patient}^"
    dataset.PatientID = patient
    dataset.PatientBirthDate = ""
    dataset.PatientSex = sex if (sex := row.get("sex", "")) in ("F", "M") else ""
    if (age := row.get("age", "")).isdigit() and int(age) < 1000:
        dataset.PatientAge = f"{int(age):03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Published without identifiers; made-up dates and numbers"
    dataset.StudyInstanceUID = identity.study_instance_uid
    dataset.StudyDate, dataset.StudyTime = STUDY_DATE, STUDY_TIME
    dataset.ReferringPhysicianName = ""
    dataset.AccessionNumber = f"A{sha256(identity.study_instance_uid.encode()).hexdigest()[:14].upper()}"
    dataset.StudyID = "1"
    dataset.StudyDescription = study_description(description)


def _add_series(dataset: Dataset, identity: StudyIdentity, description: Description) -> None:
    dataset.Modality = description.modality
    dataset.SeriesInstanceUID = identity.series_instance_uid
    dataset.SeriesNumber = 1
    dataset.SeriesDate, dataset.SeriesTime = STUDY_DATE, STUDY_TIME
    dataset.SeriesDescription = series_description(description)
    dataset.BodyPartExamined = description.body_part
    dataset.Manufacturer = description.manufacturer
    dataset.ManufacturerModelName = "dataset to-dicom"


def _add_image(dataset: Dataset, description: Description, image: PlacedImage) -> None:
    pixels = image.stored.pixels
    # CT and MR objects hold 16 bits a pixel, whatever is stored in them. Source: PS3.3 C.8.2.1, C.8.3.1.
    if description.modality in ("CT", "MR"):
        pixels = pixels.astype(np.uint16)
    dataset.InstanceNumber = image.rank + 1
    dataset.ImageType = list(IMAGE_TYPES[description.modality])
    dataset.AcquisitionDate, dataset.AcquisitionTime = STUDY_DATE, STUDY_TIME
    dataset.ContentDate, dataset.ContentTime = STUDY_DATE, STUDY_TIME
    dataset.LossyImageCompression = "00" if image.stored.lossy_ratio is None else "01"
    if image.stored.lossy_ratio is not None:
        dataset.LossyImageCompressionRatio = f"{image.stored.lossy_ratio:.2f}"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    _add_laterality(dataset, description, image)
    content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"


def _add_ct(dataset: Dataset, identity: StudyIdentity, description: Description, image: PlacedImage) -> None:
    stored = description.stored
    if stored.unit != "HU":
        raise InvalidDataset(f"{description.name}: stored_values: unit {stored.unit}, needed HU for CT")
    _add_plane(dataset, identity, description, image)
    dataset.KVP = None
    dataset.AcquisitionNumber = 1
    # The exact scale and not rounded HU: 16 characters of a DS keep it to 1e-13 HU.
    dataset.RescaleSlope = format_number_as_ds(stored.slope)
    dataset.RescaleIntercept = format_number_as_ds(stored.intercept)
    dataset.RescaleType = "HU"
    _add_window(dataset, image, stored)


def _add_mr(dataset: Dataset, identity: StudyIdentity, description: Description, image: PlacedImage) -> None:
    _require_identity_scale(description)
    _add_plane(dataset, identity, description, image)
    flair = "FLAIR" in series_description(description)
    # "RM", research mode, is the one defined term that claims nothing. Source: PS3.3 C.8.3.1.1.2.
    dataset.ScanningSequence = ["SE", "IR"] if flair else "RM"
    dataset.SequenceVariant = "NONE"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    for keyword in ("RepetitionTime", "EchoTime", "EchoTrainLength", "InversionTime"):
        setattr(dataset, keyword, None)
    _add_window(dataset, image, description.stored)


def _add_us(dataset: Dataset, _identity: StudyIdentity, description: Description, _image: PlacedImage) -> None:
    _require_identity_scale(description)
    dataset.PatientOrientation = ""
    dataset.UltrasoundColorDataPresent = 0


def _add_dx(dataset: Dataset, _identity: StudyIdentity, description: Description, image: PlacedImage) -> None:
    _require_identity_scale(description)
    spacing = geometry_of(description).pixel_spacing_mm(int(dataset.Columns))
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "US"
    dataset.BurnedInAnnotation = "NO"
    if "ImageLaterality" not in dataset:
        dataset.ImageLaterality = "U"
    part = description.body_part
    if part and part not in REGIONS:
        raise InvalidDataset(f"{description.name}: body_part: found {part}, needed {' or '.join(REGIONS)} for DX")
    dataset.AnatomicRegionSequence = Sequence([_code(*REGIONS[part])] if part else [])
    view = image.row.get("view", "").upper()
    dataset.ViewPosition = view if view in VIEWS else ""
    if view in VIEWS:
        dataset.ViewCodeSequence = Sequence([_code(*VIEWS[view])])
    dataset.PositionerType = ""
    # An AP film shows the patient's left on the right as well: both are stored as if one faced the patient.
    dataset.PatientOrientation = ["L", "F"]
    dataset.DetectorType = "STORAGE"
    dataset.ImagerPixelSpacing = [format_number_as_ds(spacing)] * 2 if spacing else None
    dataset.AcquisitionContextSequence = Sequence([])
    _add_window(dataset, image, description.stored)


def _add_plane(dataset: Dataset, identity: StudyIdentity, description: Description, image: PlacedImage) -> None:
    geometry = geometry_of(description)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    spacing, position = geometry.pixel_spacing_mm(columns), geometry.position_mm(image.rank, rows, columns)
    if spacing is None or position is None:
        raise InvalidDataset(f"{description.name}: no geometry is assumed for {description.modality}, needed")
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = identity.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.PixelSpacing = [format_number_as_ds(spacing)] * 2
    dataset.ImageOrientationPatient = list(AXIAL)
    dataset.ImagePositionPatient = [format_number_as_ds(float(one)) for one in position]
    dataset.SliceThickness = format_number_as_ds(SLICE_SPACING_MM)


def _add_window(dataset: Dataset, image: PlacedImage, stored: StoredValues) -> None:
    """Show the whole range that the stored bits stand for."""
    steps = float(np.iinfo(image.stored.pixels.dtype).max)
    dataset.WindowCenter = format_number_as_ds(stored.intercept + stored.slope * steps / 2)
    dataset.WindowWidth = format_number_as_ds(abs(stored.slope) * steps)


def _add_laterality(dataset: Dataset, description: Description, image: PlacedImage) -> None:
    """Say which side is seen where the row says so; nothing for parts of which there is one."""
    if description.body_part in UNPAIRED:
        return
    side = SIDES.get(image.row.get("side", "").lower(), "")
    # Stills of both sides may share a series, so the side belongs to the image. Source: PS3.3 C.7.3.1.1.1.
    if side:
        dataset.ImageLaterality = side
    elif description.modality != "DX":
        dataset.Laterality = ""


def _require_identity_scale(description: Description) -> None:
    stored = description.stored
    if (stored.slope, stored.intercept) != (1.0, 0.0):
        raise InvalidDataset(
            f"{description.name}: stored_values: slope {stored.slope:g}, intercept {stored.intercept:g}, "
            f"needed 1 and 0: {description.modality} objects have no scale"
        )


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


_Module = Callable[[Any, StudyIdentity, Description, PlacedImage], None]
_OF_MODALITY: Mapping[str, _Module] = {"CT": _add_ct, "MR": _add_mr, "US": _add_us, "DX": _add_dx}
