"""The receiver's whole path from the first byte to the answer, on mutated conversations and mutated data sets.

Real: PDU reader, negotiation, command sets, spool, header, group commit. Only the socket is a byte string, and the
database a list that refuses what PostgreSQL refuses. A finding is: an exception that nobody expected, an answer 0110H,
an answer Success without a file of those very bytes, a file that nobody answers for, an input that takes a second.
"""

import hashlib
import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydicom import config

from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.following_rows import FollowingRows
from dicom_gateway.group_commit import GroupCommit
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import prepare_spool
from dicom_gateway.statuses import StoreStatus
from dicom_gateway.storing import Storing
from dicom_gateway.upper_layer.association import Association, Timeouts
from dicom_gateway.upper_layer.negotiation import OwnIdentity
from dicom_gateway.upper_layer.slots import Limits, Slots
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import conversation_with, conversations, data_sets
from triage.study import ReceivedInstance, Registration, Source, StoredFile

SLOW_S = 1.0
MOST_FINDINGS = 20
MOST_MEMORY_MB = 500
_MEMORY_FOLDER = Path("/dev/shm")


@dataclass
class Rows:
    """What the database would hold."""

    kept: list[ReceivedInstance] = field(default_factory=list)
    set_apart: list[StoredFile] = field(default_factory=list)

    def register_instances(self, instances: Sequence[ReceivedInstance]) -> Sequence[Registration]:
        for one in instances:
            _as_postgresql_takes_it(one.header)
        self.kept += instances
        return [Registration.NEW for _ in instances]

    def association_opened(self, association_id: str, calling_ae_title: str, host: str) -> None:
        _as_postgresql_takes_it((association_id, calling_ae_title, host))

    def association_closed(self, association_id: str, outcome: str) -> None:
        assert outcome in ("released", "aborted", "lost", "refused"), outcome

    def quarantined(self, file: StoredFile, claimed_uid: str, reason: str, source: Source) -> None:
        _as_postgresql_takes_it((claimed_uid, reason, source.ae_title))
        self.set_apart.append(file)


class Stream:
    """A connection whose other side has said everything already; it comes in pieces of any size."""

    address = "127.0.0.1"
    peer_certificate = ""

    def __init__(self, content: bytes, rng: random.Random) -> None:
        self._content = content
        self._rng = rng
        self.received_bytes = 0
        self.deadline = 0.0
        self.said: list[bytes] = []

    def receive_into(self, buffer: memoryview) -> int:
        left = len(self._content) - self.received_bytes
        size = min(len(buffer), left, self._rng.choice((1, 3, 7, 100, 1 << 20)))
        buffer[:size] = self._content[self.received_bytes : self.received_bytes + size]
        self.received_bytes += size
        return size

    def send(self, data: bytes) -> None:
        self.said.append(data)

    def say_goodbye(self) -> None:
        pass

    def statuses(self) -> list[int]:
        """Return the status of each C-STORE response."""
        found = []
        for answer in self.said:
            if answer[0] == 4 and b"\0\0\0\1\2\0\0\0\1\x80" in answer:
                position = answer.index(b"\0\0\0\x09\2\0\0\0") + 8
                found.append(int.from_bytes(answer[position : position + 2], "little"))
        return found


