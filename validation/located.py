"""How well the boxes of a model lie on the lesions of a data set: FROC per image."""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.errors import InvalidDataset
from validation.answers import ImageAnswer, StudyAnswer
from validation.discrimination import numbered
from validation.intervals import Interval
from validation.labelled_images import LABELS_FILE, Dataset
from validation.labels_table import Row
from validation.statistics.froc import Froc, Lesion, Mark, cpm_interval, froc, match

SEED = 1
HIT_RULE = (
    "per image; a box hits where its centre lies within half the longer side of the true box from that one's centre; "
    "further hits count as neither; a box that hits nothing is a false positive; lesions of negative images are none"
)


@dataclass(frozen=True, slots=True)
class LocatedFigures:
    """The FROC of the answered images, and the interval of its mean sensitivity over samples of patients."""

    froc: Froc
    interval: Interval | None


def located_figures(answers: Sequence[StudyAnswer], dataset: Dataset) -> LocatedFigures | None:
    """Return how well the boxes lie, None where the set has no boxes.

    Raises:
        InvalidDataset: a box is no four numbers, or has no size.
    """
    columns = dataset.description.columns
    if columns is None or not columns.box:
        return None
    images = [image for one in answers for image in one.images if image.image.label is not None]
    lesions = [box for image in images for box in _true_boxes(image, columns.box, dataset.folder.name)]
    marks = [
        Mark(image.name, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.0), region.probability)
        for image in images
        for region in image.regions
        for box in (region.box,)
    ]
    matched = match([image.name for image in images], lesions, marks)
    patients = numbered([image.image.patient for image in images], len(images))
    return LocatedFigures(froc(matched), cpm_interval(matched, SEED, groups=patients))


def _true_boxes(image: ImageAnswer, columns: Sequence[str], folder: str) -> list[Lesion]:
    row = Row(f"{folder}/{LABELS_FILE}: {image.name}", image.image.row)
    if not image.image.label or not all(image.image.row.get(column) for column in columns):
        return []
    left, top, width, height = (row.finite(column) for column in columns)
    if width <= 0 or height <= 0:
        raise InvalidDataset(f"{row.place}: box: found {width:g} x {height:g}, needed more than 0")
    return [Lesion(image.name, (left + width / 2, top + height / 2, 0.0), max(width, height) / 2)]
