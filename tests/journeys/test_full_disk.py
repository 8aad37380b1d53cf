"""The whole platform on a disk that is full for a minute, or without its database: told, nothing lost, no restart."""

import hashlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.head_ct_files import write_head_ct
from tests.integration.test_full_disk import image
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.running import STORESCU, RunningAcuity, start_acuity, stop_acuity, storescu, wait_for
from tests.wire import Refused, Requestor

pytestmark = [
    pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh"),
    pytest.mark.timeout(600),
    pytest.mark.slow,
]
# Next to nothing is kept free, so that the disk is full for PostgreSQL and for the log, too.
SETTINGS = "[dicom]\nport = 0\nreceivers = 2\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.001\n"
HELD_S = 65.0
"""Longer than the platform's patience with a PostgreSQL that starts."""


@pytest.fixture
def disk(tmp_path):
    """A tmpfs that holds the platform's data; unmounted at the end."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(folder)]
    done = subprocess.run(mounting, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@dataclass
class Sender:
    """Sends one new image after the other, each until it is acknowledged, over few associations."""

    port: int
    number: int
    statuses: set[str] = field(default_factory=set)
    acknowledged: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        association: Requestor | None = None
        count = 0
        while not self.stop.wait(0.02):
            uid, content = image(1000 * self.number + count)
            began = time.monotonic()
            try:
                association = association or Requestor(self.port, CT_IMAGE_STORAGE, EXPLICIT)
                status = association.store(uid, content)
            except Refused as refused:
                association, status = None, -1
                self.statuses.add(str(refused))
            else:
                self.statuses.add(f"{status:04X}")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if status == 0:
                self.acknowledged[uid] = hashlib.sha256(content).hexdigest()
                count += 1
            else:
                self.stop.wait(0.5)
        if association is not None:
            association.release()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill the disk, and keep it full."""
    filled, over = threading.Event(), threading.Event()

    def fill() -> None:
        with (disk / "ballast").open("ab", buffering=0) as ballast:
            while not over.is_set():
                for size in (1 << 20, 4096):
                    try:
                        ballast.write(bytes(size))
                        break
                    except OSError:
                        filled.set()
                over.wait(0.01 if filled.is_set() else 0.0)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        assert filled.wait(60)
        yield
    finally:
        over.set()
        filling.join()
        (disk / "ballast").unlink()


@contextmanager
def unable_to_start(postgres: Path) -> Iterator[None]:
    """Take away the file without which PostgreSQL does not start."""
    control, elsewhere = postgres / "global" / "pg_control", postgres / "pg_control"
    control.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(control)


def kill_postgres(running: RunningAcuity) -> None:
    os.kill(int((running.home / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


@pytest.mark.parametrize("broken", ["the disk", "the database"])
def test_what_was_acknowledged_is_kept_and_everything_goes_on_without_a_restart(disk, tmp_path, broken):
    head = write_head_ct(tmp_path / "head", seed=3, bleed=True)
    running = start_acuity(disk / "home", SETTINGS, "--no-simulator")
    senders = [Sender(running.dicom_port, number) for number in (1, 2)]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    try:
        for thread in threads:
            thread.start()
        time.sleep(2)
        with full(disk) if broken == "the disk" else unable_to_start(disk / "home" / "postgres"):
            kill_postgres(running)
            time.sleep(HELD_S)
            before = [len(sender.acknowledged) for sender in senders]
        wait_for(lambda: all(len(one.acknowledged) > count for one, count in zip(senders, before, strict=True)), 60)
        for sender in senders:
            sender.stop.set()
        for thread in threads:
            thread.join(60)
        assert storescu(running.dicom_port, *head).returncode == 0
        acknowledged = {uid: digest for sender in senders for uid, digest in sender.acknowledged.items()}
        listed = wait_for(lambda: all_listed(running, len(acknowledged) + len(head)), 60)
        study = wait_for(lambda: the_head(running), 90)
        whole = running.command("storage", "verify")
    finally:
        for sender in senders:
            sender.stop.set()
        stop_acuity(running)

    assert running.process.returncode == 0
    assert acknowledged.items() <= listed.items()
    assert set.union(*(sender.statuses for sender in senders)) <= {"0000", "A700", TEMPORARY_CONGESTION}
    assert all("A700" in sender.statuses or TEMPORARY_CONGESTION in sender.statuses for sender in senders)
    assert max(sender.slowest_s for sender in senders) < 30
    assert (study["ai_state"], study["instances"]) == ("analysed_flagged", len(head))
    assert whole.returncode == 0, whole.stdout
    assert [path for path in (disk / "home" / "spool" / "unfinished").rglob("*") if path.is_file()] == []


TEMPORARY_CONGESTION = "PDU 03H 00020301 instead of A-ASSOCIATE-AC"


def all_listed(running: RunningAcuity, count: int) -> dict[str, str]:
    listed = {one["sop_instance_uid"]: one["sha256"] for one in running.answer("instances", "list")}
    return listed if len(listed) == count else {}


def the_head(running: RunningAcuity) -> dict[str, object] | None:
    found = [one for one in running.studies() if one["ai_state"] == "analysed_flagged"]
    return found[0] if found else None
