"""The receivers that are compared, each a process of its own on a free port of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from storage.database import connect, migrate
from storage.embedded import start_embedded
from storage.schema import instances
from tests.running import STORESCU, environment, free_port, orthanc_running, wait_for

STORESCP = shutil.which("storescp", path="/usr/bin:/usr/local/bin")
ECHOSCU = shutil.which("echoscu", path="/usr/bin:/usr/local/bin")

_ANSWERING_AT_ONCE = {**os.environ, "TCP_NODELAY": "1"}
"""DCMTK reads it, in storescp and in Orthanc; without it either waits 40 ms in the middle of each response."""


@dataclass(frozen=True)
class RunningPeer:
    """A receiver to send to; `kept` says how many instances it has made durable, where it can be asked."""

    name: str
    port: int
    kept: Callable[[], int] | None = None


@contextmanager
def acuity_receiving(folder: Path, processes: int) -> Iterator[RunningPeer]:
    """Run `acuity receive` on a PostgreSQL of its own: bytes and folders fsynced, rows committed before each answer."""
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "acuity.toml").write_text(f"[dicom]\nport = {port}\n[storage]\nmin_free_gb = 0.1\n")
    server = start_embedded(folder / "postgres")
    engine = connect(server.url)
    migrate(engine)

    def kept() -> int:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(instances)).scalar_one()

    command = [sys.executable, "-m", "deploy.cli", "receive"]
    environ = {**environment(folder), "ACUITY_DATABASE_URL": server.url}
    with ExitStack() as stack:
        stack.callback(server.stop)
        stack.callback(engine.dispose)
        for _ in range(processes):
            stack.enter_context(_running(command, folder / "log", environ))
        name = "acuity" if processes == 1 else f"acuity ({processes} processes)"
        yield _answering(RunningPeer(name, port, kept))


@contextmanager
def storescp_running(folder: Path, bit_preserving: bool) -> Iterator[RunningPeer]:
    """Run DCMTK's storescp, which fsyncs nothing; bit-preserving it writes the bytes as they come, in a child each."""
    assert STORESCP is not None
    folder.mkdir(parents=True)
    port = free_port()
    options = ["--fork", "+B"] if bit_preserving else []
    name = "storescp --fork +B" if bit_preserving else "storescp"
    with _running([STORESCP, *options, "-od", str(folder), str(port)], folder.with_suffix(".log"), _ANSWERING_AT_ONCE):
        yield _answering(RunningPeer(name, port))


@contextmanager
def orthanc_receiving(folder: Path) -> Iterator[RunningPeer]:
    """Run Orthanc as Debian ships it: SQLite index, files fsynced."""
    with orthanc_running(folder, _ANSWERING_AT_ONCE) as orthanc:
        yield _answering(RunningPeer("orthanc", orthanc.dicom_port))


@contextmanager
def _running(command: list[str], log: Path, environ: dict[str, str]) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answering(peer: RunningPeer) -> RunningPeer:
    assert ECHOSCU is not None
    command = [ECHOSCU, "-aec", "ACUITY", "127.0.0.1", str(peer.port)]
    wait_for(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0, 60)
    return peer


def peers_are_installed() -> bool:
    """Return whether DCMTK's own tools are there."""
    return None not in (STORESCP, ECHOSCU, STORESCU)
