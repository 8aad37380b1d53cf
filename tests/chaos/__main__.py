"""`python -m tests.chaos`: kill -9 of receivers under load, then everything acknowledged is held against disk and rows.

Two receiver processes share a port. Eight senders store new images without a pause, each on an association of its own,
and write down what was answered with Success. At random moments one receiver is killed with SIGKILL and replaced by a
fork. At the end all are killed, and one more takes over what they left: then each acknowledged instance must have a row
with its SHA-256 and a file with those bytes. Prints one JSON line; exit 1 where anything acknowledged is missing or
altered.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import text

from deploy.receive import receiver_of
from deploy.settings import Settings, SettingsFile
from storage.database import connect, migrate
from storage.embedded import start_embedded
from storage.file_check import check_files
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.wire import Refused, Requestor

RECEIVERS = 2
SUCCESS = 0x0000


def main() -> int:
    """Run one round and return 0 where nothing that was acknowledged is lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kilobytes", type=int, default=64, help="size of an image (default: 64)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="acuity-chaos-") as folder:
        answer = chaos(Path(folder), options)
    print(json.dumps(answer))
    return 0 if answer["lost"] == answer["altered"] == 0 and answer["acknowledged"] else 1


def chaos(home: Path, options: argparse.Namespace) -> dict[str, object]:
    """Return what was done and what was found."""
    postgres = start_embedded(home / "postgres")
    engine = connect(postgres.url)
    migrate(engine)
    engine.dispose()
    port = _free_port()
    file = {"dicom": {"port": port}, "database": {"url": postgres.url}, "storage": {"min_free_gb": 0.05}}
    settings = Settings(home, SettingsFile.model_validate(file))
    rng = random.Random(options.seed)
    started = time.monotonic()
    receivers = [_fork(lambda: _receive(settings)) for _ in range(RECEIVERS)]
    acknowledged = home / "acknowledged"
    senders = _fork(lambda: _send_without_end(port, options.senders, options.kilobytes, acknowledged))
    try:
        for _ in range(options.kills):
            time.sleep(rng.uniform(0.1, 1.0))
            victim = rng.randrange(RECEIVERS)
            _end(receivers[victim], signal.SIGKILL)
            receivers[victim] = _fork(lambda: _receive(settings))
        time.sleep(2.0)
    finally:
        for process in (senders, *receivers):
            _end(process, signal.SIGKILL)
    seconds = time.monotonic() - started
    _take_over(settings)
    engine = connect(postgres.url)
    try:
        found = _reconciled(engine, home, acknowledged)
    finally:
        engine.dispose()
        postgres.stop()
    return {"kills": options.kills, "senders": options.senders, "seconds": round(seconds), **found}


def _take_over(settings: Settings) -> None:
    """Let one more receiver register what the killed ones had acknowledged; nobody sends any more."""
    inbox = settings.home / "spool" / "unfinished"
    receiver = _fork(lambda: _receive(settings))
    until = time.monotonic() + 60
    while any(inbox.rglob("*.part")) and time.monotonic() < until:
        time.sleep(0.1)
    _end(receiver, signal.SIGKILL)


def _reconciled(engine, home: Path, acknowledged: Path) -> dict[str, int]:
    lines = acknowledged.read_text().split("\n")[:-1]
    promised = dict(line.split() for line in lines)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sop_instance_uid, sha256 FROM instances")).all()
    known = {row.sop_instance_uid: row.sha256 for row in rows}
    files = check_files(engine, (home / "spool" / "instances",))
    return {
        "acknowledged": len(promised),
        "stored": len(known),
        "lost": sum(uid not in known for uid in promised) + len(files.missing),
        "altered": sum(known.get(uid, digest) != digest for uid, digest in promised.items()) + len(files.altered),
        "files_without_a_row": sum(1 for _ in (home / "spool" / "instances").rglob("*.dcm")) - len(known),
    }


def _receive(settings: Settings) -> None:
    receiver = receiver_of(settings, connect(settings.file.database.url, pool_size=10))
    receiver.start()
    threading.Event().wait()


def _send_without_end(port: int, senders: int, kilobytes: int, acknowledged: Path) -> None:
    with acknowledged.open("a", buffering=1) as log:
        lock = threading.Lock()
        for number in range(senders):
            threading.Thread(target=_send, args=(port, number, kilobytes, log, lock), daemon=True).start()
        threading.Event().wait()


def _send(port: int, sender: int, kilobytes: int, log, lock: threading.Lock) -> None:
    image = a_ct()
    image.StudyInstanceUID = f"2.25.500{sender}"
    rng = random.Random(sender)
    association: Requestor | None = None
    number = 0
    while True:
        number += 1
        image.SOPInstanceUID = f"2.25.600{sender}.{number}"
        image.PixelData = rng.randbytes(kilobytes * 1024)
        content = encoded(image)
        while True:
            # What was not answered is sent again, as a scanner does.
            try:
                association = association or Requestor(port, CT_IMAGE_STORAGE, EXPLICIT)
                status = association.store(image.SOPInstanceUID, content)
            except (OSError, Refused):
                association = None
                time.sleep(0.02)
                continue
            if status == SUCCESS:
                break
            time.sleep(0.05)
        with lock:
            log.write(f"{image.SOPInstanceUID} {hashlib.sha256(content).hexdigest()}\n")


def _fork(work) -> int:
    process = os.fork()
    if process:
        return process
    try:
        work()
    finally:
        os._exit(1)


def _end(process: int, number: int) -> None:
    os.kill(process, number)
    os.waitpid(process, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
