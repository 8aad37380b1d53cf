"""The content of a report: a TID 1500 Measurement Report about what one model said about one series.

The tree keeps to what stock OHIF opens without crashing: an Image Library and an Imaging Measurements container are
always there, and every measurement group has exactly one 2-D region. Source: PS3.16 TID 1500, 1410, 1600, 4019.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    GraphicTypeValues,
    ImageContentItem,
    ImageRegion,
    LanguageOfContentItemAndDescendants,
    Measurement,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.coding import Code as DicomCode

from dicom_gateway.results import codes
from dicom_gateway.results.uids import device_uid, tracking_uid
from triage.errors import InvalidGeometry
from triage.findings import Finding, Region
from triage.identifiers import SopInstanceUid
from triage.ports import RecordedAnalysis
from triage.study import ImageHeader, Series

NOT_A_DIAGNOSIS = "AI result, not a diagnosis"

_DISCLAIMER = (
    f"{NOT_A_DIAGNOSIS}. For research use, not verified by a person. "
    "A finding that is absent here has not been excluded."
)

_WHOLE_FINDING = "Long axis and volume are of all that was outlined for this finding, on every image."

_NO_LOCATION = "No location was computed: the region is the whole of the image with the highest score."


@dataclass(frozen=True, slots=True)
class _Mark:
    """One region of a finding with its place in the finding's list, counted from 1."""

    finding: Finding
    region: Region
    number: int
    count: int
    located: bool

    @property
    def label(self) -> str:
        suffix = f", region {self.number} of {self.count}" if self.count > 1 else ""
        return f"{self.finding.code.meaning}{suffix}"


