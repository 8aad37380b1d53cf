"""SIGKILL to everything right after an answer, before any row is written: the instance is listed all the same."""

import hashlib
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from storage.database import connect
from storage.schema import instances
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.running import start_acuity, stop_acuity, wait_for
from tests.wire import Requestor

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
SETTINGS = "[dicom]\nport = 0\nreceivers = 1\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"
SUCCESS = 0x0000


def image(number: int) -> tuple[str, bytes]:
    data_set = a_ct()
    data_set.SOPInstanceUID = f"2.25.77{number}"
    # Every other one is too large to be written at once.
    data_set.PixelData = bytes([number]) * (1 << (19 if number % 2 else 5))
    return data_set.SOPInstanceUID, encoded(data_set)


def cluster(postmaster: int) -> list[int]:
    """Return the process IDs of PostgreSQL's processes, the postmaster first."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def kill(processes: list[int]) -> None:
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def known(database: Engine) -> int:
    """Return how many instances have a row; none while the database starts."""
    try:
        with database.connect() as connection:
            return connection.execute(select(func.count()).select_from(instances)).scalar_one()
    except OperationalError:
        return 0


@pytest.mark.parametrize("victim", ["postgres", "everything"])
def test_what_was_acknowledged_right_before_the_kill_is_listed_with_its_digest(tmp_path, victim):
    running = start_acuity(tmp_path / "home", SETTINGS, "--no-simulator")
    database = connect(f"postgresql://postgres:@/postgres?host={tmp_path / 'home' / 'postgres'}")
    first, images = image(0), [image(number) for number in range(1, 7)]
    association = Requestor(running.dicom_port, CT_IMAGE_STORAGE, EXPLICIT)
    try:
        assert association.store(*first) == SUCCESS
        wait_for(lambda: known(database) == 1, 60)
        with database.connect() as connection:
            # Nobody writes a row from here on; the answers come all the same.
            connection.exec_driver_sql("LOCK TABLE instances IN SHARE MODE")
            assert [association.store(*one) for one in images] == [SUCCESS] * len(images)
            assert known(database) == 1
            processes = running.children()
            postgres = cluster(processes.pop("postgres"))
            kill([running.process.pid, *processes.values(), *postgres] if victim == "everything" else postgres)
            connection.invalidate()
        if victim == "everything":
            running.process.wait()
            running = start_acuity(tmp_path / "home", SETTINGS, "--no-simulator")

        wait_for(lambda: known(database) == 1 + len(images), 120, lambda: running.log.read_text()[-3000:])

        digests = {one["sop_instance_uid"]: one["sha256"] for one in running.answer("instances", "list")}
        assert digests == {uid: hashlib.sha256(content).hexdigest() for uid, content in (first, *images)}
    finally:
        association.close()
        database.dispose()
        stop_acuity(running)
