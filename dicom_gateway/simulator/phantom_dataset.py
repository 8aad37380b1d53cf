"""Phantoms as a labelled data set, in the folder layout that training and validation read."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicom_gateway.simulator.phantoms import Phantom, ct_head

WINDOW_LOW_HU, WINDOW_WIDTH_HU = -20.0, 120.0
FEWEST_LESION_VOXELS = 15
"""A slice bleeds when this many of its voxels do; with fewer it stays without a label, as nobody could see them."""


def write_phantom_dataset(out: Path, studies: int, positive_rate: float, seed: int) -> None:
    """Write head CT phantoms as a data set: `dataset.toml`, `labels.csv` and 8-bit JPEG images in `images`.

    Args:
        out: folder, made where it is missing.
        studies: how many.
        positive_rate: share that bleeds; exactly `round(studies * positive_rate)` of them do.
        seed: the same seed writes the same images.
    """
    (out / "images").mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng([seed, 0]).permutation(studies)
    positive = set(order[: round(studies * positive_rate)].tolist())
    with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("image", "patient", "slice", "hemorrhage"))
        for number in range(studies):
            phantom = ct_head(np.random.default_rng([seed, number + 1]), number in positive)
            table.writerows(_write_study(out, number + 1, phantom))
    (out / "dataset.toml").write_text(_DESCRIPTION, encoding="utf-8")


def _write_study(out: Path, patient: int, phantom: Phantom) -> list[tuple[str, int, int, str]]:
    rows = []
    for index, (pixels, lesion) in enumerate(zip(phantom.pixels, phantom.lesion_mask, strict=True), start=1):
        name = f"images/p{patient:04d}_s{index:02d}.jpg"
        Image.fromarray(_windowed(pixels)).save(out / name, quality=95)
        count = int(lesion.sum())
        rows.append((name, patient, index, "" if 0 < count < FEWEST_LESION_VOXELS else str(int(count > 0))))
    return rows


def _windowed(pixels_hu: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 8-bit values of the window level 40 width 120 HU."""
    scaled = (pixels_hu - WINDOW_LOW_HU) * (255 / WINDOW_WIDTH_HU)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


_DESCRIPTION = """\
name = "acuity-phantoms"
modality = "CT"
body_part = "HEAD"
task = "intracranial haemorrhage"
licence = "Apache-2.0"
citation = "Synthetic head CT phantoms drawn by Acuity; no data of any person"

[columns]
image = "image"
study = "patient"        # rows of one study form one volume
order = "slice"          # caudal to cranial
image_label = "hemorrhage"
# a study is positive when one of its images is
# subgroups reported where the column exists
subgroups = []

[stored_values]          # 8-bit pixel v stands for slope * v + intercept
slope = 0.47058823529411764
intercept = -20.0
unit = "HU"
"""
