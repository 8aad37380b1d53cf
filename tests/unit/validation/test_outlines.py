"""Dice against the masks of a data set: per image or per study, a missed lesion counted, an impossible size named."""

import base64
import zlib

import numpy as np
import pytest
from PIL import Image

from triage.errors import InvalidDataset
from triage.findings import Mask
from triage.identifiers import Sha256, SopInstanceUid
from validation.answers import ImageAnswer, StudyAnswer
from validation.dataset_description import Columns, Description, StoredValues
from validation.labelled_images import Dataset, LabelledImage, LabelledStudy
from validation.outlines import dice_figures

BOX = np.zeros((20, 20), dtype=bool)
BOX[5:15, 5:15] = True
HALF = np.zeros((20, 20), dtype=bool)
HALF[5:15, 5:10] = True
EMPTY = np.zeros((20, 20), dtype=bool)


def a_dataset(folder, order):
    columns = Columns("image", "study", "label", "patient", order, "mask", ())
    description = Description("set", "MR", "BRAIN", "", "", "", columns, StoredValues(1, 0, "stored"), ())
    return Dataset(folder, description, False, (), (), 0, Sha256("0" * 64))


def an_answer(folder, pairs, probability=0.5):
    """Return an answer about images whose true and found outlines are the `pairs`; None where there is none."""
    images = []
    for number, (truth, found) in enumerate(pairs):
        name = f"m{number}.png" if truth is not None else ""
        if truth is not None:
            Image.fromarray(truth.astype(np.uint8) * 255).save(folder / name)
        image = LabelledImage(folder / "x", f"{number}", Sha256("0" * 64), "s", "p", None, True, {"mask": name})
        outline = None
        if found is not None:
            packed = base64.b64encode(zlib.compress(np.packbits(found).tobytes())).decode()
            outline = Mask(SopInstanceUid("1"), *found.shape, packed)
        images.append(ImageAnswer(image, str(number), 0.5, outline))
    study = LabelledStudy("s", "p", tuple(one.image for one in images), True, {})
    return StudyAnswer(study, probability, tuple(images), "", (), "")


def test_stills_are_compared_one_by_one_and_a_missed_lesion_counts(tmp_path):
    answer = an_answer(tmp_path, [(BOX, BOX), (BOX, HALF), (BOX, None), (None, BOX), (None, None), (EMPTY, None)])

    dice = dice_figures([answer], a_dataset(tmp_path, None))

    assert dice.per == "image"
    assert dice.values == pytest.approx((1.0, 2 / 3, 0.0, 0.0))
    assert dice.n_both_empty == 2


def test_the_slices_of_a_study_are_compared_together(tmp_path):
    answer = an_answer(tmp_path, [(BOX, HALF), (None, HALF), (None, None)])

    dice = dice_figures([answer], a_dataset(tmp_path, "slice"))

    assert (dice.per, dice.n_both_empty) == ("study", 0)
    assert dice.values == pytest.approx((2 * 50 / (100 + 50 + 50),))


def test_refused_studies_are_left_out(tmp_path):
    refused = an_answer(tmp_path, [(BOX, None)], probability=None)

    assert dice_figures([refused], a_dataset(tmp_path, None)).values == ()


def test_a_mask_of_another_size_is_named(tmp_path):
    answer = an_answer(tmp_path, [(np.ones((10, 20), dtype=bool), BOX)])

    with pytest.raises(InvalidDataset, match=r"m0\.png: sizes of mask and image 10x20 and 20x20, needed the same"):
        dice_figures([answer], a_dataset(tmp_path, None))


def test_a_mask_that_is_no_image_is_named(tmp_path):
    answer = an_answer(tmp_path, [(BOX, BOX)])
    (tmp_path / "m0.png").write_text("no image")

    with pytest.raises(InvalidDataset, match=r"m0\.png: cannot be decoded"):
        dice_figures([answer], a_dataset(tmp_path, None))
