"""How the outlines of a model agree with those of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from inference.masks import unpacked
from triage.errors import InvalidDataset
from validation.answers import ImageAnswer, StudyAnswer
from validation.labelled_images import Dataset

INSIDE = 127
"""Pixels of a mask file above this lie inside the lesion."""


@dataclass(frozen=True, slots=True)
class DiceFigures:
    """Dice coefficients: of all slices of a study together where images form volumes (`per` "study"), else of images.

    A missed lesion, and an outline where there is none, count 0; where both are empty there is nothing to compare, and
    `n_both_empty` says how often. Refused studies are left out.

    Source: L. Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 26 (1945).
    """

    per: str
    values: tuple[float, ...]
    n_both_empty: int


def dice_figures(answers: Sequence[StudyAnswer], dataset: Dataset) -> DiceFigures | None:
    """Return how outlines agree, None where the set has none.

    An empty cell in the mask column means an image without a lesion.

    Raises:
        InvalidDataset: a mask file cannot be read or has another size than its image's outline.
    """
    columns = dataset.description.columns
    if columns is None or columns.mask is None:
        return None
    per = "image" if columns.order is None else "study"
    values, both_empty = [], 0
    for answer in (one for one in answers if one.probability is not None):
        counts = [_overlap(image, dataset, columns.mask) for image in answer.images]
        for common, total in counts if per == "image" else [tuple(np.sum(counts, axis=0))]:
            if total:
                values.append(float(2 * common / total))
            else:
                both_empty += 1
    return DiceFigures(per, tuple(values), both_empty)


def _overlap(answer: ImageAnswer, dataset: Dataset, column: str) -> tuple[int, int]:
    """Return the pixels that both outlines share, and the sum of the pixels of each."""
    name = answer.image.row.get(column, "")
    truth = read_mask(dataset, name) if name else None
    if answer.outline is None or truth is None:
        return 0, int(truth.sum()) if truth is not None else _pixels(answer)
    found = unpacked(answer.outline)
    if found.shape != truth.shape:
        sizes = " and ".join("x".join(map(str, one.shape)) for one in (truth, found))
        raise InvalidDataset(f"{dataset.folder.name}/{name}: sizes of mask and image {sizes}, needed the same")
    return int((found & truth).sum()), int(found.sum() + truth.sum())


def _pixels(answer: ImageAnswer) -> int:
    return int(unpacked(answer.outline).sum()) if answer.outline is not None else 0


def read_mask(dataset: Dataset, name: str) -> NDArray[np.bool_]:
    """Return where the lesion lies, shape (rows, columns); raises InvalidDataset where the file cannot be read."""
    try:
        with Image.open(dataset.folder / name) as opened:
            return np.asarray(opened.convert("L")) > INSIDE
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise InvalidDataset(f"{dataset.folder.name}/{name}: cannot be decoded ({type(error).__name__})") from error
