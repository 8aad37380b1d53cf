"""Whole programs for journeys and benchmarks: `acuity up`, Orthanc, DCMTK's storescu."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "three-o-clock-in-the-morning"
STORESCU = shutil.which("storescu", path="/usr/bin:/usr/local/bin")
ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
READY = re.compile(r"^ready: dicom (\S+)@(\S+):(\d+) worklist (http://\S+/)$", re.MULTILINE)


@dataclass
class RunningAcuity:
    """One `acuity up` and what it printed when it was ready."""

    home: Path
    process: subprocess.Popen[bytes]
    log: Path
    dicom_port: int
    url: str

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return acuity(self.home, *arguments)

    def studies(self) -> list[dict[str, Any]]:
        return list(self.answer("studies", "list"))

    def answer(self, *arguments: str) -> Any:
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def children(self) -> dict[str, int]:
        """Return the process IDs of the platform's own processes, by their command, and of PostgreSQL."""
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if "deploy.cli" in words and str(self.home / "run" / "settings.json") in words:
                found[" ".join(words[3:4] + words[6:8]).strip()] = int(folder.name)
            if words[:1] and words[0].endswith("/postgres") and str(self.home / "postgres") in words:
                found["postgres"] = int(folder.name)
        return found


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ACUITY_HOME": str(home), "ACUITY_ADMIN_PASSWORD": PASSWORD}


def acuity(home: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run one command of the command line."""
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(
        command, env=environment(home), capture_output=True, text=True, timeout=timeout, check=False
    )  # fmt: skip


def start_acuity(home: Path, settings: str = "", *options: str) -> RunningAcuity:
    """Start `acuity up` on free ports and return when it says that it is ready."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "acuity.toml").write_text(settings, encoding="utf-8")
    log = home / "up.log"
    with log.open("ab") as output:
        start = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", *options],
            env=environment(home), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ready() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text()[-3000:]
        return READY.search(log.read_bytes()[start:].decode("utf-8", "replace"))

    said = wait_for(ready, 120, lambda: log.read_text()[-3000:])
    return RunningAcuity(home, process, log, int(said[3]), said[4])


def stop_acuity(running: RunningAcuity) -> None:
    """Stop as a service manager does, and wait."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=60)


@contextmanager
def acuity_up(home: Path, settings: str = "", *options: str) -> Iterator[RunningAcuity]:
    running = start_acuity(home, settings, *options)
    try:
        yield running
    finally:
        stop_acuity(running)


@dataclass(frozen=True)
class RunningOrthanc:
    """An Orthanc that plays the PACS."""

    dicom_port: int
    url: str

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, body: object, method: str = "POST") -> Any:
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def know(self, ae_title: str, port: int, **options: object) -> None:
        """Let Orthanc call a system on this machine, and be called by it."""
        self.post(f"/modalities/{ae_title}", {"AET": ae_title, "Host": "127.0.0.1", "Port": port, **options}, "PUT")

    def reports(self, modality: str = "SR") -> list[dict[str, str]]:
        """Return the main tags of every SR (or SEG) instance that Orthanc holds, with their study."""
        tags = [self.get(f"/instances/{one}/simplified-tags") for one in self.get("/instances")]
        return [one for one in tags if one.get("Modality") == modality]

    def destination(self) -> str:
        return f'[[destinations]]\nname = "PACS"\nae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {self.dicom_port}\n'


@contextmanager
def orthanc_running(
    folder: Path, environ: Mapping[str, str] | None = None, **options: object
) -> Iterator[RunningOrthanc]:
    assert ORTHANC is not None
    folder.mkdir(parents=True, exist_ok=True)
    dicom_port, http_port = free_port(), free_port()
    config = {
        "Name": "pacs", "StorageDirectory": str(folder / "db"), "DicomPort": dicom_port, "DicomAet": "ORTHANC",
        "HttpPort": http_port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [],
        **options,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([ORTHANC, str(folder / "orthanc.json")], stdout=log, stderr=log, env=environ)
    running = RunningOrthanc(dicom_port, f"http://127.0.0.1:{http_port}")
    try:
        wait_for(lambda: _answers(running), 60, lambda: (folder / "log").read_text()[-2000:])
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


def storescu(port: int, *files: Path | str, options: Sequence[str] = ("-R",)) -> subprocess.CompletedProcess[str]:
    """Send files as a scanner does, with DCMTK."""
    assert STORESCU is not None
    command = [STORESCU, *options, "-aec", "ACUITY", "127.0.0.1", str(port), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def wait_for(condition: Callable[[], Any], seconds: float, tell: Callable[[], object] = lambda: "") -> Any:
    """Return what `condition` returns once it is true; fail with what `tell` says after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < until, f"not within {seconds} s: {tell()}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(orthanc: RunningOrthanc) -> bool:
    try:
        return bool(orthanc.get("/system"))
    except OSError:
        return False
