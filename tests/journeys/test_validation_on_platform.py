"""A validation that the workers of a running platform answer, beside live studies, one of them killed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from deploy.opened import database_of_platform
from deploy.settings import read_settings
from storage.database import connect
from storage.validation_work import ValidationWork, validations_under_way
from tests.head_ct_files import write_head_ct
from tests.integration.test_validation_suite import CENTRE, write_bundle
from tests.integration.test_validation_workers import write_large_set
from tests.running import STORESCU, acuity_up, environment, storescu, wait_for

COPIES = 10
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n[inference]\nbundles = {bundles!r}\n"


@pytest.mark.timeout(400)
@pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh")
def test_a_live_study_goes_first_and_a_killed_worker_changes_nothing(tmp_path, monkeypatch):
    write_bundle(tmp_path, CENTRE)
    data, home = write_large_set(tmp_path / "data", COPIES), tmp_path / "home"
    head = write_head_ct(tmp_path / "head", seed=5, bleed=True)
    run = ["validate", "run", "--bundle", "tiny", "--data", str(data), "--out"]

    with acuity_up(home, SETTINGS.format(bundles=str(tmp_path / "bundles"))) as up:
        monkeypatch.setenv("ACUITY_HOME", str(home))
        engine = connect(database_of_platform(read_settings()))
        asking = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *run, str(tmp_path / "there"), "--on-platform"], env=environment(home)
        )

        def answered() -> int:
            return sum(one.n_answered for one in validations_under_way(engine))

        wait_for(answered, 120, up.log.read_text)
        os.kill(up.children()["work --queue triage"], signal.SIGSTOP)
        storescu(up.dicom_port, *head)
        wait_for(ValidationWork(engine).live_studies_wait, 60, up.log.read_text)
        # The study that the worker is at may still be answered.
        at_first = wait_for(lambda: stands_still(answered), 60, up.log.read_text)
        os.kill(up.children()["work --queue validation"], signal.SIGKILL)
        while_live_waits = answered()
        os.kill(up.children()["work --queue triage"], signal.SIGCONT)
        wait_for(lambda: up.studies()[0]["ai_state"] == "analysed_flagged", 120, up.log.read_text)
        asking.wait(timeout=200)
        here = up.command(*run, str(tmp_path / "here"))
        engine.dispose()

    assert (asking.returncode, here.returncode) == (0, 0)
    assert 0 < at_first == while_live_waits < 60 * COPIES
    assert (tmp_path / "there/predictions.csv").read_bytes() == (tmp_path / "here/predictions.csv").read_bytes()


def stands_still(count: Callable[[], int]) -> int:
    """Return what `count` gives twice within two seconds, 0 where it still grows."""
    before = count()
    time.sleep(2)
    return before if count() == before else 0
