"""The embedded PostgreSQL under `acuity up`: as long as it cannot start, it is tried again, and nothing else ends."""

import os
import signal
import threading
from pathlib import Path

import pytest

from deploy.settings import read_settings
from deploy.supervisor import Platform
from storage.database import connect, is_reachable
from storage.embedded import start_embedded
from tests.running import wait_for


@pytest.fixture
def platform(tmp_path, monkeypatch):
    """One whose PostgreSQL runs, and nothing else."""
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path))
    platform = Platform(read_settings(None), simulator=False, postgres=start_embedded(tmp_path / "postgres"))
    yield platform
    start_embedded(tmp_path / "postgres").stop()


def test_a_postgres_that_cannot_start_is_tried_again_until_it_can(platform, tmp_path, monkeypatch):
    attempts = threading.Semaphore(0)

    def start(folder: Path, patience_s: float):
        attempts.release()
        return start_embedded(folder, patience_s)

    monkeypatch.setattr("deploy.supervisor.start_embedded", start)
    stop = threading.Event()
    watching = threading.Thread(target=platform._watch, args=(stop,))
    control = tmp_path / "postgres" / "global" / "pg_control"
    # Without this file PostgreSQL does not start.
    control.rename(tmp_path / "pg_control")
    os.kill(int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    watching.start()
    try:
        for _ in range(3):
            assert attempts.acquire(timeout=40)
        assert watching.is_alive()
        (tmp_path / "pg_control").rename(control)

        engine = connect(platform.postgres.url)
        wait_for(lambda: is_reachable(engine), 60)
        engine.dispose()
    finally:
        stop.set()
        watching.join(30)
    assert not watching.is_alive()
