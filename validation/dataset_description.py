"""What `dataset.toml` says: what the images show, which column is what, what a stored pixel stands for."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from models.triage_spec import Unit
from triage.errors import InvalidDataset

DESCRIPTION_FILE = "dataset.toml"
MODALITIES = ("CT", "MR", "US", "DX")

_OPEN_LICENCE = re.compile(r"CC0-1\.0|PDDL-1\.0|CC-BY(-NC)?(-SA)?-\d\.\d")
"""By their SPDX names; those with ND allow no changed parts."""
_REMARK = re.compile(r"\(.*?\)")

Toml = object


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of `labels.csv` is what; None where the set has none.

    `order` sorts the rows of one study, caudal to cranial, into one volume; without it every image stands alone. `box`
    names the columns of left, top, width and height of the lesion in pixels of the image.
    """

    image: str
    study: str
    image_label: str
    patient: str
    order: str | None
    mask: str | None
    subgroups: tuple[str, ...]
    box: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredValues:
    """A stored pixel v stands for slope * v + intercept, in Hounsfield units or in units of its own."""

    slope: float
    intercept: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class Description:
    """The whole of `dataset.toml`; `columns` is None for a folder of DICOM files, which needs none.

    `may_show_images`: the licence allows that single images stand in a report.
    `manufacturer` is what DICOM files made of the images say who made them: drawn images name the simulator.
    """

    name: str
    modality: str
    body_part: str
    task: str
    licence: str
    citation: str
    columns: Columns | None
    stored: StoredValues
    subgroups: tuple[str, ...]
    may_show_images: bool = False
    manufacturer: str = "Acuity"


def read_description(folder: Path, is_dicom: bool) -> Description:
    """Return what `folder` says about itself; a folder of DICOM files may come without `dataset.toml`.

    Keys that are not known are passed over: data sets carry more than Acuity reads.

    Raises:
        InvalidDataset: the file is missing, is no TOML, or a value is absent or does not fit.
    """
    path = folder / DESCRIPTION_FILE
    label = f"{folder.name}/{DESCRIPTION_FILE}"
    if is_dicom and not path.is_file():
        return Description(folder.name, "", "", "", "", "", None, StoredValues(1.0, 0.0, "stored"), ())
    table = _Table(label, "", _parsed(path, label))
    columns = table.table("columns")
    subgroups = columns.texts("subgroups") or table.texts("subgroups")
    return Description(
        name=table.text("name"),
        modality=table.text("modality", "" if is_dicom else None),
        body_part=table.text("body_part", "").upper(),
        task=table.text("task", ""),
        licence=table.text("licence", ""),
        citation=table.text("citation", ""),
        columns=None if is_dicom else _columns(columns, subgroups),
        stored=_stored_values(table.table("stored_values")),
        subgroups=subgroups,
        may_show_images=table.truth("may_show_images", _allows_showing(table.text("licence", ""))),
        manufacturer=table.text("manufacturer", "Acuity"),
    )


def _allows_showing(licence: str) -> bool:
    """Return whether every licence that is named is one that allows to show changed parts; in doubt it is not."""
    named = [_REMARK.sub("", one).strip().replace(" ", "-") for one in licence.split(",")]
    return all(_OPEN_LICENCE.fullmatch(one) for one in named)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file; `place` is its dotted key."""

    file: str
    place: str
    values: Mapping[str, Toml]

    def text(self, key: str, absent: str | None = None) -> str:
        value = self.values.get(key, absent)
        if not isinstance(value, str) or (not value and absent is None):
            raise self.wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def number(self, key: str, absent: float) -> float:
        value = self.values.get(key, absent)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise self.wrong(key, "a number")
        return float(value)

    def truth(self, key: str, absent: bool) -> bool:
        value = self.values.get(key, absent)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def table(self, key: str) -> "_Table":
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return _Table(self.file, f"{self.place}{key}.", value)

    def wrong(self, key: str, needed: str) -> InvalidDataset:
        found = f"found {self.values[key]!r}" if key in self.values else "absent"
        return InvalidDataset(f"{self.file}: {self.place}{key}: {found}, needed {needed}")


def _parsed(path: Path, label: str) -> Mapping[str, Toml]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidDataset(f"{label}: cannot be read ({error.strerror}), needed a description of the set") from error
    except ValueError as error:
        raise InvalidDataset(f"{label}: {error}, needed TOML") from error


def _columns(table: _Table, subgroups: tuple[str, ...]) -> Columns:
    study, box = table.text("study"), table.texts("box")
    if len(box) not in (0, 4):
        raise table.wrong("box", "four columns: left, top, width, height")
    return Columns(
        image=table.text("image"),
        study=study,
        image_label=table.text("image_label"),
        patient=table.text("patient", study),
        order=table.text("order", "") or None,
        mask=table.text("mask", "") or None,
        subgroups=subgroups,
        box=box,
    )


def _stored_values(table: _Table) -> StoredValues:
    slope = table.number("slope", 1.0)
    if slope == 0:
        raise table.wrong("slope", "a number other than 0")
    unit: Unit = "HU" if table.text("unit", "") == "HU" else "stored"
    return StoredValues(slope, table.number("intercept", 0.0), unit)
