"""Head CT slices with labels, prepared exactly as in service and kept in memory."""

import csv
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.preprocess import resampled_planes
from inference.volume import Volume
from models.triage_spec import Preparation
from triage.errors import InvalidDataset
from triage.identifiers import SopInstanceUid

LABELS = ("hemorrhage", "intraventricular", "intraparenchymal", "subarachnoid", "epidural", "subdural")
"""The columns of `labels.csv` that are learned; the first one is what the model answers."""


@dataclass(frozen=True, slots=True)
class LabelledStudy:
    """One head CT on the network's grid.

    `planes` and `inside` have shape (slices, rows, columns), HU clipped to the window and 0 or 1; `labels` has shape
    (slices, len(LABELS)); `files` are the images, one per slice.
    """

    patient: str
    files: tuple[Path, ...]
    planes: NDArray[np.float32]
    inside: NDArray[np.float32]
    labels: NDArray[np.float32]

    @property
    def positive(self) -> bool:
        return bool(self.labels[:, 0].any())


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """All studies of a folder, in the order of the patients' names, with the SHA-256 over its labels and images."""

    name: str
    digest: str
    studies: tuple[LabelledStudy, ...]


def read_labelled_set(folder: Path, preparation: Preparation) -> LabelledSet:
    """Return the head CT data set in `folder` (`dataset.toml`, `labels.csv` and 8-bit images).

    A slice without a label is left out.

    Raises:
        InvalidDataset: a file or a column is missing.
    """
    try:
        description = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            labelled = description["columns"]["image_label"]
            rows = [row for row in csv.DictReader(file) if row[labelled]]
        column = description["columns"]["study"]
        studies = tuple(
            _study(folder, [row for row in rows if row[column] == patient], description, preparation)
            for patient in sorted({row[column] for row in rows})
        )
        digest = hashlib.sha256((folder / "labels.csv").read_bytes())
        for path in (path for study in studies for path in study.files):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return LabelledSet(str(description["name"]), digest.hexdigest(), studies)
    except (OSError, KeyError, ValueError) as problem:
        raise InvalidDataset(f"{folder.name}: {type(problem).__name__} {problem}") from problem


def _study(
    folder: Path, rows: list[dict[str, str]], description: Mapping[str, Mapping[str, str]], preparation: Preparation
) -> LabelledStudy:
    columns, stored = description["columns"], description["stored_values"]
    ordered = sorted(rows, key=lambda row: int(row[columns["order"]]))
    files = tuple(folder / row[columns["image"]] for row in ordered)
    values = np.stack([_values(path, float(stored["slope"]), float(stored["intercept"])) for path in files])
    uids = tuple(SopInstanceUid(str(number)) for number in range(len(values)))
    _, planes, inside = resampled_planes(
        Volume(values, "HU", (None, None, None), uids, (None,) * len(values)), preparation
    )
    return LabelledStudy(rows[0][columns["study"]], files, planes, inside, _labels(ordered, columns["image_label"]))


def _values(path: Path, slope: float, intercept: float) -> NDArray[np.float32]:
    with Image.open(path) as image:
        stored = np.asarray(image if image.mode.startswith("I") else image.convert("L"), dtype=np.float32)
    return stored * np.float32(slope) + np.float32(intercept)


def _labels(rows: Sequence[dict[str, str]], image_label: str) -> NDArray[np.float32]:
    """Return the labels of the rows; a subtype that the set has no column for counts as absent."""
    found = [[float(row[image_label]), *(float(row.get(name) or 0) for name in LABELS[1:])] for row in rows]
    return np.array(found, dtype=np.float32)
