"""What a model outlined as DICOM objects: Segmentation, BINARY, one segment for each flagged finding.

BINARY because every viewer and archive that knows segmentations at all draws it, and because a mask here is a yes or
no for each pixel. LABELMAP (PS3.3 2024, a SOP class of its own) is smaller with many segments, of which there is
usually one here, and few viewers open it yet.

Each frame of the object refers to the image, or to the frame of it, that was outlined, by its Derivation Image
functional group; that makes the object valid for ultrasound stills and cine, which have no frame of reference and no
plane. Images that say where they lie in the patient (CT, MR) pass their plane and frame of reference on. highdicom's
`Segmentation` takes one frame only where there is no frame of reference, and no cine, so the functional groups are
put together here, from highdicom's parts.

Source: PS3.3 A.51 (Segmentation IOD), C.8.20.2 (Segmentation Image), C.7.6.17 (Multi-frame Dimension).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import AlgorithmIdentificationSequence, SOPClass
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as known_codes
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from dicom_gateway.results import codes
from dicom_gateway.results.mask_pixels import mask_pixels, packed_frames
from dicom_gateway.results.report_content import NOT_A_DIAGNOSIS
from dicom_gateway.results.source_frames import SourceFrame, read_frames
from dicom_gateway.results.source_header import read_source_header
from dicom_gateway.results.structured_report import ReportingDevice, make_repeatable, recorded_at
from dicom_gateway.results.uids import derived_item_uid, device_uid, report_uid, series_uid, tracking_uid
from triage.errors import InvalidGeometry
from triage.findings import Finding, Mask
from triage.identifiers import SopInstanceUid
from triage.ports import RecordedAnalysis
from triage.study import ImageHeader, Series

KIND = "seg"
SEGMENTATION_CLASS_UID = str(SegmentationStorage)

SERIES_NUMBER = 9302
"""High, so that it is listed below the images of its study, and next to the report."""

_SEGMENT = (0x0062000A, 0x0062000B)
_POSITION = (0x00209113, 0x00200032)
_PLACE_IN_STACK = (0x00209111, 0x00209057)
"""Dimension index pointers, as functional group and attribute: Referenced Segment Number, Image Position (Patient),
In-Stack Position Number."""

_Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Outline:
    """What goes into one object: the masks of each finding on images that one object can hold.

    `number` counts the objects of an analysis from 1: images of one size share one, a multi-frame image has its own.
    """

    number: int
    findings: tuple[tuple[Finding, tuple[Mask, ...]], ...]

    def sop_instance_uid(self, recorded: RecordedAnalysis) -> SopInstanceUid:
        """Return the UID of the object: the same study, images and model give the same one."""
        return report_uid(recorded, KIND if self.number == 1 else f"{KIND} {self.number}")


def outlines_of(series: Series, recorded: RecordedAnalysis) -> tuple[Outline, ...]:
    """Return what the flagged findings of `recorded` outline; nothing where there are no masks.

    Raises:
        InvalidGeometry: a mask is of an image that is not one of the series, or has another size.
    """
    images = {image.sop_instance_uid: image for image in series.images}
    groups: dict[str, dict[int, list[Mask]]] = {}
    findings = [finding for finding in recorded.analysis.findings if finding.flagged]
    for number, finding in enumerate(findings):
        for mask in finding.masks:
            image = _image_of(mask, images, recorded)
            key = image.sop_instance_uid if image.number_of_frames > 1 else f"{image.rows}x{image.columns}"
            groups.setdefault(key, {}).setdefault(number, []).append(mask)
    return tuple(
        Outline(place, tuple((findings[number], tuple(masks)) for number, masks in group.items()))
        for place, group in enumerate(groups.values(), start=1)
    )


def segmentation(outline: Outline, series: Series, recorded: RecordedAnalysis, device: ReportingDevice) -> Dataset:
    """Return the object that holds `outline`; the same arguments give the same bytes.

    Raises:
        UnreadableInstance: a file of the series cannot be read.
        InvalidGeometry: a mask holds another number of pixels than it says.
    """
    header = read_source_header(series.files[0].path, series.images[0].sop_instance_uid)
    written_at = recorded_at(recorded, header, device)
    held = SOPClass(
        study_instance_uid=recorded.study_instance_uid,
        series_instance_uid=series_uid(recorded, KIND),
        series_number=SERIES_NUMBER,
        series_description=NOT_A_DIAGNOSIS,
        sop_instance_uid=outline.sop_instance_uid(recorded),
        sop_class_uid=SEGMENTATION_CLASS_UID,
        instance_number=outline.number,
        modality="SEG",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        manufacturer="Acuity",
        manufacturer_model_name="Acuity",
        device_serial_number=device_uid(device.software_version),
        software_versions=device.software_version,
        content_date=written_at.date(),
        content_time=written_at.time(),
        specific_character_set="ISO_IR 192",
    )
    make_repeatable(held, written_at)
    _add_segments(held, outline, recorded)
    frames = _in_order(read_frames(series, _keys(outline)))
    _add_frames(held, outline, frames, recorded)
    _add_pixels(held, outline, frames)
    _add_references(held, frames, recorded)
    header.copy_to(held)
    return held


def _image_of(mask: Mask, images: dict[SopInstanceUid, ImageHeader], recorded: RecordedAnalysis) -> ImageHeader:
    where = f"{recorded.study_instance_uid}: a mask on image {mask.sop_instance_uid}"
    image = images.get(mask.sop_instance_uid)
    if image is None:
        raise InvalidGeometry(f"{where}, needed one of the {len(images)} of {recorded.analysis.series_instance_uid}")
    if (mask.rows, mask.columns) != (image.rows, image.columns):
        raise InvalidGeometry(f"{where}: {mask.rows}x{mask.columns} pixels, needed {image.rows}x{image.columns}")
    frames = image.number_of_frames
    if not 1 <= (mask.frame_number or 1) <= frames or (mask.frame_number is None and frames > 1):
        raise InvalidGeometry(f"{where}: frame {mask.frame_number}, needed 1 to {frames}")
    return image


def _keys(outline: Outline) -> list[_Key]:
    """Return the images, or frames of them, that have a mask, each once."""
    return list(dict.fromkeys(_key(mask) for _, masks in outline.findings for mask in masks))


def _key(of: Mask | SourceFrame) -> _Key:
    return str(of.sop_instance_uid), of.frame_number


def _in_order(frames: Sequence[SourceFrame]) -> list[SourceFrame]:
    """Return frames along their normal where all of them say where they lie, else as they come."""
    return sorted(frames, key=lambda frame: frame.height_mm) if _placed(frames) else list(frames)


def _placed(frames: Sequence[SourceFrame]) -> bool:
    return all(frame.placed for frame in frames) and len({frame.frame_of_reference_uid for frame in frames}) == 1


def _add_segments(held: Dataset, outline: Outline, recorded: RecordedAnalysis) -> None:
    """Say what is segmented, and by which algorithm. Source: PS3.3 C.8.20.2, C.8.20.4."""
    held.ContentLabel = "LESION"
    held.ContentDescription = NOT_A_DIAGNOSIS
    held.ContentCreatorName = ""
    held.SegmentationType = "BINARY"
    held.SegmentSequence = [
        _segment(number, finding, recorded) for number, (finding, _) in enumerate(outline.findings, start=1)
    ]


def _segment(number: int, finding: Finding, recorded: RecordedAnalysis) -> Dataset:
    model = recorded.analysis.model
    algorithm = AlgorithmIdentificationSequence(
        name=model.name[:64],
        version=model.version[:64],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        source="Acuity",
        parameters={
            "bundle sha256": model.digest,
            "input sha256": recorded.input_digest,
            "operating point": finding.operating_point,
            "threshold": str(finding.threshold),
        },
    )
    segment = SegmentDescription(
        segment_number=number,
        segment_label=finding.code.meaning[:64],
        segmented_property_category=known_codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.concept(finding.segmented or finding.code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        # The first measurement group of the finding in the report has the same tracking UID.
        tracking_uid=tracking_uid(recorded, finding.code, 1),
        tracking_id=finding.code.meaning[:64],
    )
    segment.SegmentDescription = f"{NOT_A_DIAGNOSIS}; probability of the finding {finding.probability:.3f}"
    return segment


def _add_frames(held: Dataset, outline: Outline, frames: Sequence[SourceFrame], recorded: RecordedAnalysis) -> None:
    """Add the functional groups and the dimensions: segment first, then place. Source: PS3.3 C.7.6.16, C.7.6.17."""
    placed = _placed(frames)
    shared = _shared_groups(frames, placed)
    if placed:
        held.FrameOfReferenceUID = frames[0].frame_of_reference_uid
        held.PositionReferenceIndicator = ""
    else:
        # Type 2C without a plane: present, and empty as the images do not say. Source: PS3.3 C.7.6.1.
        held.PatientOrientation = None
    organisation = derived_item_uid(recorded, "dimensions", outline.number)
    held.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    held.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=BaseTag(attribute),
            FunctionalGroupPointer=BaseTag(group),
        )
        for group, attribute in (_SEGMENT, _POSITION if placed else _PLACE_IN_STACK)
    ]
    held.SharedFunctionalGroupsSequence = [shared]
    held.PerFrameFunctionalGroupsSequence = [
        _groups_of(segment, place, frame, shared, placed) for segment, place, frame, _ in _frames_of(outline, frames)
    ]


def _frames_of(outline: Outline, frames: Sequence[SourceFrame]) -> Iterator[tuple[int, int, SourceFrame, Mask]]:
    """Yield segment and place, both counted from 1, source and mask of each frame of the object, in its order."""
    for segment, (_, masks) in enumerate(outline.findings, start=1):
        of_key = {_key(mask): mask for mask in masks}
        for place, frame in enumerate(frames, start=1):
            if (mask := of_key.get(_key(frame))) is not None:
                yield segment, place, frame, mask


def _shared_groups(frames: Sequence[SourceFrame], placed: bool) -> Dataset:
    """Return the item of those groups that are the same for all frames, never the position."""
    shared = Dataset()
    names = ("PixelMeasuresSequence", "PlaneOrientationSequence") if placed else ("PixelMeasuresSequence",)
    for name in names:
        first = frames[0].groups.get(name)
        if first is not None and all(frame.groups.get(name) == first for frame in frames):
            setattr(shared, name, [first])
    return shared


def _groups_of(segment: int, place: int, frame: SourceFrame, shared: Dataset, placed: bool) -> Dataset:
    content = _item(DimensionIndexValues=[segment, place])
    if not placed:
        content.StackID, content.InStackPositionNumber = "1", place
    groups = _item(
        FrameContentSequence=[content],
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=segment)],
        DerivationImageSequence=[_derivation(frame)],
    )
    if placed:
        for name, item in frame.groups.items():
            if name not in shared:
                setattr(groups, name, [item])
    return groups


def _derivation(frame: SourceFrame) -> Dataset:
    source = _reference(frame)
    source.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.SOURCE_IMAGE_FOR_PROCESSING)]
    source.SpatialLocationsPreserved = "YES"
    if frame.frame_number is not None:
        source.ReferencedFrameNumber = frame.frame_number
    return _item(
        DerivationCodeSequence=[CodedConcept.from_code(codes.SEGMENTATION_DERIVATION)], SourceImageSequence=[source]
    )


def _add_pixels(held: Dataset, outline: Outline, frames: Sequence[SourceFrame]) -> None:
    """Add the pixels, one bit each, and whether the segments overlap. Source: PS3.5 8.1.1, 8.2, annex D."""
    masks = [mask for _, _, _, mask in _frames_of(outline, frames)]
    held.ImageType = ["DERIVED", "PRIMARY"]
    held.SamplesPerPixel = 1
    held.PhotometricInterpretation = "MONOCHROME2"
    held.Rows, held.Columns = masks[0].rows, masks[0].columns
    held.BitsAllocated, held.BitsStored, held.HighBit, held.PixelRepresentation = 1, 1, 0, 0
    held.NumberOfFrames = len(masks)
    held.SegmentsOverlap = "YES" if _overlap(masks) else "NO"
    lossy = [frame.lossy for frame in frames if frame.lossy is not None]
    held.LossyImageCompression = "01" if lossy else "00"
    for keyword, value in (lossy[0] if lossy else {}).items():
        setattr(held, keyword, value)
    held.PixelData = packed_frames(masks)
    held["PixelData"].VR = "OB"


def _overlap(masks: Sequence[Mask]) -> bool:
    """Return whether two masks of one image share a pixel."""
    by_image: dict[_Key, list[Mask]] = {}
    for mask in masks:
        by_image.setdefault(_key(mask), []).append(mask)
    return any(
        bool((np.sum([mask_pixels(mask) for mask in together], axis=0) > 1).any())
        for together in by_image.values()
        if len(together) > 1
    )


def _add_references(held: Dataset, frames: Sequence[SourceFrame], recorded: RecordedAnalysis) -> None:
    """Name the images that the frames refer to. Source: PS3.3 C.12.2 (Common Instance Reference)."""
    sources = {frame.sop_instance_uid: frame for frame in frames}
    held.ReferencedSeriesSequence = [
        _item(
            SeriesInstanceUID=recorded.analysis.series_instance_uid,
            ReferencedInstanceSequence=[_reference(frame) for frame in sources.values()],
        )
    ]


def _reference(frame: SourceFrame) -> Dataset:
    return _item(ReferencedSOPClassUID=frame.sop_class_uid, ReferencedSOPInstanceUID=frame.sop_instance_uid)


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
