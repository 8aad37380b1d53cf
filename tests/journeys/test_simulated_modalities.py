"""What a new user sees: simulated studies of the modalities beside CT, analysed, flagged or not, and reported."""

import pytest

from tests.running import ORTHANC, RunningAcuity, acuity_up, orthanc_running, wait_for

SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"
MODELS = {"us": "us-phantom-lesion", "mr": "mr-phantom-flair", "dx": "xr-phantom-opacity"}


def sent(running: RunningAcuity, scanner: str, positive_rate: int) -> str:
    """Send one simulated study and return its UID."""
    options = ("--scanner", scanner, "--studies", "1", "--positive-rate", str(positive_rate), "--seed", "12")
    (study,) = running.answer("simulate", *options)["studies"]
    assert study["has_lesion"] == bool(positive_rate)
    return study["study_instance_uid"]


@pytest.mark.timeout(400)
@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")
def test_simulated_lesions_of_every_modality_are_flagged_and_reported_and_sound_ones_are_not(tmp_path):
    with (
        orthanc_running(tmp_path / "pacs") as pacs,
        acuity_up(tmp_path / "home", SETTINGS + pacs.destination() + 'send = ["sr", "seg"]\n') as up,
    ):
        positive = {sent(up, scanner, 1): scanner for scanner in MODELS}
        negative = {sent(up, scanner, 0): scanner for scanner in MODELS}
        studies = wait_for(lambda: [one for one in delivered(up) if len(delivered(up)) == 6], 200, up.studies)
        wait_for(lambda: {one["StudyInstanceUID"] for one in pacs.reports("SEG")} == set(positive), 60, up.studies)
        reports = pacs.reports()

    by_uid = {one["study_instance_uid"]: one for one in studies}
    for uid, scanner in positive.items():
        assert by_uid[uid]["ai_state"] == "analysed_flagged", by_uid[uid]
        assert by_uid[uid]["priority"] in ("URGENT", "CRITICAL")
        assert "(demonstration), " in by_uid[uid]["reason"]
        (finding,) = by_uid[uid]["findings"]
        assert (finding["model"], bool(finding["regions"])) == (MODELS[scanner], True)
    for uid in negative:
        assert by_uid[uid]["ai_state"] == "analysed_no_flag", by_uid[uid]
    assert {one["StudyInstanceUID"] for one in reports} == set(positive) | set(negative)


def delivered(running: RunningAcuity) -> list[dict]:
    return [one for one in running.studies() if one["status"] == "DELIVERED"]