class Fuzzer:
    """Feeds one input after the other and looks at what it left."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._spool = prepare_spool(folder, 0)
        self._data_sets = data_sets()
        self._conversations = conversations()
        self.outcomes: Counter[str] = Counter()
        self.slowest_s = 0.0

    def check(self, number: int) -> str:
        """Return what was wrong with input `number`, empty if nothing was."""
        rng = random.Random(f"{self._seed}-{number}")
        rows, stream = Rows(), Stream(self._input(rng), rng)
        group = GroupCommit(self._spool, rows)
        following = FollowingRows(group, lambda *_: None)
        following.start()
        storing = Storing(PeerList(), self._spool, group, rows, {}, following)
        own = OwnIdentity(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, 131072)
        begin = time.thread_time()
        try:
            session = storing.session()
            association: Any = Association(stream, own, Timeouts(), Slots(Limits()))  # type: ignore[arg-type]
            outcome = association.run(0, session)
            session.closed(outcome)
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        finally:
            following.stop()
        elapsed = time.thread_time() - begin
        self.slowest_s = max(self.slowest_s, elapsed)
        self.outcomes.update([outcome, *(f"{status:04X}" for status in stream.statuses())])
        return (
            f"took {elapsed:.1f} s of processor time"
            if elapsed > SLOW_S
            else self._complaint(number, rows, stream.statuses())
        )

    def _input(self, rng: random.Random) -> bytes:
        if rng.random() < 0.4:
            return mutated(rng.choice(self._conversations), self._conversations, rng)
        chosen = rng.choice(self._data_sets)
        others = [one.content for one in self._data_sets]
        content = mutated(chosen.content, others, rng)
        # Now and then under a transfer syntax that is not its own.
        syntax = rng.choice(self._data_sets).transfer_syntax_uid if rng.random() < 0.1 else chosen.transfer_syntax_uid
        return conversation_with(content, syntax, rng.choice((9, 60, 16000)) if len(content) < 5000 else 16000)

    def _complaint(self, number: int, rows: Rows, statuses: Sequence[int]) -> str:
        if StoreStatus.PROCESSING_FAILURE in statuses:
            return "answered 0110H"
        if statuses.count(StoreStatus.SUCCESS) != len(rows.kept):
            return f"{statuses.count(StoreStatus.SUCCESS)} times Success, {len(rows.kept)} instances kept"
        expected = {Path(one.file.path) for one in rows.kept} | {Path(one.path) for one in rows.set_apart}
        for file in (*(one.file for one in rows.kept), *rows.set_apart):
            content = Path(file.path).read_bytes()
            start = 144 + int.from_bytes(content[140:144], "little")
            if hashlib.sha256(content[start:]).hexdigest() != file.sha256:
                return f"{file.path}: other bytes than were acknowledged"
        for path in expected:
            path.unlink()
        return self._left_over(number)

    def _left_over(self, number: int) -> str:
        """Look for files of nobody: each time where data sets begin, and every thousandth time everywhere."""
        everywhere = number % 1000 == 0
        looked_in = self._folder.rglob("*") if everywhere else (self._folder / "unfinished").rglob("*")
        left = [path for path in looked_in if path.is_file()]
        for path in left:
            path.unlink()
        return f"files {left} that nobody answers for" if left else ""


def fuzz(inputs: int, seed: int, first: int = 0) -> dict[str, Any]:
    """Return a report on `inputs` inputs; `findings` names those that did harm, at most twenty of them."""
    _keep_quiet()
    findings: list[dict[str, Any]] = []
    memory_mb: list[float] = []
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None) as folder:
        fuzzer = Fuzzer(Path(folder), seed)
        for number in range(first, first + inputs):
            if complaint := fuzzer.check(number):
                findings.append({"input": number, "complaint": complaint})
            if number - first == inputs // 10:
                memory_mb.append(_peak_memory_mb())
            if len(findings) >= MOST_FINDINGS:
                break
            if number % 10_000 == 9_999:
                print(f"{number + 1 - first} inputs, {len(findings)} findings", file=sys.stderr, flush=True)
    if _peak_memory_mb() > MOST_MEMORY_MB:
        findings.append({"input": None, "complaint": f"more than {MOST_MEMORY_MB} MB of memory"})
    return {
        "target": "receive",
        "inputs": inputs,
        "seed": seed,
        "first": first,
        "seconds": round(time.monotonic() - begin, 1),
        "slowest_input_s": round(fuzzer.slowest_s, 3),
        "peak_memory_mb": {"after_a_tenth": memory_mb[0] if memory_mb else None, "at_the_end": _peak_memory_mb()},
        "outcomes": dict(sorted(fuzzer.outcomes.items())),
        "findings": findings,
    }


def _as_postgresql_takes_it(value: Any) -> None:
    text = json.dumps(value, default=_fields)
    assert "\\u0000" not in text, "a NUL, which no text column takes"
    assert "NaN" not in text, "no number"
    assert "Infinity" not in text, "no number"
    # Raises for half a surrogate pair, which UTF-8 does not have.
    json.dumps(value, default=_fields, ensure_ascii=False).encode()


def _fields(value: Any) -> list[Any]:
    return [getattr(value, name) for name in value.__dataclass_fields__]


def _peak_memory_mb() -> float:
    """Return the most memory that this program held; `ru_maxrss` begins at what the starting program held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def _keep_quiet() -> None:
    """Refused instances are the point here, and each would be a line of the log; the receiver sets the other."""
    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory(), wrapper_class=_Silent)


class _Silent(structlog.BoundLoggerBase):
    def _nothing(self, *_event: object, **_fields: object) -> None: ...

    debug = info = warning = error = exception = _nothing
