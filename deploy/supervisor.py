"""`acuity up`: every process of the platform on one machine, started, watched, restarted and stopped."""

import argparse
import ctypes
import fcntl
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from deploy.bundles import register_at_start
from deploy.migrate import prepare_database
from deploy.notifying import messengers_of
from deploy.opened import noted_settings, writable_home
from deploy.process import settings_of, stop_on_signals
from deploy.routing import rules_of
from deploy.secret_files import provider_secret
from deploy.settings import DatabaseSection, DestinationSection, Settings, SettingsFile
from storage.database import connect, is_reachable
from storage.embedded import EmbeddedPostgres, start_embedded
from storage.model_registry import ModelRows
from triage.errors import InvalidSetting, StoreUnavailable

log = structlog.get_logger(__name__)

PATIENCE_S, LONGEST_START_S = 120.0, 600.0
"""For a start: the first where a process has ended again, the second where all run and are merely slow."""

LONGEST_PAUSE_S = 5.0
ONE_ATTEMPT_S = 0.1
"""For a PostgreSQL that ended while the platform runs: so short that each look tries once."""

QUEUES_BESIDE = {"deliver": "delivery", "shadow": "shadow", "validate": "validation"}
_PR_SET_PDEATHSIG = 1


def run(options: argparse.Namespace) -> int:
    """Run the whole platform until SIGTERM or SIGINT."""
    settings = settings_of(options, "up")
    print(f"acuity: data in {settings.home}", file=sys.stderr)
    Platform(settings, options.simulator).run(stop_on_signals())
    return 0


@dataclass
class Child:
    """One process of the platform with its command; restarted when it ends, at first at once."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    not_before: float = 0.0

    def keep_running(self) -> None:
        """Start the process unless it runs or has died too often in the last seconds."""
        if self.process is not None and self.process.poll() is None:
            return
        now = time.monotonic()
        if self.process is not None:
            log.warning("process_ended", name=self.name, code=self.process.returncode)
            self.restarts += 1
            self.not_before = now + min(LONGEST_PAUSE_S, 0.25 * (self.restarts - 1))
            self.process = None
        if now >= self.not_before:
            command = [sys.executable, "-m", "deploy.cli", *self.arguments]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)


@dataclass
class Platform:
    """Everything that `acuity up` runs."""

    settings: Settings
    simulator: bool
    children: list[Child] = field(default_factory=list)
    postgres: EmbeddedPostgres | None = None

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop`.

        Raises:
            InvalidSetting: the data folder cannot be written, another `acuity up` runs on it, a port is taken, or a
                rule or a secret is wrong.
            StoreUnavailable: the database cannot be started or reached.
            InvalidBundle: a bundle that was never registered does not verify.
        """
        home = writable_home(self.settings)
        with (home / "acuity.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InvalidSetting(f"{home}: another acuity runs on this folder, one at a time is needed") from error
            try:
                self._start(stop)
                self._watch(stop)
            finally:
                self._stop()

    def _start(self, stop: threading.Event) -> None:
        self.settings = _with_free_ports(self.settings)
        file = self._with_database(self.settings.file)
        if self.simulator and not file.destinations:
            file = file.model_copy(update={"destinations": (_simulated_pacs(),)})
        self.settings = replace(self.settings, file=file)
        rules_of(self.settings)
        messengers_of(self.settings)
        provider_secret(self.settings)
        prepare_database(file.database.url, self.settings)
        self._register_models(file.database.url)
        self.children = _children(self.settings, _noted(self.settings), self.simulator)
        for child in self.children:
            child.keep_running()
        self._await_ready(stop)

    def _register_models(self, url: str) -> None:
        engine = connect(url)
        register_at_start(ModelRows(engine), self.settings)
        engine.dispose()

    def _with_database(self, file: SettingsFile) -> SettingsFile:
        if file.database.url:
            return file
        self.postgres = start_embedded(self.settings.home / "postgres")
        return file.model_copy(update={"database": DatabaseSection(url=self.postgres.url)})

    def _await_ready(self, stop: threading.Event) -> None:
        """Say so once the platform can serve; say nothing where `stop` came first."""
        dicom, web = self.settings.file.dicom, self.settings.file.web
        began = time.monotonic()
        while not (_listens(dicom.host, dicom.port) and _is_ready(web.host, web.port)):
            ended = [child.name for child in self.children if child.restarts]
            patience = PATIENCE_S if ended else LONGEST_START_S
            if time.monotonic() - began > patience:
                why = f"{', '.join(ended)} ended, the log lines above say why" if ended else "this machine is too slow"
                raise StoreUnavailable(f"not ready within {patience:.0f} s: {why}")
            for child in self.children:
                child.keep_running()
            if stop.wait(0.1):
                return
        address = f"dicom {dicom.ae_title}@{dicom.host}:{dicom.port} worklist http://{web.host}:{web.port}/"
        print(f"ready: {address}", flush=True)

    def _watch(self, stop: threading.Event) -> None:
        if self.postgres is not None:
            # In a thread of its own: an attempt may take long, and holds up neither the other processes nor the end.
            threading.Thread(target=self._keep_postgres_running, args=(stop,), name="postgres", daemon=True).start()
        while not stop.wait(0.2):
            for child in self.children:
                child.keep_running()

    def _keep_postgres_running(self, stop: threading.Event) -> None:
        assert self.postgres is not None
        engine = connect(self.postgres.url)
        while not stop.wait(1.0):
            try:
                if not is_reachable(engine):
                    log.warning("postgres_ended")
                    self.postgres = start_embedded(self.settings.home / "postgres", ONE_ATTEMPT_S)
            except StoreUnavailable as error:
                # As long as the disk is full, it cannot start; the receivers tell their senders, and it is tried again.
                log.error("postgres_not_started", reason=str(error))
            except Exception:
                log.exception("postgres_not_watched")
        engine.dispose()

    def _stop(self) -> None:
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + 15.0
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.postgres is not None:
            self.postgres.stop()


def _noted(settings: Settings) -> Path:
    """Return the file that says what the platform runs on; it is replaced as a whole, since other commands read it."""
    noted = noted_settings(settings.home)
    noted.parent.mkdir(exist_ok=True)
    unfinished = noted.with_suffix(".part")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(settings.file.model_dump(mode="json")), encoding="utf-8")
    unfinished.rename(noted)
    return noted


