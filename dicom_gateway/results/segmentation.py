"""The outlines of an analysis as DICOM Segmentation objects: binary, automatic, one segment for the finding."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sr.codedict import codes
from pydicom.uid import SegmentationStorage, UltrasoundImageStorage

from dicom_gateway.results.source_header import REQUIRED, read_source_header
from dicom_gateway.results.structured_report import ReportingDevice, zone_of
from dicom_gateway.results.uids import part_uid, series_uid, tracking_uid
from triage.errors import InvalidGeometry, UnreadableInstance
from triage.findings import Code, Finding, Mask
from triage.identifiers import SopInstanceUid
from triage.ports import RecordedAnalysis
from triage.study import Series

KIND = "seg"
SEGMENTATION_CLASS_UID = str(SegmentationStorage)
SERIES_NUMBER = 9302
"""Below the report of the same analysis."""

NOT_ASKED_FOR = "highdicom.base"


@dataclass(frozen=True, slots=True)
class Outlined:
    """The masks of one finding that one object can hold, and the files of their images."""

    finding: Finding
    number: int
    masks: tuple[Mask, ...]
    paths: tuple[str, ...]


def outlined(series: Series, recorded: RecordedAnalysis) -> Iterator[Outlined]:
    """Return what there is to write for each flagged finding with masks.

    Slices that say where they lie share an object. Images that do not, ultrasound stills for example, get one each, as
    the Segmentation IOD needs a frame of reference to put several into relation; of a clip the most suspicious frame.

    Raises:
        InvalidGeometry: a mask lies on an image that is not one of the series.
    """
    images = {image.sop_instance_uid: image for image in series.images}
    files = {image.sop_instance_uid: file.path for image, file in zip(series.images, series.files, strict=True)}
    number = 0
    for finding in (one for one in recorded.analysis.findings if one.flagged and one.masks):
        if unknown := [one.sop_instance_uid for one in finding.masks if one.sop_instance_uid not in files]:
            raise InvalidGeometry(f"mask on instance {unknown[0]}: not one of the series, needed one that is")
        placed = [one for one in finding.masks if images[one.sop_instance_uid].position_mm is not None]
        alone = [one for one in finding.masks if images[one.sop_instance_uid].position_mm is None]
        by_image = [[one for one in alone if one.sop_instance_uid == uid] for uid in images]
        worst = [max(group, key=lambda mask: _suspicion(mask, finding)) for group in by_image if group]
        for masks in filter(None, (tuple(placed), *((one,) for one in worst))):
            number += 1
            yield Outlined(finding, number, masks, tuple(files[mask.sop_instance_uid] for mask in masks))


def _suspicion(mask: Mask, finding: Finding) -> float:
    scores = {(one.sop_instance_uid, one.frame_number): one.probability for one in finding.image_scores}
    return scores.get((mask.sop_instance_uid, mask.frame_number), 0.0)


def segmentation_uid(recorded: RecordedAnalysis, part: Outlined) -> SopInstanceUid:
    """Return the SOP Instance UID of the object for `part`; the same analysis gives the same one."""
    return part_uid(recorded, KIND, part.number)


def segmentation(part: Outlined, recorded: RecordedAnalysis, device: ReportingDevice) -> Dataset:
    """Return the object for `part`; the same arguments give the same bytes.

    Binary, because every viewer reads it; a label map would be smaller. Stills without a frame of reference reference
    their image alone, as the Segmentation IOD allows.

    Raises:
        UnreadableInstance: a source image cannot be read.

    Source: PS3.3 A.51 (Segmentation IOD), C.8.20.
    """
    sources = [_source(path, mask) for path, mask in zip(part.paths, part.masks, strict=True)]
    clip = _as_still(sources[0]) if part.masks[0].frame_number is not None else None
    header = read_source_header(part.paths[0], part.masks[0].sop_instance_uid)
    created_at = recorded.recorded_at.astimezone(zone_of(header, device))
    # highdicom tells of odd patient data in its log; the data are copied by us afterwards.
    logging.getLogger(NOT_ASKED_FOR).setLevel(logging.ERROR)
    found = Segmentation(
        source_images=sources,
        pixel_array=np.stack([_pixels(mask) for mask in part.masks]),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(part, recorded, device)],
        series_instance_uid=series_uid(recorded, KIND),
        series_number=SERIES_NUMBER,
        series_description="AI outline, not a diagnosis",
        sop_instance_uid=segmentation_uid(recorded, part),
        instance_number=part.number,
        manufacturer="Acuity",
        manufacturer_model_name="Acuity",
        software_versions=device.software_version,
        device_serial_number=recorded.analysis.model.digest[:16],
        content_label="AI_OUTLINE",
        content_description="AI outline, not a diagnosis",
        omit_empty_frames=False,
    )
    _make_repeatable(found, recorded, part, created_at)
    if clip is not None:
        _name_frame(found, clip, part.masks[0].frame_number)
    if "FrameOfReferenceUID" not in found:
        found.PatientOrientation = ""
    found.SpecificCharacterSet = "ISO_IR 192"
    header.copy_to(found)
    return found


def _source(path: str, mask: Mask) -> Dataset:
    try:
        source = dcmread(Path(path), stop_before_pixels=True)
    except (OSError, InvalidDicomError, EOFError) as error:
        problem = f"{type(error).__name__} on reading its file, DICOM needed"
        raise UnreadableInstance(f"instance {mask.sop_instance_uid}: {problem}") from error
    # What a patient is called is copied by `SourceHeader`, which takes odd values as they are; highdicom would not.
    for keyword in REQUIRED:
        setattr(source, keyword, "")
    return source


def _as_still(clip: Dataset) -> str:
    """Make a clip's header look like that of one frame, which is all that highdicom takes without functional groups.

    Returns the SOP class that it had.
    """
    sop_class = str(clip.SOPClassUID)
    clip.SOPClassUID = UltrasoundImageStorage
    del clip.NumberOfFrames
    return sop_class


def _name_frame(found: Dataset, sop_class: str, frame_number: int | None) -> None:
    """Refer to the clip as what it is, and say which frame is outlined. Source: PS3.3 C.7.6.16.2.6."""
    for item in found.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
        item.ReferencedSOPClassUID = sop_class
    for groups in found.PerFrameFunctionalGroupsSequence:
        for derivation in groups.get("DerivationImageSequence", ()):
            for source in derivation.SourceImageSequence:
                source.ReferencedSOPClassUID, source.ReferencedFrameNumber = sop_class, frame_number


def _pixels(mask: Mask) -> NDArray[np.uint8]:
    bits = np.unpackbits(np.frombuffer(mask.bits(), dtype=np.uint8), count=mask.rows * mask.columns)
    return bits.reshape(mask.rows, mask.columns)


def _description(part: Outlined, recorded: RecordedAnalysis, device: ReportingDevice) -> SegmentDescription:
    model, finding = recorded.analysis.model, part.finding
    return SegmentDescription(
        segment_number=1,
        segment_label=finding.code.meaning[:64],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=_concept(finding.segmented or finding.code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=model.name,
            family=codes.DCM.ArtificialIntelligence,
            version=model.version,
            source="Acuity",
            parameters={"digest": model.digest, "acuity": device.software_version},
        ),
        tracking_uid=tracking_uid(recorded, finding.code, 1000 + part.number),
        tracking_id=f"{model.name} {part.number}",
    )


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _make_repeatable(found: Dataset, recorded: RecordedAnalysis, part: Outlined, created_at: datetime) -> None:
    """Replace what highdicom takes from the clock, from chance and from its own version number."""
    found.InstanceCreationDate = found.ContentDate = created_at.strftime("%Y%m%d")
    found.InstanceCreationTime = found.ContentTime = created_at.strftime("%H%M%S.%f")
    found.SeriesDate, found.SeriesTime = found.ContentDate, found.ContentTime
    if "ContributingEquipmentSequence" in found:
        del found.ContributingEquipmentSequence
    organisation = part_uid(recorded, f"{KIND}-dimensions", part.number)
    for item in (*found.DimensionOrganizationSequence, *found.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
