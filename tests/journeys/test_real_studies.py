"""A department's night: real studies from a real sender, to the list, to a real PACS, and what was not a study."""

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


def three_patients(shared_data: Path, folder: Path) -> Path:
    """Write a data set of three patients of the real one: two that bleed, one that does not."""
    source = shared_data / "ct_ich"
    (folder / "images").mkdir(parents=True)
    shutil.copy(source / "dataset.toml", folder)
    head, *rows = (source / "labels.csv").read_text().splitlines()
    kept = [row for row in rows if row.split(",")[1] in (*BLEEDING, SOUND)]
    (folder / "labels.csv").write_text("\n".join([head, *kept]) + "\n")
    for row in kept:
        shutil.copy(source / row.split(",")[0], folder / "images")
    return folder


def all_done(running: RunningAcuity, count: int) -> list[dict]:
    studies = running.studies()
    done = [one for one in studies if one["status"] in ("TRIAGED", "DELIVERED", "NEEDS_ATTENTION")]
    return studies if len(done) == count else []


def test_real_studies_are_received_ordered_and_reported(tmp_path, shared_data):
    heads = sorted((shared_data / "dicom" / "ct_head_ge").glob("*.dcm"))
    brains = list((shared_data / "dicom" / "mr_siemens").rglob("*.dcm"))
    patients = three_patients(shared_data, tmp_path / "three")
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
    assert "modality MR, needed CT" in mr["reason"]
    assert len({one["SOPInstanceUID"] for one in reports}) == len(reports) == 4


def positives(folder: Path) -> set[str]:
    head, *rows = (folder / "labels.csv").read_text().splitlines()
    columns = head.split(",")
    found = (dict(zip(columns, row.split(","), strict=True)) for row in rows)
    return {row["StudyInstanceUID"] for row in found if row["label"] == "1"}
