"""One study through the running platform: in by STOW-RS, routed by a rule, its originals on to Orthanc."""

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread

from tests.head_ct_files import write_head_ct
from tests.journeys.test_real_studies import FREE_PORTS, all_done
from tests.running import ORTHANC, acuity_up, orthanc_running, wait_for

pytestmark = [
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh"),
    pytest.mark.timeout(300),
]

RULES = """
[[rules]]
name = "head CT to the archive"
when = { all = [ { tag = "Modality", equals = "CT" }, { slice_thickness_mm = { at_most = 6 } } ] }
then = { run_only = ["us-breast-lesion"], send_original = ["PACS"], priority_floor = "urgent" }
"""


def test_a_study_that_is_stored_by_dicomweb_is_routed_by_a_rule_and_sent_on(tmp_path):
    images = [dcmread(file) for file in write_head_ct(tmp_path / "head", seed=3, bleed=False)]
    study = images[0].StudyInstanceUID
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "rules.toml").write_text(RULES, encoding="utf-8")

    with (
        orthanc_running(tmp_path / "pacs") as pacs,
        acuity_up(tmp_path / "home", FREE_PORTS + pacs.destination()) as up,
    ):
        token = up.answer("token", "create", "--role", "admin")["token"]
        web = DICOMwebClient(f"{up.url}dicom-web", headers={"Authorization": f"Bearer {token}"})
        web.store_instances(images)
        (routed,) = wait_for(lambda: all_done(up, 1), 90, lambda: up.log.read_text()[-3000:])
        wait_for(lambda: len(pacs.get("/instances")) == len(images), 60, lambda: up.log.read_text()[-3000:])
        sent = {pacs.get(f"/instances/{one}/simplified-tags")["SOPInstanceUID"] for one in pacs.get("/instances")}
        told = up.command("rules", "test", study).stdout
        replayed = up.answer("rules", "replay", "--since", "2020-01-01")
        (found,) = web.search_for_studies(search_filters={"StudyInstanceUID": study})

    assert (routed["priority"], routed["ai_state"]) == ("URGENT", "out_of_scope")
    assert routed["reason"].endswith("rule head CT to the archive: at least urgent")
    assert "rule head CT to the archive asks only us-breast-lesion" in routed["reason"]
    assert sent == {image.SOPInstanceUID for image in images}
    assert "MATCHES  head CT to the archive" in told
    assert "yes  slice_thickness_mm: at most 6  (found 5" in told
    assert replayed == {"studies": 1, "differences": []}
    assert found["00201208"]["Value"] == [len(images)]


def test_a_rule_file_with_a_mistake_keeps_the_platform_from_starting(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "rules.toml").write_text(RULES.replace("PACS", "ELSEWHERE"), encoding="utf-8")

    with pytest.raises(AssertionError, match="found 'ELSEWHERE', needed a destination of the settings"):
        acuity_up(tmp_path / "home", FREE_PORTS).__enter__()
