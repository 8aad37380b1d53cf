"""SIGKILL to everything right after an answer, before any row is written: the instance is listed all the same."""

import pytest

from storage.database import connect
from tests.killing import acknowledged_without_rows, cluster, digests, images, kill, known
from tests.running import start_acuity, stop_acuity, wait_for

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
SETTINGS = "[dicom]\nport = 0\nreceivers = 1\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"


@pytest.mark.parametrize("victim", ["postgres", "everything"])
def test_what_was_acknowledged_right_before_the_kill_is_listed_with_its_digest(tmp_path, victim):
    running, sent = start_acuity(tmp_path / "home", SETTINGS, "--no-simulator"), images()
    database = connect(f"postgresql://postgres:@/postgres?host={tmp_path / 'home' / 'postgres'}")
    try:
        with acknowledged_without_rows(running.dicom_port, database, sent) as connection:
            postgres = cluster(tmp_path / "home" / "postgres")
            if victim == "everything":
                kill([running.process.pid, *running.children().values()])
            kill(postgres)
            connection.invalidate()
        if victim == "everything":
            running.process.wait()
            running = start_acuity(tmp_path / "home", SETTINGS, "--no-simulator")

        wait_for(lambda: known(database) == len(sent), 120, lambda: running.log.read_text()[-3000:])

        listed = {one["sop_instance_uid"]: one["sha256"] for one in running.answer("instances", "list")}
        assert listed == digests(sent)
    finally:
        database.dispose()
        stop_acuity(running)
