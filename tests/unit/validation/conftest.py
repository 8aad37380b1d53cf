"""Small labelled data sets, written by hand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CT_TOML = """
name = "small_ct"
modality = "CT"
body_part = "HEAD"
task = "intracranial haemorrhage"
licence = "CC0"
citation = "nobody"

[columns]
image = "image"
study = "patient"
order = "slice"
image_label = "bleed"
subgroups = ["centre", "absent"]

[stored_values]
slope = 0.47058823529411764
intercept = -20.0
unit = "HU"
"""
CT_ROWS = (
    {"image": "images/a2.png", "patient": "a", "slice": "2", "bleed": "1", "centre": "north"},
    {"image": "images/a1.png", "patient": "a", "slice": "1", "bleed": "0", "centre": "north"},
    {"image": "images/a4.png", "patient": "a", "slice": "4", "bleed": "0", "centre": "north"},
    {"image": "images/b1.png", "patient": "b", "slice": "1", "bleed": "0", "centre": "south"},
    {"image": "images/b2.png", "patient": "b", "slice": "2", "bleed": "", "centre": "south"},
    {"image": "images/c1.png", "patient": "c", "slice": "1", "bleed": "", "centre": "south"},
)
"""Slice a3 is missing; b has one slice without a label, c no label at all."""

STILLS_TOML = """
name = "stills"
modality = "{modality}"
body_part = "{body_part}"
task = "{task}"

[columns]
image = "image"
study = "study"
patient = "patient"
image_label = "finding"
"""

WriteDataset = Callable[..., Path]


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Return a function that writes a data set of 8-bit images, 24 rows and 32 columns, each of other pixels."""

    def write(
        toml: str = CT_TOML, rows: Sequence[Mapping[str, str]] = CT_ROWS, name: str = "data", image: str = "image"
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "dataset.toml").write_text(toml, encoding="utf-8")
        lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
        (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        random = np.random.default_rng(1)
        for row in rows:
            if row.get(image):
                path = folder / row[image]
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(random.integers(0, 256, (24, 32), dtype=np.uint8)).save(path)
        return folder

    return write


@pytest.fixture
def stills(write_dataset: WriteDataset) -> Callable[..., Path]:
    """Return a function that writes single images: two of patient p, one of patient q, JPEG."""

    def write(modality: str, body_part: str = "", task: str = "", **columns: str) -> Path:
        rows = [
            {"image": f"{name}.jpg", "study": study, "patient": patient, "finding": label} | columns
            for name, study, patient, label in (("1", "s", "p", "0"), ("2", "s", "p", "1"), ("3", "t", "q", "0"))
        ]
        toml = STILLS_TOML.format(modality=modality, body_part=body_part, task=task)
        if modality == "MR":
            toml = toml.replace("[columns]", '[columns]\norder = "slice"')
            for number, row in enumerate(rows):
                row["slice"] = str(number)
        return write_dataset(toml, rows)

    return write
