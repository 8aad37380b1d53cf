"""`python -m tests.soak`, which is `make soak`: associations, aborts and port probes on loopback, and what they leave.

A receiver in a process of its own, with its own database, gets N connections, at most eight at once: stores and echoes
that are released, associations that are aborted or cut inside a data set, bytes that are no PDU, probes that connect
and go. A tenth of them goes before the first look at its memory. Prints one JSON line; 1 where it grew by more than a
tenth, keeps more than the threads and descriptors of the first look, leaves unfinished files, or no longer answers.
"""

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deploy.settings import Settings, SettingsFile
from storage.database import connect, migrate
from storage.embedded import start_embedded
from tests import pdus
from tests.chaos.__main__ import _end, _fork, _free_port, _receive
from tests.integration.test_receiver import a_ct, encoded
from tests.wire import Refused, requestor

AT_ONCE = 8
MOST_GROWTH = 1.10
KINDS = ("store", "echo", "abort", "cut", "garbage", "probe")


def main() -> int:
    """Return 0 where the receiver is at the end as it was after a tenth."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600, help="stop after so many seconds at the latest")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="acuity-soak-") as folder:
        report = soak(Path(folder), options.connections, options.seconds, options.seed)
    print(json.dumps(report))
    return 0 if report["flat"] else 1


def soak(home: Path, connections: int, seconds: float, seed: int) -> dict[str, Any]:
    """Return what was done, and memory (MB), threads and descriptors of the receiver before and after."""
    postgres = start_embedded(home / "postgres")
    engine = connect(postgres.url)
    migrate(engine)
    engine.dispose()
    port = _free_port()
    file = {"dicom": {"port": port}, "database": {"url": postgres.url}, "storage": {"min_free_gb": 0.05}}
    settings = Settings(home, SettingsFile.model_validate(file))
    receiver = _fork(lambda: _receive(settings))
    begin = time.monotonic()
    try:
        _await(port)
        first = _run(port, range(connections // 10), seed, begin + seconds)
        before = _held_by(receiver)
        rest = _run(port, range(connections // 10, connections), seed, begin + seconds)
        after = _held_by(receiver)
        unfinished = len(list((home / "spool" / "unfinished").rglob("*.part")))
    finally:
        _end(receiver, signal.SIGKILL)
        postgres.stop()
    done = first + rest
    grown = after["memory_mb"] / before["memory_mb"]
    kept = unfinished or any(after[name] > before[name] for name in ("threads", "descriptors"))
    return {
        "connections": done.total(), "seconds": round(time.monotonic() - begin, 1), "seed": seed,
        "done": dict(sorted(done.items())), "before": before, "after": after, "unfinished": unfinished,
        "growth": round(grown, 3),
        "flat": grown <= MOST_GROWTH and not kept and done["failed"] == 0 and done.total() == connections,
    }  # fmt: skip


def _run(port: int, numbers: range, seed: int, until: float) -> Counter[str]:
    def one(number: int) -> str:
        rng = random.Random(f"{seed}-{number}")
        kind = rng.choice(KINDS)
        if time.monotonic() > until:
            return "left out"
        try:
            _connect(port, kind, number, rng)
        except (OSError, Refused) as error:
            print(f"{kind} {number}: {error}", file=sys.stderr)
            return "failed"
        return kind

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = Counter(pool.map(one, numbers))
    del done["left out"]
    return done


def _connect(port: int, kind: str, number: int, rng: random.Random) -> None:
    """Make one connection of this kind; raises OSError or Refused where a sound one is not served."""
    if kind == "store":
        image = a_ct()
        image.SOPInstanceUID = f"2.25.700.{number}"
        with requestor(port, pdus.CT_IMAGE_STORAGE, pdus.EXPLICIT) as association:
            if (status := association.store(image.SOPInstanceUID, encoded(image))) != 0:
                raise Refused(f"status {status:04X}H")
        return
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        if kind == "garbage":
            peer.sendall(rng.randbytes(64))
        elif kind != "probe":
            abstract = pdus.VERIFICATION if kind == "echo" else pdus.CT_IMAGE_STORAGE
            peer.sendall(pdus.associate_rq(((1, abstract, (pdus.IMPLICIT,)),)))
            if peer.recv(4096)[:1] != b"\x02":
                raise Refused("no A-ASSOCIATE-AC")
            _say(peer, kind)


def _say(peer: socket.socket, kind: str) -> None:
    if kind == "abort":
        peer.sendall(pdus.ABORT)
    elif kind == "cut":
        peer.sendall(pdus.store("2.25.701", bytes(4000))[:2000])
    else:
        for request in (pdus.echo(), pdus.RELEASE_RQ):
            peer.sendall(request)
            if not peer.recv(4096):
                raise Refused("the connection was closed")


def _await(port: int) -> None:
    for _ in range(300):
        try:
            _connect(port, "echo", 0, random.Random(0))
            return
        except (OSError, Refused):
            time.sleep(0.1)
    raise RuntimeError(f"no receiver on port {port} after 30 s")


def _held_by(process: int) -> dict[str, Any]:
    """Return what the process holds when its connections have ended; they have three seconds for it."""
    counts: list[tuple[int, int]] = []
    for _ in range(30):
        time.sleep(0.1)
        counts.append((len(os.listdir(f"/proc/{process}/task")), len(os.listdir(f"/proc/{process}/fd"))))
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    threads, descriptors = min(counts)
    return {"memory_mb": round(resident / 1024, 1), "threads": threads, "descriptors": descriptors}


if __name__ == "__main__":
    sys.exit(main())