def report_content(series: Series, recorded: RecordedAnalysis, software_version: str) -> ContainerContentItem:
    """Return the root container of the report on `recorded`, which is an analysis of `series`.

    Raises:
        InvalidGeometry: a region lies on an image that is not one of the series.
    """
    items = ContentSequence()
    items.extend(LanguageOfContentItemAndDescendants(CodedConcept.from_code(codes.ENGLISH)))
    items.extend(_observation_context(software_version))
    items.append(
        CodeContentItem(
            codes.PROCEDURE_REPORTED,
            codes.PROCEDURES.get(series.header.modality, codes.IMAGING_PROCEDURE),
            RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    items.append(_image_library(series))
    items.append(_measurements(series, recorded))
    items.append(_evaluations(recorded))
    root = ContainerContentItem(codes.IMAGING_MEASUREMENT_REPORT, template_id="1500")
    root.ContentSequence = items
    return root


def _observation_context(software_version: str) -> ObservationContext:
    """Say that a device observed: Acuity in this version. Source: PS3.16 TID 1001, 1004."""
    device = DeviceObserverIdentifyingAttributes(
        uid=device_uid(software_version),
        name="Acuity",
        manufacturer_name="Acuity",
        model_name=f"Acuity {software_version}",
    )
    return ObservationContext(ObserverContext(CodedConcept.from_code(codes.DEVICE), device))


def _image_library(series: Series) -> ContainerContentItem:
    """List the analysed images, grouped by what they have in common. Source: PS3.16 TID 1600 to 1602."""
    groups: dict[tuple[str, int, int], ContentSequence] = {}
    for image in series.images:
        key = (image.sop_class_uid, image.rows, image.columns)
        if key not in groups:
            groups[key] = ContentSequence(list(_image_descriptors(series, image)))
        groups[key].append(
            ImageContentItem(
                codes.SOURCE,
                referenced_sop_class_uid=image.sop_class_uid,
                referenced_sop_instance_uid=image.sop_instance_uid,
                relationship_type=RelationshipTypeValues.CONTAINS,
            )
        )
    return _container(codes.IMAGE_LIBRARY, [_container(codes.IMAGE_LIBRARY_GROUP, items) for items in groups.values()])


def _image_descriptors(series: Series, image: ImageHeader) -> Iterator[ContentItem]:
    acquired = RelationshipTypeValues.HAS_ACQ_CONTEXT
    modality = codes.MODALITIES.get(series.header.modality)
    if modality is not None:
        yield CodeContentItem(codes.MODALITY, modality, acquired)
    yield NumContentItem(codes.PIXEL_DATA_ROWS, image.rows, codes.PIXELS, relationship_type=acquired)
    yield NumContentItem(codes.PIXEL_DATA_COLUMNS, image.columns, codes.PIXELS, relationship_type=acquired)


def _measurements(series: Series, recorded: RecordedAnalysis) -> ContainerContentItem:
    """Say each flagged finding once per region, so that every viewer shows every region."""
    images = {image.sop_instance_uid: image for image in series.images}
    groups = [
        group
        for finding in recorded.analysis.findings
        if finding.flagged
        for mark in _marks(finding, series)
        for group in _group(mark, images, recorded)
    ]
    return _container(codes.IMAGING_MEASUREMENTS, groups)


def _marks(finding: Finding, series: Series) -> Iterator[_Mark]:
    regions = finding.regions or (_whole_image(finding, series),)
    for number, region in enumerate(regions, start=1):
        yield _Mark(finding, region, number, len(regions), located=bool(finding.regions))


def _whole_image(finding: Finding, series: Series) -> Region:
    """Return the outline of the image with the highest score: OHIF crashes on a group without a region."""
    best = max(finding.image_scores, key=lambda score: score.probability, default=None)
    uid = best.sop_instance_uid if best else series.images[0].sop_instance_uid
    image = next((one for one in series.images if one.sop_instance_uid == uid), series.images[0])
    return Region(
        sop_instance_uid=uid,
        box=(0.0, 0.0, float(image.columns), float(image.rows)),
        probability=best.probability if best else finding.probability,
        frame_number=best.frame_number if best else None,
    )


def _group(
    mark: _Mark, images: Mapping[SopInstanceUid, ImageHeader], recorded: RecordedAnalysis
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return the measurement group of one region. Source: PS3.16 TID 1410."""
    finding = mark.finding
    image = images.get(mark.region.sop_instance_uid)
    if image is None:
        raise InvalidGeometry(
            f"{recorded.study_instance_uid}: a region on image {mark.region.sop_instance_uid}, "
            f"needed one of the {len(images)} images of {recorded.analysis.series_instance_uid}"
        )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(tracking_uid(recorded, finding.code, mark.number), mark.label),
        referenced_region=_region(mark.region, image),
        finding_type=codes.concept(finding.code),
        algorithm_id=_algorithm(recorded, [finding]),
        measurements=[
            Measurement(codes.CERTAINTY_OF_FINDING, _percent(finding.probability), codes.PERCENT),
            Measurement(codes.PROBABILITY, _percent(mark.region.probability), codes.PERCENT),
            *_measured(mark),
        ],
        qualitative_evaluations=[QualitativeEvaluation(codes.PRIORITY, codes.ACTIONABLE[finding.raises_to])],
    )
    if not mark.located:
        group[0].ContentSequence.append(_comment(_NO_LOCATION))
    if mark.count > 1 and _measured(mark):
        group[0].ContentSequence.append(_comment(_WHOLE_FINDING))
    return group


def _measured(mark: _Mark) -> list[Measurement]:
    """Return what was measured of the whole finding; it is said once, with the first of its regions.

    A group of its own would need a region of its own: OHIF crashes on a group without one.
    """
    if mark.number > 1:
        return []
    return [
        Measurement(codes.concept(one.quantity), round(one.value, 4), codes.unit(one.unit))
        for one in mark.finding.measurements
    ]


def _region(region: Region, image: ImageHeader) -> ImageRegion:
    """Return the closed outline of the box in (column, row) pairs. Source: PS3.3 C.18.6.1.1."""
    left, top, right, bottom = region.box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], dtype=np.float32)
    return ImageRegion(
        GraphicTypeValues.POLYLINE,
        corners,
        SourceImageForRegion(
            referenced_sop_class_uid=image.sop_class_uid,
            referenced_sop_instance_uid=image.sop_instance_uid,
            referenced_frame_numbers=[region.frame_number] if region.frame_number is not None else None,
        ),
    )


def _evaluations(recorded: RecordedAnalysis) -> ContainerContentItem:
    """Say for the study how the analysis ended, by which algorithm, and that nobody has verified it."""
    flagged = any(finding.flagged for finding in recorded.analysis.findings)
    outcome = CodeContentItem(
        codes.PROCESSING_SUMMARY,
        codes.SUCCEEDED_WITH_FINDINGS if flagged else codes.SUCCEEDED_WITHOUT_FINDINGS,
        RelationshipTypeValues.CONTAINS,
    )
    outcome.ContentSequence = ContentSequence(_algorithm(recorded, recorded.analysis.findings))
    return _container(codes.QUALITATIVE_EVALUATIONS, [outcome, _comment(_DISCLAIMER)])


def _algorithm(recorded: RecordedAnalysis, findings: tuple[Finding, ...] | list[Finding]) -> AlgorithmIdentification:
    """Return who computed it and with which settings. Source: PS3.16 TID 4019."""
    analysis = recorded.analysis
    looked_for = (
        f"finding ({one.code.value}, {one.code.scheme}, {one.code.meaning}): "
        f"operating point {one.operating_point}, threshold {one.threshold}"
        for one in findings
    )
    return AlgorithmIdentification(
        name=analysis.model.name,
        version=analysis.model.version,
        family=codes.ARTIFICIAL_INTELLIGENCE,
        parameters=[
            f"bundle sha256:{analysis.model.digest}",
            f"input sha256:{recorded.input_digest}",
            f"execution provider {analysis.provider}",
            *looked_for,
            *(f"image quality: {note}" for note in analysis.quality),
        ],
    )


def _comment(text: str) -> TextContentItem:
    return TextContentItem(codes.COMMENT, text, RelationshipTypeValues.CONTAINS)


def _container(name: DicomCode, items: list[ContentItem] | ContentSequence) -> ContainerContentItem:
    """Return a container; an empty one has no Content Sequence at all, as its type 1C asks."""
    container = ContainerContentItem(name, relationship_type=RelationshipTypeValues.CONTAINS)
    if len(items):
        container.ContentSequence = items if isinstance(items, ContentSequence) else ContentSequence(items)
    return container


def _percent(share: float) -> float:
    """Return a share of 0 to 1 in percent, with as many digits as a decimal string of 16 characters always holds."""
    return round(share * 100, 4)
