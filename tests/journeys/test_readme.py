"""Every command of the README, run as a new user would."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.registry import find_bundle
from tests.head_ct_files import write_head_ct
from tests.model_files import write_version
from tests.running import PASSWORD, READY, STORESCU, RunningAcuity, environment, storescu, wait_for

README_COMMANDS = (
    "make run",
    "storescu -aec ACUITY 127.0.0.1 11112 +sd +r FOLDER",
    "acuity studies list",
    "acuity studies list --json",
    "acuity incidents",
    "acuity simulate --scanner ct --studies 3 --positive-rate 0.5 --seed 7",
    "acuity models install FILE",
    "acuity models activate NAME --without-verdict --reason TEXT",
    "acuity models list",
    "acuity models verify",
    "acuity check",
    "acuity-train ct-head-haemorrhage --help",
    "acuity dataset phantoms OUT --studies 6 --seed 7",
    "acuity validate run --bundle ct-head-haemorrhage --data DIR --out OUT --json",
    "acuity dataset to-dicom DIR OUT",
)
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("readme")]


def of_a_new_shell(home: Path) -> dict[str, str]:
    """Return the environment without what an outer make says to its children, its ARGS above all."""
    return {name: value for name, value in environment(home).items() if name not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}


def run(home: Path, command: str, **places: object) -> subprocess.CompletedProcess[str]:
    """Run one command of the README, its capitals replaced by real places."""
    assert command in README_COMMANDS
    words = [str(places.get(word, word)) for word in command.split()]
    words[0] = str(Path(sys.executable).parent / words[0])
    return subprocess.run(words, env=environment(home), capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAcuity]:
    """The platform as `make run` starts it, on free ports."""
    if not (ROOT / ".venv" / ".installed").is_file():
        pytest.skip("not installed by make: .venv/.installed is missing")
    home = tmp_path_factory.mktemp("readme") / "home"
    home.mkdir()
    (home / "acuity.toml").write_text(SETTINGS)
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=of_a_new_shell(home), stdout=output, stderr=output, start_new_session=True
        )
    said = wait_for(lambda: READY.search(log.read_text()), 170, log.read_text)
    running = RunningAcuity(home, process, log, int(said[3]), said[4])
    yield running
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    assert running.children() == {}


def test_make_run_shows_a_simulated_head_ct_and_its_report_reaches_the_simulated_pacs(platform):
    def delivered() -> list[dict]:
        heads = [one for one in platform.studies() if one["ai_state"].startswith("analysed")]
        return [one for one in heads if one["status"] == "DELIVERED"]

    first = wait_for(delivered, 120, platform.log.read_text)[0]

    assert PASSWORD not in platform.log.read_text()
    assert first["findings"][0]["model"].startswith("ct-head-haemorrhage")
    assert list((platform.home / "simulated-pacs").rglob("*"))


@pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh")
def test_a_study_of_ones_own_is_received_and_listed(platform, tmp_path):
    files = write_head_ct(tmp_path / "own", seed=99, bleed=True)
    uid = json.loads(run(platform.home, "acuity studies list --json").stdout)

    sent = storescu(platform.dicom_port, files[0].parent, options=("+sd", "+r"))
    listed = run(platform.home, "acuity studies list")
    incidents = run(platform.home, "acuity incidents")

    assert (sent.returncode, listed.returncode, incidents.returncode) == (0, 0, 0)
    assert isinstance(uid, list)
    assert re.search(r"^(CRITICAL|URGENT|ROUTINE) ", listed.stdout, re.MULTILINE)


def test_simulated_studies_go_to_the_running_platform(platform):
    done = run(platform.home, "acuity simulate --scanner ct --studies 3 --positive-rate 0.5 --seed 7")

    assert done.returncode == 0, done.stderr


def test_the_installation_checks_itself(platform):
    done = run(platform.home, "acuity check")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout


def test_a_model_of_ones_own_is_installed_and_serves(tmp_path):
    archive = write_version(tmp_path, "2.0.0")

    installed = run(tmp_path / "home", "acuity models install FILE", FILE=archive)
    activated = run(
        tmp_path / "home", "acuity models activate NAME --without-verdict --reason TEXT", NAME="ct-head-haemorrhage"
    )
    listed = run(tmp_path / "home", "acuity models list")
    verified = run(tmp_path / "home", "acuity models verify")

    assert installed.returncode == 0, installed.stderr
    assert activated.returncode == 0, activated.stderr
    assert re.search(r"^active    ct-head-haemorrhage@2\.0\.0-.*research use only\]$", listed.stdout, re.MULTILINE)
    shipped = re.escape(f"ct-head-haemorrhage@{find_bundle('ct-head-haemorrhage').identity.version}-")
    assert re.search(rf"^retired   {shipped}.*\[CC-BY-4\.0\]$", listed.stdout, re.MULTILINE)
    assert (verified.returncode, verified.stdout.count("ok  ")) == (0, listed.stdout.count("\n"))


def test_training_says_what_it_wants(tmp_path):
    pytest.importorskip("torch", reason="training needs the extra train")

    assert "--data" in run(tmp_path, "acuity-train ct-head-haemorrhage --help").stdout


def test_a_model_is_validated_on_labelled_images_and_the_images_become_dicom(tmp_path):
    drawn = run(tmp_path, "acuity dataset phantoms OUT --studies 6 --seed 7", OUT=tmp_path / "phantoms")
    assert drawn.returncode == 0, drawn.stderr
    places = {"DIR": tmp_path / "phantoms", "OUT": tmp_path / "out"}

    validated = run(
        tmp_path, "acuity validate run --bundle ct-head-haemorrhage --data DIR --out OUT --json", **places
    )  # fmt: skip
    made = run(tmp_path, "acuity dataset to-dicom DIR OUT", **(places | {"OUT": tmp_path / "dicom"}))

    assert validated.returncode == 0, validated.stderr
    assert json.loads(validated.stdout)["n_studies"] == 6
    assert (tmp_path / "out" / "report.html").is_file()
    assert made.returncode == 0, made.stderr
    ready_to_send = [path for path in (tmp_path / "dicom" / "studies").rglob("*") if path.is_file()]
    assert {path.suffix for path in ready_to_send} == {".dcm"}
    assert len(ready_to_send) == json.loads(validated.stdout)["n_images"]
