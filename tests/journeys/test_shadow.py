"""A model in the shadow beside a running platform, killed while it works."""

import os
import signal

import pytest

from models.registry import find_bundle
from tests.head_ct_files import write_head_ct
from tests.model_files import write_version
from tests.running import STORESCU, acuity_up, storescu, wait_for

SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"


@pytest.mark.timeout(300)
@pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh")
def test_a_killed_shadow_harms_nothing_and_its_study_is_seen_later(tmp_path):
    head = write_head_ct(tmp_path / "head", seed=5, bleed=True)
    model = "ct-head-haemorrhage@2.0.0"

    with acuity_up(tmp_path / "home", SETTINGS) as up:
        up.answer("models", "install", str(write_version(tmp_path, "2.0.0")))
        in_shadow = up.answer("models", "shadow", model)
        empty = up.answer("models", "shadow-report", model)
        worker = wait_for(lambda: up.children().get("work --queue shadow"), 30, up.log.read_text)
        os.kill(worker, signal.SIGSTOP)
        storescu(up.dicom_port, *head)
        (served,) = wait_for(
            lambda: [one for one in up.studies() if one["ai_state"] == "analysed_flagged"], 90, up.log.read_text
        )
        while_stopped = up.answer("models", "shadow-report", model)
        os.kill(worker, signal.SIGKILL)

        report = wait_for(
            lambda: (found := up.answer("models", "shadow-report", model))["n_studies"] == 1 and found,
            90,
            up.log.read_text,
        )
        (after,) = up.studies()

    assert (in_shadow["state"], empty["n_studies"], while_stopped["n_studies"]) == ("shadow", 0, 0)
    assert (report["both_answered"], report["agreement"]["both_flag"], report["would_have_changed"]) == (1, 1, [])
    assert report["score_difference"]["value"] == 0.0
    assert report["against"] == [f"ct-head-haemorrhage {find_bundle('ct-head-haemorrhage').identity.version}"]
    unchanged = ("priority", "deadline", "reason", "triaged_at", "findings", "revision")
    assert {key: after[key] for key in unchanged} == {key: served[key] for key in unchanged}
