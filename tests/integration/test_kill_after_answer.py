"""SIGKILL right after an answer, before any row is written: the instance is listed without anybody's doing."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from storage.database import connect, migrate
from storage.embedded import start_embedded
from storage.instances import list_instances
from storage.schema import instances
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.running import environment, free_port, wait_for
from tests.wire import Requestor

SUCCESS = 0x0000


def image(number: int) -> tuple[str, bytes]:
    data_set = a_ct()
    data_set.SOPInstanceUID = f"2.25.77{number}"
    # Every other one is too large to be written at once.
    data_set.PixelData = bytes([number]) * (1 << (19 if number % 2 else 5))
    return data_set.SOPInstanceUID, encoded(data_set)


def kill_cluster(folder: Path) -> None:
    """SIGKILL to the postmaster and all of its processes."""
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for process in (postmaster, *map(int, children)):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def known(engine: Engine) -> int:
    """Return how many instances have a row; none while the database starts."""
    try:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(instances)).scalar_one()
    except OperationalError:
        return 0


@contextmanager
def receiving(home: Path, url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `acuity receive` and kill it at the end, unless it was before."""
    command = [sys.executable, "-m", "deploy.cli", "receive"]
    environ = {**environment(home), "ACUITY_DATABASE_URL": url}
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        wait_for(lambda: _is_open(port), 120, lambda: (home / "log").read_text()[-2000:])
        yield process
    finally:
        process.kill()
        process.wait()


def _is_open(port: int) -> bool:
    try:
        Requestor(port, CT_IMAGE_STORAGE, EXPLICIT).release()
    except OSError:
        return False
    return True


@pytest.mark.timeout(240)
@pytest.mark.parametrize("victims", ["the database", "the receiver", "both"])
def test_what_was_acknowledged_right_before_a_kill_is_listed_with_its_digest(tmp_path, victims):
    port = free_port()
    (tmp_path / "acuity.toml").write_text(f"[dicom]\nport = {port}\n[storage]\nmin_free_gb = 0.1\n")
    server = start_embedded(tmp_path / "postgres")
    engine = connect(server.url)
    migrate(engine)
    first, images = image(0), [image(number) for number in range(1, 7)]
    try:
        with receiving(tmp_path, server.url, port) as receiver:
            association = Requestor(port, CT_IMAGE_STORAGE, EXPLICIT)
            assert association.store(*first) == SUCCESS
            wait_for(lambda: known(engine) == 1, 30)
            with engine.connect() as connection:
                # Nobody writes a row from here on; the answers come all the same.
                connection.exec_driver_sql("LOCK TABLE instances IN SHARE MODE")
                assert [association.store(*one) for one in images] == [SUCCESS] * len(images)
                assert known(engine) == 1
                if victims != "the database":
                    receiver.kill()
                if victims != "the receiver":
                    kill_cluster(tmp_path / "postgres")
                    connection.invalidate()
            association.close()
            if victims != "the receiver":
                server = start_embedded(tmp_path / "postgres")
            if victims == "the database":
                wait_for(lambda: known(engine) == 1 + len(images), 60)
        if victims != "the database":
            with receiving(tmp_path, server.url, port):
                wait_for(lambda: known(engine) == 1 + len(images), 60)

        listed = {one["sop_instance_uid"]: one["sha256"] for one in list_instances(engine)}
        assert listed == {uid: hashlib.sha256(content).hexdigest() for uid, content in (first, *images)}
    finally:
        engine.dispose()
        server.stop()
