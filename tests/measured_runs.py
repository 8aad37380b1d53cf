"""Data sets and runs as `acuity validate run` writes them, with answers that a test chooses."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from validation.datasets import load_dataset

Answer = float | None
PLAN = """
name = "2.0.0 against 1.0.0"
modification = "Trained on more heads; architecture, preparation and use stay."
acceptance = "Misses no more bleeds than before, at hardly more false alarms."

[[criteria]]
name = "AUC not worse"
measure = "auc"
at_least = -0.05

[[criteria]]
name = "no sex loses"
measure = "sensitivity"
at_least = -0.1
judged_by = "value"
subgroups = ["sex"]
minimum_cases = 5
"""


def write_dataset(folder: Path, truth: Sequence[bool], patients: Sequence[str], sexes: Sequence[str]) -> Path:
    """Write a data set of one image to a study, study n called sn."""
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text(
        'name = "made"\nmodality = "CT"\nbody_part = "HEAD"\ntask = "bleeding"\n[columns]\nimage = "image"\n'
        'study = "study"\npatient = "patient"\nimage_label = "bleed"\nsubgroups = ["sex"]\n[stored_values]\n'
        'slope = 1.0\nintercept = 0.0\nunit = "HU"\n'
    )
    lines = ["image,study,patient,bleed,sex"]
    for number, (label, patient, sex) in enumerate(zip(truth, patients, sexes, strict=True)):
        (folder / f"images/{number}.png").write_bytes(str(number).encode())
        lines.append(f"images/{number}.png,s{number},{patient},{int(label)},{sex}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_run(
    folder: Path, data: Path, answers: Sequence[Answer], version: str, more: Mapping[str, object] | None = None
) -> Path:
    """Write a run whose study n has `answers[n]` as its probability (None: refused), flagged from 0.5 on."""
    dataset = load_dataset(data)
    folder.mkdir(parents=True)
    document = {
        "bundle": "head",
        "bundle_version": version,
        "bundle_digest": version.replace(".", "") * 8,
        "dataset": dataset.description.name,
        "dataset_digest": dataset.digest,
        "device": "cpu",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trained_on_this_data": False,
        "n_patients_in_training": 0,
        "n_patients_out_of_fold": 0,
        **(more or {}),
    }
    (folder / "result.json").write_text(json.dumps(document))
    (folder / "report.html").write_text("<!doctype html><title>made</title>")
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("level", "study", "patient", "image", "truth", "score", "flagged", "state", "reason"))
        for study, answer in zip(dataset.studies, answers, strict=True):
            said = ("", "", "refused", "no skull") if answer is None else (answer, int(answer >= 0.5), "answered", "")
            writer.writerow(("study", study.study, study.patient, "", int(bool(study.label)), *said))
    return folder
