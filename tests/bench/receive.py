"""Instances a second into Acuity, DCMTK's storescp and Orthanc, in one run on one machine, sent by DCMTK's storescu.

Every receiver gets the same new instances in turn; a line holds the rate by the medians of the repeats, and its ratios
to the peers.
To start a sender takes about as long as to send ten images. So as many senders send one instance each before, and what
that takes is taken off, for every receiver alike: the rate is that of all instances but each sender's first.
Acuity answers when the file is durable and its row is certain, Orthanc after an fsync of its own and no sync of its
index, storescp after a write that nothing makes durable.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.objects import KINDS, write_objects
from tests.bench.receivers import (
    RunningPeer,
    acuity_receiving,
    orthanc_receiving,
    peers_are_installed,
    storescp_running,
)
from tests.running import ORTHANC, STORESCU


@dataclass(slots=True)
class Times:
    """Seconds of one receiver: for one instance from each sender, and for all of them."""

    start_s: list[float] = field(default_factory=list)
    all_s: list[float] = field(default_factory=list)

    def rate(self, further: int) -> float | None:
        """Return how many a second there were of those that are no sender's first; None where noise hides it."""
        seconds = median(self.all_s) - median(self.start_s)
        return further / seconds if seconds > 0 else None


def measure(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield one line per receiver, kind of object, number of associations and state of Nagle's algorithm."""
    options = _options(arguments)
    assert peers_are_installed(), "DCMTK is missing: run tests/install_peers.sh"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        peers = _started(Path(folder), options, stack)
        sent = 0
        for nagle, kind, associations in product(options.nagle, options.kinds, options.associations):
            what, times = KINDS[kind], {peer.name: Times() for peer in peers}
            count = what.count_with_nagle if nagle == "on" else what.count
            count = max(2 * associations, int(count * options.scale))
            for _ in range(options.repeats if nagle == "off" else 1):
                for number, kept_in in ((associations, "start_s"), (count, "all_s")):
                    files = Path(folder) / "files"
                    folders = write_objects(what, number, associations, files, sent)
                    sent += number
                    for peer in peers:
                        seconds = _seconds_to_send(peer, folders, nagle == "on")
                        getattr(times[peer.name], kept_in).append(seconds)
                    shutil.rmtree(files)
            further = count - associations
            yield from _lines(times, further, {"kind": kind, "associations": associations, "nagle": nagle})
        for peer in peers:
            assert peer.kept is None or peer.kept() == sent, f"{peer.name} acknowledged {sent}, kept {peer.kept()}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench receive", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--associations", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--nagle", nargs="+", choices=["off", "on"], default=["off", "on"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of instances")
    parser.add_argument("--receivers", nargs="+", type=int, default=[1], help="processes of Acuity, one peer for each")
    parser.add_argument("--without-peers", action="store_true", help="measure Acuity alone")
    return parser.parse_args(arguments)


def _started(folder: Path, options: argparse.Namespace, stack: ExitStack) -> list[RunningPeer]:
    peers = [stack.enter_context(acuity_receiving(folder / f"acuity-{number}", number)) for number in options.receivers]
    if options.without_peers:
        return peers
    peers += [
        stack.enter_context(storescp_running(folder / "storescp", bit_preserving=False)),
        stack.enter_context(storescp_running(folder / "storescp-bits", bit_preserving=True)),
    ]
    if ORTHANC is not None:
        peers.append(stack.enter_context(orthanc_receiving(folder / "orthanc")))
    return peers


def _seconds_to_send(peer: RunningPeer, folders: Sequence[Path], nagle: bool) -> float:
    """Return how long one storescu per folder, each with one association, takes to have everything acknowledged."""
    environ = {**os.environ, "TCP_NODELAY": "0" if nagle else "1"}
    command = [str(STORESCU), "-R", "-aec", "ACUITY", "127.0.0.1", str(peer.port), "+sd"]
    start = time.perf_counter()
    senders = [
        subprocess.Popen([*command, str(one)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for one in folders
    ]
    said = [sender.communicate(timeout=300)[0] for sender in senders]
    elapsed = time.perf_counter() - start
    for sender, words in zip(senders, said, strict=True):
        assert sender.returncode == 0, f"{peer.name}: {words.decode(errors='replace')[-500:]}"
    return elapsed


def _lines(times: dict[str, Times], further: int, what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    rates = {name: one.rate(further) for name, one in times.items()}
    for name, one in times.items():
        rate = rates[name]
        ratios = {
            f"x_{peer}": round(rate / other, 2)
            for peer in ("storescp", "storescp --fork +B", "orthanc")
            if peer != name and rate and (other := rates.get(peer))
        }
        told = {"receiver": name, "unit": "instances/s", "n": further, "rate": rate and round(rate, 1)}
        yield {**what, **told, "start_s": round(median(one.start_s), 3), "all_s": round(median(one.all_s), 3), **ratios}
