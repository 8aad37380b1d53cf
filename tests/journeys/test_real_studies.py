"""A department's night: real studies from a real sender, to the list, to a real PACS, and what was not a study."""

import csv
import shutil
from pathlib import Path

import pytest

from tests.running import ORTHANC, STORESCU, RunningAcuity, acuity, acuity_up, orthanc_running, storescu, wait_for

pytestmark = [
    pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh"),
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh"),
    pytest.mark.timeout(400),
]
FREE_PORTS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"
BLEEDING, SOUND = ("66", "87"), "56"
OTHERS = {
    "us_breast": (("patient", "1"), "us-breast-lesion"),
    "mr_brain_flair": (("patient", "TCGA_DU_7014_19860618"), "mr-brain-flair"),
    "xr_chest": (("image", "images/00000100_000.jpg"), "xr-chest-opacity"),
}
"""One study of each other modality: its row in `labels.csv`, and the model that should see it."""


def part_of(source: Path, folder: Path, column: str, values: tuple[str, ...]) -> Path:
    """Write a data set of those rows of a real one whose `column` has one of `values`, with their images."""
    (folder / "images").mkdir(parents=True)
    shutil.copy(source / "dataset.toml", folder)
    with (source / "labels.csv").open(newline="", encoding="utf-8") as file:
        kept = [row for row in csv.DictReader(file) if row[column] in values]
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, kept[0].keys())
        writer.writeheader()
        writer.writerows(kept)
    for name in (row[key] for row in kept for key in ("image", "mask") if row.get(key)):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(source / name, folder / name)
    return folder


def all_done(running: RunningAcuity, count: int) -> list[dict]:
    studies = running.studies()
    done = [one for one in studies if one["status"] in ("TRIAGED", "DELIVERED", "NEEDS_ATTENTION")]
    return studies if len(done) == count else []


def test_real_studies_are_received_ordered_and_reported(tmp_path, shared_data):
    heads = sorted((shared_data / "dicom" / "ct_head_ge").glob("*.dcm"))
    brains = list((shared_data / "dicom" / "mr_siemens").rglob("*.dcm"))
    patients = part_of(shared_data / "ct_ich", tmp_path / "three", "patient", (*BLEEDING, SOUND))
    made = acuity(tmp_path / "home", "dataset", "to-dicom", str(patients), str(tmp_path / "dicom"), "--json")
    assert made.returncode == 0, made.stderr

    with (
        orthanc_running(tmp_path / "pacs") as pacs,
        acuity_up(tmp_path / "home", FREE_PORTS + pacs.destination()) as up,
    ):
        assert storescu(up.dicom_port, *heads).returncode == 0
        assert storescu(up.dicom_port, tmp_path / "dicom", options=("-R", "+sd", "+r", "+sp", "*.dcm")).returncode == 0
        assert storescu(up.dicom_port, *brains).returncode == 0
        studies = wait_for(lambda: all_done(up, 5), 120, up.studies)
        reports = wait_for(lambda: len(pacs.reports()) >= 4 and pacs.reports(), 60, pacs.reports)

    analysed = [one for one in studies if one["ai_state"].startswith("analysed")]
    flagged = [one for one in studies if one["ai_state"] == "analysed_flagged"]
    (mr,) = [one for one in studies if one["ai_state"] == "out_of_scope"]
    assert len(analysed) == 4
    assert {one["study_instance_uid"] for one in flagged} >= positives(tmp_path / "dicom")
    assert [one["ai_state"] for one in studies[: len(flagged)]] == ["analysed_flagged"] * len(flagged)
    assert all(one["priority"] == "CRITICAL" for one in flagged)
    assert "mr-brain-flair: description does not say FLAIR" in mr["reason"]
    assert len({one["SOPInstanceUID"] for one in reports}) == len(reports) == 4


def test_every_modality_goes_the_whole_way(tmp_path, shared_data):
    for name, ((column, value), _) in OTHERS.items():
        part = part_of(shared_data / name, tmp_path / "parts" / name, column, (value,))
        made = acuity(tmp_path / "home", "dataset", "to-dicom", str(part), str(tmp_path / "dicom" / name), "--json")
        assert made.returncode == 0, made.stderr

    with (
        orthanc_running(tmp_path / "pacs") as pacs,
        acuity_up(tmp_path / "home", FREE_PORTS + pacs.destination() + 'send = ["sr", "seg"]\n') as up,
    ):
        assert storescu(up.dicom_port, tmp_path / "dicom", options=("-R", "+sd", "+r", "+sp", "*.dcm")).returncode == 0
        studies = wait_for(lambda: all_done(up, 3), 120, up.studies)
        reports = wait_for(lambda: len(pacs.reports()) >= 3 and pacs.reports(), 60, pacs.reports)
        outlined = {
            one["study_instance_uid"] for one in studies if flagged_by(one, ("us-breast-lesion", "mr-brain-flair"))
        }
        wait_for(lambda: {one["StudyInstanceUID"] for one in pacs.reports("SEG")} == outlined, 60, pacs.reports)

    models = {finding["model"] for one in studies for finding in one["findings"]}
    assert models == {model for _, model in OTHERS.values()}
    assert all(one["ai_state"].startswith("analysed") for one in studies), studies
    assert len(reports) == 3
    assert outlined, studies


def flagged_by(study: dict, models: tuple[str, ...]) -> bool:
    return any(finding["flagged"] and finding["model"] in models for finding in study["findings"])


def positives(folder: Path) -> set[str]:
    head, *rows = (folder / "labels.csv").read_text().splitlines()
    columns = head.split(",")
    found = (dict(zip(columns, row.split(","), strict=True)) for row in rows)
    return {row["StudyInstanceUID"] for row in found if row["label"] == "1"}
