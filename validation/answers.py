"""What a model says about one labelled study, by the same steps as for a live one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from inference.analyser import BundleAnalyser
from inference.volume import Volume
from models.bundle import Bundle
from triage.errors import InvalidGeometry, UnreadableInstance, UnsupportedPixels
from triage.findings import Finding, Mask, Region
from triage.identifiers import Sha256
from triage.selection import reason_against, select_series
from triage.study import InstanceHeader, Series, StoredFile
from validation.assumed_headers import assumed_series, assumed_volume
from validation.dataset_description import Description
from validation.image_files import read_image
from validation.labelled_images import Dataset, LabelledImage, LabelledStudy

HeaderReader = Callable[[Path], InstanceHeader]
"""How the gateway reads the header of a DICOM file; handed in, because edges do not import one another."""

PixelChange = Callable[[LabelledImage, NDArray[Any]], NDArray[Any]]
"""What a suite makes of the stored pixels of an image, shape (rows, columns), before the model sees them.

It travels to other processes, so it is a function of a module, or a `partial` of one.
"""

NOT_READABLE = (InvalidGeometry, UnsupportedPixels, UnreadableInstance)
"""What a live study would need attention for."""


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """The calibrated probability of one image; `name` is its path, with "#" and the number of the frame if it has.

    `outline` is None where the model outlined nothing; `regions` are the boxes that it drew.
    """

    image: LabelledImage
    name: str
    probability: float
    outline: Mask | None = None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """What the model said about a study; `refusal` says why it did not, and then `probability` is None."""

    study: LabelledStudy
    probability: float | None
    images: tuple[ImageAnswer, ...]
    refusal: str
    notes: tuple[str, ...]
    provider: str


def answer(
    study: LabelledStudy,
    dataset: Dataset,
    bundle: Bundle,
    analyser: BundleAnalyser,
    header_of: HeaderReader,
    member: int | None = None,
    change: PixelChange | None = None,
) -> StudyAnswer:
    """Return what the model of `bundle` says about `study`, or why it would not answer on a live one.

    With `member` that one network of the bundle's cross-validation answers; with `change`, on plain images only, the
    model sees altered pixels.

    DICOM files go the way of live studies: series selection, reading, quality, preparation, runtime. Plain images are
    held to the same rules as the DICOM objects that `to_dicom` makes of them.

    Raises:
        InvalidDataset: an image file cannot be decoded.
        InvalidBundle: the weights do not load.
        ProviderUnavailable: the device is not there.
    """
    try:
        if dataset.is_dicom:
            return _answer_on_dicom(study, bundle, analyser, header_of, member)
        parts = [
            _answer_on_images(assumed, bundle, analyser, member) for assumed in assumed_studies(study, dataset, change)
        ]
    except NOT_READABLE as error:
        return _refused(study, str(error))
    return _together(study, parts)


def _answer_on_dicom(
    study: LabelledStudy, bundle: Bundle, analyser: BundleAnalyser, header_of: HeaderReader, member: int | None
) -> StudyAnswer:
    selection = select_series(_series_of(study.images, header_of), bundle.spec.accepts)
    if selection.chosen is None:
        return _refused(study, selection.reason)
    analysis = analyser.analyse(bundle.identity, selection.chosen, member)
    if analysis.out_of_scope is not None:
        return _refused(study, analysis.out_of_scope)
    images = {image.sop_instance_uid: image for image in study.images}
    return _answered(study, images, analysis.findings, analysis.quality, analysis.provider)


def _series_of(images: Sequence[LabelledImage], header_of: HeaderReader) -> list[Series]:
    groups: dict[str, list[tuple[InstanceHeader, LabelledImage]]] = {}
    for image in images:
        header = header_of(image.path)
        groups.setdefault(header.series.series_instance_uid, []).append((header, image))
    return [
        Series(
            header=members[0][0].series,
            study_description=members[0][0].study.study_description,
            images=tuple(header.image for header, _ in members),
            files=tuple(_stored_file(image) for _, image in members),
        )
        for members in groups.values()
    ]


def _stored_file(image: LabelledImage) -> StoredFile:
    return StoredFile(Sha256(image.sha256), image.path.stat().st_size, str(image.path), "")


def _volumes(study: LabelledStudy, dataset: Dataset) -> list[LabelledStudy]:
    """Return the study itself where its images are slices of one volume, else one study per image."""
    columns = dataset.description.columns
    if columns is not None and columns.order is not None:
        return [study]
    return [LabelledStudy(study.study, study.patient, (one,), one.label, one.row) for one in study.images]


@dataclass(frozen=True, slots=True)
class AssumedStudy:
    """A study of plain images as the volume and the series that its DICOM objects would be."""

    study: LabelledStudy
    volume: Volume
    series: Series


def assumed_studies(
    study: LabelledStudy, dataset: Dataset, change: PixelChange | None = None
) -> Iterator[AssumedStudy]:
    """Yield a study of plain images as the model sees it: as one volume, or each image by itself.

    Raises:
        InvalidDataset: an image file cannot be decoded.
        InvalidGeometry: the images have different sizes.
    """
    for part in _volumes(study, dataset):
        yield _volume_of(part, dataset.description, change)


def _volume_of(study: LabelledStudy, description: Description, change: PixelChange | None) -> AssumedStudy:
    pixels = [read_image(image).pixels for image in study.images]
    if change is not None:
        pixels = [change(image, one) for image, one in zip(study.images, pixels, strict=True)]
    volume = assumed_volume(study, description, pixels)
    rows, columns = volume.values.shape[1:]
    return AssumedStudy(study, volume, assumed_series(study, description, (rows, columns)))


def _answer_on_images(
    assumed: AssumedStudy, bundle: Bundle, analyser: BundleAnalyser, member: int | None
) -> StudyAnswer:
    study, volume = assumed.study, assumed.volume
    if reason := reason_against(assumed.series, bundle.spec.accepts):
        return _refused(study, reason)
    found = analyser.analyse_volume(bundle, volume, member)
    if found.quality.refusal is not None:
        return _refused(study, found.quality.refusal)
    images = dict(zip(map(str, volume.sop_instance_uids), study.images, strict=True))
    return _answered(study, images, found.findings, found.quality.notes, found.provider)


def _answered(
    study: LabelledStudy,
    images: dict[str, LabelledImage],
    findings: Sequence[Finding],
    notes: tuple[str, ...],
    provider: str,
) -> StudyAnswer:
    highest = max(findings, key=lambda finding: finding.probability)
    outlines = {(mask.sop_instance_uid, mask.frame_number): mask for mask in highest.masks}
    answers = tuple(
        ImageAnswer(
            image=images[score.sop_instance_uid],
            name=images[score.sop_instance_uid].name + (f"#{score.frame_number}" if score.frame_number else ""),
            probability=score.probability,
            outline=outlines.get((score.sop_instance_uid, score.frame_number)),
            regions=tuple(
                region
                for region in highest.regions
                if (region.sop_instance_uid, region.frame_number) == (score.sop_instance_uid, score.frame_number)
            ),
        )
        for score in highest.image_scores
    )
    return StudyAnswer(study, highest.probability, answers, "", notes, provider)


def _together(study: LabelledStudy, parts: Sequence[StudyAnswer]) -> StudyAnswer:
    """Return one answer: the highest probability of the parts; refused when every part is."""
    given = [part.probability for part in parts if part.probability is not None]
    if not given:
        return _refused(study, parts[0].refusal)
    return StudyAnswer(
        study=study,
        probability=max(given),
        images=tuple(image for part in parts for image in part.images),
        refusal="",
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        provider=next(part.provider for part in parts if part.provider),
    )


def _refused(study: LabelledStudy, reason: str) -> StudyAnswer:
    return StudyAnswer(study, None, (), reason, (), "")
