"""A new version of a model: installed, activated while studies arrive, tampered with, taken back."""

import json
import zipfile
from pathlib import Path

import pytest

from models.registry import find_bundle
from tests.head_ct_files import write_head_ct
from tests.model_files import write_version
from tests.running import STORESCU, acuity, acuity_up, storescu, wait_for

pytestmark = pytest.mark.timeout(300)
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"


@pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh")
def test_a_new_version_serves_from_the_next_study_on_and_a_changed_file_is_told(tmp_path):
    archive = write_version(tmp_path, "2.0.0")
    heads = [write_head_ct(tmp_path / str(seed), seed=seed, bleed=True) for seed in (5, 6, 7)]

    with acuity_up(tmp_path / "home", SETTINGS) as up:

        def finished(count: int) -> list[dict]:
            studies = up.studies()
            return studies if len(studies) == count and all(one["ai_state"] != "pending" for one in studies) else []

        storescu(up.dicom_port, *heads[0])
        (first,) = wait_for(lambda: finished(1), 90, up.log.read_text)
        installed = up.answer("models", "install", str(archive))
        unjudged = up.command("models", "activate", "ct-head-haemorrhage")
        activated = up.answer(
            "models", "activate", "ct-head-haemorrhage", "--without-verdict", "--reason", "trial", "--by", "ann"
        )
        storescu(up.dicom_port, *heads[1])
        studies = wait_for(lambda: finished(2), 60, up.log.read_text)
        (second,) = [one for one in studies if one["study_instance_uid"] != first["study_instance_uid"]]
        weights = Path(installed["folder"]) / "models/model.onnx"
        weights.chmod(0o644)
        weights.write_bytes(weights.read_bytes() + b"\0")
        verified = up.command("models", "verify", "--json")
        refused = up.command("models", "activate", "ct-head-haemorrhage@2.0.0")
        taken_back = up.answer("models", "rollback", "ct-head-haemorrhage")
        storescu(up.dicom_port, *heads[2])
        wait_for(lambda: finished(3), 60, up.log.read_text)
        shown = up.answer("models", "show", "ct-head-haemorrhage@2.0.0")
        reactivated = up.command("models", "activate", "ct-head-haemorrhage@2.0.0")

    assert first["findings"][0]["model_digest"] != second["findings"][0]["model_digest"] == installed["digest"]
    assert (installed["state"], activated["state"]) == ("draft", "active")
    assert (installed["licence"], installed["research_only"]) == ("CC-BY-NC-SA-4.0", True)
    assert (unjudged.returncode, unjudged.stderr.count("\n")) == (2, 1)
    assert "no verdict, needed: `acuity validate compare`" in unjudged.stderr
    shipped = find_bundle("ct-head-haemorrhage").identity.version
    assert activated["in_place_of"]["version"] == taken_back["version"] == shipped
    assert verified.returncode == 1
    (bad,) = [one for one in json.loads(verified.stdout) if not one["ok"]]
    assert bad["version"] == "2.0.0"
    assert bad["problems"][0].startswith("models/model.onnx: SHA-256 ")
    assert refused.returncode == 2
    assert (reactivated.returncode, reactivated.stderr.count("\n")) == (2, 1)
    assert "models/model.onnx: SHA-256" in reactivated.stderr
    assert [(one["action"], one["after"]) for one in shown["history"]] == [
        ("register", "draft"),
        ("activate", "active"),
        ("retire", "retired"),
    ]
    assert (shown["history"][1]["by"], shown["history"][1]["why"]) == ("ann", "trial")


def test_what_is_no_bundle_is_refused_in_one_line_and_leaves_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("model/model.pt", b"x")

    refused = acuity(tmp_path / "home", "models", "install", str(tmp_path / "model.zip"))
    unknown = acuity(tmp_path / "home", "models", "activate", "nothing")

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "a pickle runs code when it is loaded, needed ONNX" in refused.stderr
    assert [path.name for path in (tmp_path / "home/models").iterdir()] == [".lock"]
    assert (unknown.returncode, unknown.stdout, unknown.stderr.count("\n")) == (2, "", 1)
