"""Instances a second into Acuity, DCMTK's storescp and Orthanc, in one run on one machine, sent by DCMTK's storescu.

Every receiver gets the same new instances in turn; a line holds the median of the repeats and its ratio to the peers.
Acuity answers after fsync and commit, Orthanc after its own fsync, storescp after a write that nothing makes durable.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
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


def measure(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield one line per receiver, kind of object, number of associations and state of Nagle's algorithm."""
    options = _options(arguments)
    assert peers_are_installed(), "DCMTK is missing: run tests/install_peers.sh"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        peers = _started(Path(folder), options, stack)
        sent = 0
        for nagle, kind, associations in product(options.nagle, options.kinds, options.associations):
            rates: dict[str, list[float]] = {peer.name: [] for peer in peers}
            count = KINDS[kind].count_with_nagle if nagle == "on" else KINDS[kind].count
            count = max(associations, int(count * options.scale))
            for repeat in range(options.repeats if nagle == "off" else 1):
                files = Path(folder) / f"{nagle}-{kind}-{associations}-{repeat}"
                folders = write_objects(KINDS[kind], count, associations, files, sent)
                sent += count
                for peer in peers:
                    rates[peer.name].append(count / _seconds_to_send(peer, folders, nagle == "on"))
                subprocess.run(["rm", "-rf", str(files)], check=True)
            yield from _lines(rates, {"kind": kind, "associations": associations, "nagle": nagle, "n": count})
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


def _lines(rates: dict[str, list[float]], what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    medians = {name: median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        ratios = {
            f"x_{peer}": round(rate / medians[peer], 2)
            for peer in ("storescp", "storescp --fork +B", "orthanc")
            if peer in medians and peer != name
        }
        spread = {"min": round(min(rates[name]), 1), "max": round(max(rates[name]), 1)}
        yield {**what, "receiver": name, "unit": "instances/s", "median": round(rate, 1), **spread, **ratios}
