"""kill -9 of every process at random moments: nothing that was acknowledged is lost, and nothing is done twice."""

import hashlib
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.head_ct_files import write_head_ct
from tests.running import (
    ORTHANC,
    STORESCU,
    RunningAcuity,
    orthanc_running,
    start_acuity,
    stop_acuity,
    storescu,
    wait_for,
)

pytestmark = [
    pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh"),
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh"),
    pytest.mark.timeout(900),
    pytest.mark.slow,
]
KILLS = int(os.environ.get("ACUITY_TEST_KILLS", "30"))
VICTIMS = ("receive", "work triage", "work delivery", "monitor", "web", "postgres", "up")
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[completeness]\nquiet_period_s = 2\n[storage]\nmin_free_gb = 0.1\n"


@dataclass
class Sender:
    """Sends studies one after the other with storescu, again and again until each image was acknowledged."""

    studies: list[list[Path]]
    port: int
    acknowledged: set[Path] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        for study in self.studies:
            while (missing := [path for path in study if path not in self.acknowledged]) and not self.stop.is_set():
                sent = storescu(self.port, *missing, options=("-v", "-R", "-to", "5", "-ta", "20", "-td", "20"))
                self.acknowledged |= set(acknowledged(sent.stdout + sent.stderr))
                if sent.returncode:
                    time.sleep(0.3)


def acknowledged(log: str) -> list[Path]:
    """Return the files that storescu says were stored with status Success."""
    found, current = [], None
    for line in log.splitlines():
        if sending := re.search(r"Sending file: (.+)$", line):
            current = Path(sending[1])
        elif "Received Store Response (Success)" in line and current is not None:
            found.append(current)
            current = None
    return found


def kill_one(running: RunningAcuity, victim: str) -> bool:
    """Kill one process; True when that was `acuity up` itself."""
    if victim == "up":
        running.process.kill()
        running.process.wait()
        return True
    process = running.children().get(victim)
    if process is not None:
        os.kill(process, signal.SIGKILL)
    return False


def finished(running: RunningAcuity, count: int) -> bool:
    try:
        studies = running.studies()
    except AssertionError:
        return False
    return len(studies) == count and all(one["status"] == "DELIVERED" for one in studies)


def data_set_digest(path: Path) -> str:
    """Return the SHA-256 of the bytes behind the file meta group."""
    content = path.read_bytes()
    return hashlib.sha256(content[144 + int.from_bytes(content[140:144], "little") :]).hexdigest()


def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(tmp_path):
    rng = random.Random(20261122)
    studies = [write_head_ct(tmp_path / "files" / str(n), seed=n, bleed=n % 2 == 0) for n in range(KILLS // 2)]

    with orthanc_running(tmp_path / "pacs") as pacs:
        settings = SETTINGS + pacs.destination()
        running = start_acuity(tmp_path / "home", settings)
        # Every restart of `acuity up` must listen on the same port, as a real installation does.
        settings = settings.replace("[dicom]\nport = 0", f"[dicom]\nport = {running.dicom_port}")
        sender = Sender(studies, running.dicom_port)
        sending = threading.Thread(target=sender.run)
        sending.start()
        try:
            for number in range(KILLS):
                time.sleep(rng.uniform(0.2, 2.5))
                if kill_one(running, VICTIMS[number % len(VICTIMS)]):
                    running = start_acuity(tmp_path / "home", settings)
            sending.join(timeout=240)
            wait_for(lambda: finished(running, len(studies)), 240, lambda: [
                (one["status"], one["reason"], one["instances"]) for one in running.studies()])  # fmt: skip
            kept = {one["sop_instance_uid"]: one for one in running.answer("instances", "list")}
            listed = running.studies()
            reports = wait_for(lambda: len(pacs.reports()) >= len(studies) and pacs.reports(), 60, pacs.reports)
        finally:
            sender.stop.set()
            stop_acuity(running)

    assert sender.acknowledged == {path for study in studies for path in study}
    for path in sender.acknowledged:
        uid = dcmread(path, stop_before_pixels=True).SOPInstanceUID
        assert kept[uid]["sha256"] == data_set_digest(path) == data_set_digest(Path(kept[uid]["path"]))
    assert sorted(one["instances"] for one in listed) == sorted(map(len, studies))
    assert max(Counter(one["SOPInstanceUID"] for one in reports).values()) == 1
    # A study that was cut in two by a kill may have had a report on its first revision; none has two on one revision.
    by_study = Counter(one["StudyInstanceUID"] for one in reports)
    assert all(by_study[one["study_instance_uid"]] <= one["revision"] for one in listed)
