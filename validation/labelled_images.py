"""Images with what is true of them, grouped into studies and patients."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from triage.errors import InvalidDataset
from triage.identifiers import Sha256
from validation.dataset_description import Description

LABELS_FILE = "labels.csv"


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image file; `name` is its path inside the data set, `row` every column of its row in `labels.csv`.

    `label` is None where nobody has said. `sop_instance_uid` is empty for images that are not DICOM.
    """

    path: Path
    name: str
    sha256: Sha256
    study: str
    patient: str
    order: float | None
    label: bool | None
    row: Mapping[str, str]
    sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class LabelledStudy:
    """One study with its images in order; positive (`label` True) when one of its images is."""

    study: str
    patient: str
    images: tuple[LabelledImage, ...]
    label: bool | None
    row: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that is complete and contradicts itself nowhere.

    `studies` have a label; what nobody has labelled is left out of them: `unlabelled_rows` of `labels.csv`, whose
    images are `unlabelled`. `digest` is the SHA-256 over the lines "path<TAB>sha256<LF>" of all files, sorted by path.
    """

    folder: Path
    description: Description
    is_dicom: bool
    studies: tuple[LabelledStudy, ...]
    unlabelled: tuple[LabelledImage, ...]
    unlabelled_rows: int
    digest: Sha256


def studies_of(images: Iterable[LabelledImage], folder: Path) -> tuple[LabelledStudy, ...]:
    """Return the studies that `images` form, in the order of their first images, each with its images in order.

    Raises:
        InvalidDataset: a study belongs to two patients, or two of its images have one place.
    """
    groups: dict[str, list[LabelledImage]] = {}
    for image in images:
        groups.setdefault(image.study, []).append(image)
    return tuple(_study(name, members, f"{folder.name}/{LABELS_FILE}") for name, members in groups.items())


def content_digest(folder: Path, images: Iterable[LabelledImage], further_files: Sequence[str]) -> Sha256:
    """Return the SHA-256 over the lines "path<TAB>sha256<LF>", sorted by path, of images and those further files
    that there are."""
    found = {image.name: image.sha256 for image in images}
    found |= {name: file_sha256(folder / name) for name in further_files if (folder / name).is_file()}
    lines = (f"{name}\t{sha256}\n" for name, sha256 in sorted(found.items()))
    return Sha256(hashlib.sha256("".join(lines).encode()).hexdigest())


def file_sha256(path: Path) -> Sha256:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return Sha256(hashlib.file_digest(file, "sha256").hexdigest())


def _study(name: str, members: Sequence[LabelledImage], place: str) -> LabelledStudy:
    patients = sorted({image.patient for image in members})
    if len(patients) > 1:
        raise InvalidDataset(f"{place}: study {name}: patients {' and '.join(patients[:2])}, needed one")
    ordered = sorted(members, key=lambda image: image.order or 0.0)
    for before, after in pairwise(ordered):
        if before.order is not None and before.order == after.order:
            raise InvalidDataset(f"{place}: study {name}: {before.name} and {after.name} in one place, needed an order")
    labels = [image.label for image in ordered if image.label is not None]
    shared = {key: value for key, value in ordered[0].row.items() if all(one.row[key] == value for one in ordered)}
    return LabelledStudy(name, patients[0], tuple(ordered), any(labels) if labels else None, shared)
