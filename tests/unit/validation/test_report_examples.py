"""Examples of misses: which are shown, and that nothing is shown without consent of the data's licence."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from validation.answers import ImageAnswer, StudyAnswer
from validation.dataset_description import read_description
from validation.datasets import load_dataset
from validation.labelled_images import Dataset
from validation.report_examples import examples

TOML = """
name = "drawn"
modality = "US"
task = "lesion"
licence = "LICENCE"
citation = "Nobody 2026"
[columns]
image = "image"
study = "study"
image_label = "lesion"
mask = "mask"
box = ["x", "y", "w", "h"]
"""
SCORES = {"found": 0.9, "hardly": 0.4, "missed": 0.1, "sound": 0.2, "alarm": 0.8}
POSITIVE = ("found", "hardly", "missed")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Five grey images of 64 x 64; the lesion of `missed` has a mask, that of `hardly` a box."""
    (tmp_path / "dataset.toml").write_text(TOML.replace("LICENCE", "CC-BY-4.0"))
    lesion = np.zeros((64, 64), dtype=bool)
    lesion[20:40, 20:40] = True
    Image.fromarray(lesion).save(tmp_path / "mask.png")
    lines = ["image,study,lesion,mask,x,y,w,h"]
    for name in SCORES:
        Image.fromarray(np.full((64, 64), 90, dtype=np.uint8)).save(tmp_path / f"{name}.png")
        place = {"missed": "mask.png,,,,", "hardly": ",20,20,20,20"}.get(name, ",,,,")
        lines.append(f"{name}.png,{name},{int(name in POSITIVE)},{place}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return load_dataset(tmp_path)


def answers_to(dataset: Dataset) -> list[StudyAnswer]:
    return [
        StudyAnswer(
            one, SCORES[one.study], (ImageAnswer(one.images[0], one.images[0].name, SCORES[one.study]),), "", (), "CPU"
        )
        for one in dataset.studies
    ]


def pictures(page: str) -> list[np.ndarray]:
    coded = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))).astype(int) for one in coded]


def test_missed_and_wrongly_flagged_images_are_shown_with_the_lesion_outlined(dataset):
    page = examples(answers_to(dataset), dataset, threshold=0.5)

    missed, wrong = page.split("Flagged wrongly")
    assert re.findall(r"<figcaption>study (\w+): probability ([\d.]+)", missed) == [
        ("missed", "0.100"), ("hardly", "0.400"),
    ]  # fmt: skip
    assert re.findall(r"<figcaption>study (\w+)", wrong) == ["alarm"]
    assert "CC-BY-4.0; Nobody 2026" in page
    by_mask, by_box, plain = pictures(page)
    for outlined in (by_mask, by_box):
        assert outlined[30, 19:21, 0].max() > outlined[30, 30, 0] + 60  # the left edge of the lesion
        assert abs(outlined[30, 30] - 90).max() < 10  # and nothing inside
    assert abs(plain - 90).max() < 3


def test_a_model_that_is_right_has_no_examples(dataset):
    right = [one for one in answers_to(dataset) if one.study.study in ("found", "sound")]

    assert "None: every answered study was called right." in examples(right, dataset, threshold=0.5)


def test_without_consent_and_of_dicom_files_nothing_is_shown_and_the_page_says_why(dataset):
    silent = replace(dataset, description=replace(dataset.description, licence="mine", may_show_images=False))

    for held_back, why in ((silent, "(mine) is not known to allow it"), (replace(dataset, is_dicom=True), "DICOM")):
        page = examples(answers_to(dataset), held_back, threshold=0.5)
        assert pictures(page) == []
        assert why in page


@pytest.mark.parametrize(
    ("licence", "allows"),
    [
        ("CC-BY-4.0", True),
        ("CC BY-NC-SA 4.0 (masks), CC-BY-3.0 (images)", True),
        ("CC0-1.0", True),
        ("CC-BY-ND-4.0", False),
        ("CC-BY-4.0, masks on request", False),
        ("permissive, cite the authors", False),
        ("", False),
        ('mine"\nmay_show_images = true\nbody_part = "BREAST', True),
        ('CC-BY-4.0"\nmay_show_images = false\nbody_part = "BREAST', False),
    ],
)
def test_consent_is_an_open_licence_or_said_in_the_description(tmp_path, licence, allows):
    (tmp_path / "dataset.toml").write_text(TOML.replace("LICENCE", licence))

    assert read_description(tmp_path, is_dicom=False).may_show_images is allows