def _children(settings: Settings, resolved: Path, simulator: bool) -> list[Child]:
    config = ("--config", str(resolved))
    file = settings.file
    children = [Child(f"receive-{n}", ("receive", *config)) for n in range(file.dicom.receivers)]
    children += [Child(f"work-{n}", ("work", *config, "--queue", "triage")) for n in range(file.inference.workers)]
    children += [Child(name, ("work", *config, "--queue", queue)) for name, queue in QUEUES_BESIDE.items()]
    children += [Child("monitor", ("monitor", *config)), Child("web", ("web", *config))]
    if simulator:
        children += [Child("simulated-pacs", ("simulated-pacs", *config)), Child("simulator", ("scanners", *config))]
    return children


def _simulated_pacs() -> DestinationSection:
    return DestinationSection(
        name="Simulated PACS",
        ae_title="SIMPACS",
        host="127.0.0.1",
        port=_free_port("127.0.0.1"),
        send=frozenset({"sr", "seg"}),
    )


def _with_free_ports(settings: Settings) -> Settings:
    """Return the settings with every port 0 replaced by one that is free now."""
    dicom, web = settings.file.dicom, settings.file.web
    dicom = dicom.model_copy(update={"port": dicom.port or _free_port(dicom.host)})
    web = web.model_copy(update={"port": web.port or _free_port(web.host)})
    for section, name in ((dicom, "dicom"), (web, "web")):
        if _listens(section.host, section.port):
            raise InvalidSetting(f"{name}.port: {section.port} is taken, a free one is needed")
    return replace(settings, file=settings.file.model_copy(update={"dicom": dicom, "web": web}))


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1" if host == "0.0.0.0" else host, port)) == 0


def _is_ready(host: str, port: int) -> bool:
    host = "127.0.0.1" if host == "0.0.0.0" else host
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _die_with_parent() -> None:
    """Let the kernel end this child when `acuity up` is killed, so that no orphan holds a port (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
