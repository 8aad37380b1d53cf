"""Whether a bundle was trained on the patients that it is now measured on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.bundle import Bundle
from validation.labelled_images import Dataset

DOCUMENTS = ("docs/training-log.json", "docs/figures.json")
"""Where a recipe writes `data` (name and digest) and, per patient, the fold."""


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """`trained_on` is None when the bundle does not say what it was trained on; `patients` is how many are shared.

    `folds` names, for those of them that were cross-validated, the fold that left the patient out, from 0.
    """

    trained_on: bool | None
    patients: int
    folds: Mapping[str, int] = field(default_factory=dict)


def training_overlap(bundle_folder: Path, dataset: Dataset) -> TrainingOverlap:
    """Return how many patients of `dataset` the bundle says that it was trained on.

    Patients are the same when set and name are: a set that was split by patient keeps its name in both parts. A bundle
    that names its set and not the patients counts as trained on every set of that name.
    """
    patients = {study.patient for study in dataset.studies}
    records = [record for name in DOCUMENTS if (record := _record(bundle_folder / name))]
    for record in records:
        data = record["data"]
        if not isinstance(data, dict) or data.get("name") != dataset.description.name:
            continue
        folds = record.get("folds")
        if not isinstance(folds, dict):
            return TrainingOverlap(len(patients) > 0, len(patients))
        shared = {patient: int(folds[patient]) for patient in patients & folds.keys()}
        return TrainingOverlap(len(shared) > 0, len(shared), shared)
    return TrainingOverlap(False if records else None, 0)


def unseen_by(bundle: Bundle, dataset: Dataset) -> Mapping[str, int]:
    """Return, for each patient that the bundle was cross-validated on, which of its networks did not see the patient.

    Empty where the bundle has no such networks. Patients are known as in `training_overlap`: by set and name, so those
    of a set that `to_dicom` converted are.
    """
    if not bundle.spec.members:
        return {}
    return training_overlap(bundle.folder, dataset).folds


def _record(path: Path) -> Mapping[str, object]:
    """Return what a document says about its data; empty when it says nothing that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and "data" in content else {}
