"""Labelled images of any modality, prepared exactly as in service and kept in memory."""

import csv
import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.head import Placement
from inference.preprocess import resampled_planes
from inference.volume import Volume
from models.triage_spec import Preparation
from triage.errors import InvalidDataset
from triage.identifiers import SopInstanceUid

Row = Mapping[str, str]
Targets = Callable[[Row], Sequence[float]]
"""From a row of `labels.csv` to what is learned: 0 or 1 per label, NaN where nobody knows."""


@dataclass(frozen=True, slots=True)
class ImageSet:
    """All images of a data set on the network's grid; entry i of everything belongs to image i.

    `planes` (n, rows, columns) are float16 from 0 to 1 of the preparation's value range, `lesion` of the same shape is
    the share of each cell that the mask covers, as 0 to 255; `lesion_known` says whether there is a mask to learn from.
    `before` and `after` are the indices of the neighbouring slices (the image itself where there is none).
    `targets` (n, labels) is NaN where unknown.
    """

    name: str
    digest: str
    folder: Path
    rows: tuple[Row, ...]
    files: tuple[Path, ...]
    mask_files: tuple[Path | None, ...]
    patients: NDArray[np.str_]
    studies: NDArray[np.str_]
    planes: NDArray[np.float16]
    lesion: NDArray[np.uint8]
    lesion_known: NDArray[np.bool_]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    targets: NDArray[np.float32]
    placements: tuple[Placement, ...]

    def __len__(self) -> int:
        return len(self.files)

    def column(self, name: str) -> NDArray[np.str_]:
        """Return what `labels.csv` says in one column."""
        return np.array([row.get(name, "") for row in self.rows])


def read_image_set(folder: Path, preparation: Preparation, targets: Targets) -> ImageSet:
    """Return the data set in `folder` (`dataset.toml`, `labels.csv`, 8-bit images and, where named, masks).

    Without `dataset.toml` each image is a study of its own, in the columns `image` and `patient`.

    Raises:
        InvalidDataset: a file or a column is missing.
    """
    try:
        name, columns = _described(folder)
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            rows = _in_order(list(csv.DictReader(file)), columns)
        return _image_set(folder, name, rows, columns, preparation, targets)
    except (OSError, KeyError, ValueError) as problem:
        raise InvalidDataset(f"{folder.name}: {type(problem).__name__} {problem}") from problem


def read_grey(path: Path) -> NDArray[np.float32]:
    """Return an image file as grey values (rows, columns)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Return a mask file as (rows, columns)."""
    return read_grey(path) > 127


def _described(folder: Path) -> tuple[str, Mapping[str, str]]:
    path = folder / "dataset.toml"
    if not path.is_file():
        return folder.name, {"image": "image", "study": "image", "patient": "patient"}
    description = tomllib.loads(path.read_text(encoding="utf-8"))
    columns = {key: value for key, value in description["columns"].items() if isinstance(value, str)}
    return str(description["name"]), columns


def _image_set(
    folder: Path, name: str, rows: list[Row], columns: Mapping[str, str], preparation: Preparation, targets: Targets
) -> ImageSet:
    files = tuple(folder / row[columns["image"]] for row in rows)
    masks = tuple(folder / row[columns["mask"]] if row.get(columns.get("mask", "")) else None for row in rows)
    digest = hashlib.sha256((folder / "labels.csv").read_bytes())
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    planes = np.zeros((len(rows), preparation.rows, preparation.columns), dtype=np.float16)
    placements: list[Placement] = []
    low, high = preparation.value_range
    for start, stop in _volumes(rows, columns):
        volume = as_volume([read_grey(path) for path in files[start:stop]])
        placement, prepared, _ = resampled_planes(volume, preparation)
        planes[start:stop] = (prepared - low) / (high - low)
        placements.extend([placement] * (stop - start))
    before, after = _neighbours(rows, columns)
    return ImageSet(
        name=name,
        digest=digest.hexdigest(),
        folder=folder,
        rows=tuple(rows),
        files=files,
        mask_files=masks,
        patients=np.array([row[columns.get("patient", columns["study"])] for row in rows]),
        studies=np.array([row[columns["study"]] for row in rows]),
        planes=planes,
        lesion=np.stack([_lesion(mask, place, preparation) for mask, place in zip(masks, placements, strict=True)]),
        lesion_known=np.full(len(rows), "mask" in columns),
        before=before,
        after=after,
        targets=np.array([targets(row) for row in rows], dtype=np.float32),
        placements=tuple(placements),
    )


def _in_order(rows: list[Row], columns: Mapping[str, str]) -> list[Row]:
    if "order" not in columns:
        return rows
    return sorted(rows, key=lambda row: (row[columns["study"]], int(row[columns["order"]])))


def _volumes(rows: Sequence[Row], columns: Mapping[str, str]) -> list[tuple[int, int]]:
    """Return the ranges of images that form one volume: the slices of a study, or each image for itself."""
    if "order" not in columns:
        return [(index, index + 1) for index in range(len(rows))]
    studies = [row[columns["study"]] for row in rows]
    starts = [index for index in range(len(rows)) if index == 0 or studies[index] != studies[index - 1]]
    return list(zip(starts, [*starts[1:], len(rows)], strict=True))


def _neighbours(rows: Sequence[Row], columns: Mapping[str, str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    before, after = np.arange(len(rows)), np.arange(len(rows))
    for start, stop in _volumes(rows, columns):
        before[start + 1 : stop] -= 1
        after[start : stop - 1] += 1
    return before, after


def as_volume(images: list[NDArray[np.float32]]) -> Volume:
    """Return images of one size as a volume in stored values."""
    uids = tuple(SopInstanceUid(str(number)) for number in range(len(images)))
    return Volume(np.stack(images), "stored", (None, None, None), uids, (None,) * len(images))


def _lesion(mask: Path | None, placement: Placement, preparation: Preparation) -> NDArray[np.uint8]:
    if mask is None:
        return np.zeros((preparation.rows, preparation.columns), dtype=np.uint8)
    covered = placement.sample(read_mask(mask)[np.newaxis].astype(np.float32), outside=0.0)[0]
    return np.asarray(np.round(covered * 255), dtype=np.uint8)
