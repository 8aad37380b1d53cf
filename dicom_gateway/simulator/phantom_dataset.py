"""Phantoms as a labelled data set, in the folder layout that training and validation read."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from dicom_gateway.simulator.brain_phantom import LARGEST_VALUE, mr_brain
from dicom_gateway.simulator.breast_phantom import us_breast
from dicom_gateway.simulator.chest_phantom import dx_chest
from dicom_gateway.simulator.phantoms import Phantom, ct_head

FEWEST_LESION_VOXELS = 15
"""An image shows the lesion when this many of its voxels do; with fewer it stays without a label, as nobody could see
them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of data set: what draws it, which values the 8-bit pixels 0 and 255 stand for, and its words.

    With `order`, the column of that name, images of a study are slices; with `has_masks` the lesion is written too.
    """

    draw: Callable[[Generator, bool], Phantom]
    low: float
    high: float
    name: str
    modality: str
    body_part: str
    task: str
    label: str = "lesion"
    unit: str = "grey"
    order: str = ""
    has_masks: bool = True


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "ct": Kind(
            *(ct_head, -20.0, 100.0, "acuity-phantoms", "CT", "HEAD", "intracranial haemorrhage"),
            label="hemorrhage",
            unit="HU",
            order="slice",
            has_masks=False,
        ),
        "mr": Kind(
            *(mr_brain, 0.0, LARGEST_VALUE, "acuity-phantoms-mr", "MR", "BRAIN", "drawn bright FLAIR lesion"),
            order="slice",
        ),
        "us": Kind(us_breast, 0.0, 255.0, "acuity-phantoms-us", "US", "BREAST", "drawn mass"),
        "dx": Kind(dx_chest, 0.0, 4095.0, "acuity-phantoms-dx", "DX", "CHEST", "drawn opacity"),
    }
)
"""What can be drawn, by scanner as `acuity simulate` names them."""


def write_phantom_dataset(out: Path, studies: int, positive_rate: float, seed: int, scanner: str = "ct") -> None:
    """Write phantoms as a data set: `dataset.toml`, `labels.csv`, 8-bit JPEG images in `images`, masks in `masks`.

    Args:
        out: folder, made where it is missing.
        studies: how many, each of a patient of its own.
        positive_rate: share with a lesion; exactly `round(studies * positive_rate)` of them have one.
        seed: the same seed writes the same images.
        scanner: one of `KINDS`.
    """
    kind = KINDS[scanner]
    for folder in ("images", "masks") if kind.has_masks else ("images",):
        (out / folder).mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng([seed, 0]).permutation(studies)
    positive = set(order[: round(studies * positive_rate)].tolist())
    with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        columns = ("image", *(("mask",) if kind.has_masks else ()), "patient", kind.order or "still", kind.label)
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for number in range(studies):
            phantom = kind.draw(np.random.default_rng([seed, number + 1]), number in positive)
            table.writerows(_write_study(out, number + 1, phantom, kind))
    (out / "dataset.toml").write_text(_description(kind), encoding="utf-8")


def _write_study(out: Path, patient: int, phantom: Phantom, kind: Kind) -> list[dict[str, str | int]]:
    rows = []
    for index, (pixels, lesion) in enumerate(zip(phantom.pixels, phantom.lesion_mask, strict=True), start=1):
        name = f"p{patient:04d}_s{index:02d}"
        Image.fromarray(_windowed(pixels, kind)).save(out / f"images/{name}.jpg", quality=95)
        count = int(lesion.sum())
        label = "" if 0 < count < FEWEST_LESION_VOXELS else str(int(count > 0))
        row: dict[str, str | int] = {"image": f"images/{name}.jpg", "patient": patient, kind.order or "still": index}
        if kind.has_masks:
            row["mask"] = f"masks/{name}.png" if count else ""
        if kind.has_masks and count:
            Image.fromarray(lesion.astype(np.uint8) * 255).save(out / f"masks/{name}.png")
        rows.append(row | {kind.label: label})
    return rows


def _windowed(pixels: NDArray[np.float32], kind: Kind) -> NDArray[np.uint8]:
    """Return 8-bit values, from black at `kind.low` to white at `kind.high`."""
    scaled = (pixels - kind.low) * (255 / (kind.high - kind.low))
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def _description(kind: Kind) -> str:
    drawn = "head CT" if kind.modality == "CT" else kind.modality
    study = "rows of one study form one volume" if kind.order else "rows of one study are stills"
    order = f'\norder = "{kind.order}"          # caudal to cranial' if kind.order else ""
    mask = '\nmask = "mask"            # pixels of the lesion' if kind.has_masks else ""
    return f"""\
name = "{kind.name}"
modality = "{kind.modality}"
body_part = "{kind.body_part}"
task = "{kind.task}"
licence = "Apache-2.0"
citation = "Synthetic {drawn} phantoms drawn by Acuity; no data of any person"
manufacturer = "Acuity Simulator"

[columns]
image = "image"
study = "patient"        # {study}{order}
image_label = "{kind.label}"{mask}
# a study is positive when one of its images is
# subgroups reported where the column exists
subgroups = []

[stored_values]          # 8-bit pixel v stands for slope * v + intercept
slope = {(kind.high - kind.low) / 255}
intercept = {kind.low}
unit = "{kind.unit}"
"""
