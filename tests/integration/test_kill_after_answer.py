"""SIGKILL right after an answer, before any row is written: the instance is listed without anybody's doing."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.database import connect, migrate
from storage.embedded import start_embedded
from storage.instances import list_instances
from tests.killing import acknowledged_without_rows, cluster, digests, images, kill, known
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.running import environment, free_port, wait_for
from tests.wire import Requestor


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
    port, sent = free_port(), images()
    (tmp_path / "acuity.toml").write_text(f"[dicom]\nport = {port}\n[storage]\nmin_free_gb = 0.1\n")
    server = start_embedded(tmp_path / "postgres")
    engine = connect(server.url)
    migrate(engine)
    try:
        with receiving(tmp_path, server.url, port) as receiver:
            with acknowledged_without_rows(port, engine, sent) as connection:
                if victims != "the database":
                    receiver.kill()
                if victims != "the receiver":
                    kill(cluster(tmp_path / "postgres"))
                    connection.invalidate()
            if victims != "the receiver":
                server = start_embedded(tmp_path / "postgres")
            if victims == "the database":
                wait_for(lambda: known(engine) == len(sent), 60)
        if victims != "the database":
            with receiving(tmp_path, server.url, port):
                wait_for(lambda: known(engine) == len(sent), 60)

        assert {one["sop_instance_uid"]: one["sha256"] for one in list_instances(engine)} == digests(sent)
    finally:
        engine.dispose()
        server.stop()
