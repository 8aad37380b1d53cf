"""Images that the model got wrong, in a report: only where the licence of the data allows that they are shown."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from validation.answers import ImageAnswer, StudyAnswer
from validation.dataset_description import DESCRIPTION_FILE
from validation.image_files import read_image
from validation.labelled_images import Dataset, LabelledImage
from validation.outlines import read_mask

SHOWN = 4
"""At most so many of each kind."""
LONGEST_SIDE = 320
QUALITY = 85
TRUTH_COLOUR = (255, 196, 0)


def examples(answers: Sequence[StudyAnswer], dataset: Dataset, threshold: float) -> str:
    """Return the section: positives that were missed by most, negatives that were flagged most surely.

    `threshold` is that of the active operating point. Without consent of the data's licence the section says so.

    Raises:
        InvalidDataset: an image or a mask cannot be decoded.
    """
    missed = sorted((one for one in answers if one.study.label and _below(one, threshold)), key=_probability)
    wrong = sorted((one for one in answers if not one.study.label and _from(one, threshold)), key=_probability)[::-1]
    title = "<h2>Examples of what the model got wrong</h2>"
    if not missed and not wrong:
        return f"{title}<p>None: every answered study was called right.</p>"
    if dataset.is_dicom:
        return f"{title}<p>None are shown: only plain images are, and this set is of DICOM files.</p>"
    licence = dataset.description.licence or "none named"
    if not dataset.description.may_show_images:
        return (
            f"{title}<p>None are shown: the licence of the data ({escape(licence)}) is not known to allow it. "
            f"<code>may_show_images = true</code> in {DESCRIPTION_FILE} says that it does.</p>"
        )
    return (
        f"{title}<p>Shown as the licence of the data allows: {escape(licence)}; {escape(dataset.description.citation)}."
        " Where the set outlines the lesion, it is outlined here.</p>"
        + _shown("Missed, the lowest probability first", missed, dataset, threshold)
        + _shown("Flagged wrongly, the highest probability first", wrong, dataset, threshold)
    )


def _probability(one: StudyAnswer) -> float:
    return one.probability or 0.0


def _below(one: StudyAnswer, threshold: float) -> bool:
    return one.probability is not None and one.probability < threshold


def _from(one: StudyAnswer, threshold: float) -> bool:
    return one.probability is not None and one.probability >= threshold


def _shown(said: str, wrong: Sequence[StudyAnswer], dataset: Dataset, threshold: float) -> str:
    if not wrong:
        return ""
    figures = "".join(_figure(one, _most_suspicious(one), dataset, threshold) for one in wrong[:SHOWN])
    return f'<h3>{said} ({min(SHOWN, len(wrong))} of {len(wrong)})</h3><div class="examples">{figures}</div>'


def _most_suspicious(one: StudyAnswer) -> ImageAnswer:
    """Return the image that the model found most suspicious, of those that show the lesion where the set says which."""
    positive = [image for image in one.images if image.image.label]
    return max(positive or one.images, key=lambda image: image.probability)


def _figure(one: StudyAnswer, image: ImageAnswer, dataset: Dataset, threshold: float) -> str:
    said = f"study {one.study.study}: probability {one.probability:.3f}, flagged from {threshold:.3f}"
    return (
        f'<figure><img alt="{escape(f"image {image.name} of {said}")}" src="{_picture(image.image, dataset)}">'
        f"<figcaption>{escape(said)}<br>{escape(image.name)}</figcaption></figure>"
    )


def _picture(image: LabelledImage, dataset: Dataset) -> str:
    """Return the image as an address that holds all of it."""
    pixels = read_image(image).pixels
    grey = pixels if pixels.dtype == np.uint8 else (pixels * (255.0 / max(1, pixels.max()))).astype(np.uint8)
    picture = _with_truth(np.stack([grey] * 3, axis=-1), image, dataset)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"


def _with_truth(colours: NDArray[np.uint8], image: LabelledImage, dataset: Dataset) -> Image.Image:
    columns = dataset.description.columns
    mask = image.row.get(columns.mask, "") if columns and columns.mask and image.label else ""
    if mask:
        lesion = read_mask(dataset, mask)
        width = max(1, round(max(lesion.shape) / LONGEST_SIDE))
        colours[ndimage.binary_dilation(lesion, iterations=width) & ~lesion] = TRUTH_COLOUR
    picture = Image.fromarray(colours)
    if not mask and columns and columns.box and image.label:
        box = _numbers(image.row.get(name, "") for name in columns.box)
        if len(box) == 4:
            left, top, width_of_box, height = box
            ImageDraw.Draw(picture).rectangle((left, top, left + width_of_box, top + height), outline=TRUTH_COLOUR)
    return picture


def _numbers(texts: Iterable[str]) -> list[float]:
    return [float(text) for text in texts if text]
