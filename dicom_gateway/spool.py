"""Received bytes on disk: written once, fsynced, named by their content, never changed."""

import fcntl
import hashlib
import mmap
import os
import shutil
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from dicom_gateway.durable_files import fsync_folder, full_disk_told
from triage.errors import StorageFull
from triage.identifiers import Sha256
from triage.study import StoredFile

IMPLEMENTATION_CLASS_UID = "2.25.318734610734820473528150223640915062103"
IMPLEMENTATION_VERSION_NAME = "ACUITY_0_1"

ABANDONED_AFTER_S = 3600.0

_GATHERED_BYTES = 1 << 18
_BYTES_BETWEEN_LOOKS = 1 << 26
_INSTANCES, _QUARANTINE, _UNFINISHED = "instances", "quarantine", "unfinished"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a C-STORE request says that its data set is; with a study, it may be of no other."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str = ""


class UnfinishedFile:
    """A data set while it arrives, behind its file meta group; hashed as it is written."""

    def __init__(self, spool: "Spool", claim: Claim) -> None:
        self._spool = spool
        self._claim = claim
        self._path = spool.folder / _UNFINISHED / f"{uuid4().hex}.part"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        self._digest = hashlib.sha256()
        self._gone = False
        self._meta_bytes = self._begin_with(_file_meta(claim))
        self._gathered = bytearray()
        self._size = 0
        self._next_look = _BYTES_BETWEEN_LOOKS

    def write(self, piece: memoryview | bytes) -> None:
        """Append bytes of the data set; raises StorageFull."""
        self._size += len(piece)
        if len(piece) >= _GATHERED_BYTES // 4:
            self._flush()
            self._put(piece)
        else:
            self._gathered += piece
            if len(self._gathered) >= _GATHERED_BYTES:
                self._flush()
        if self._size >= self._next_look:
            self._next_look += _BYTES_BETWEEN_LOOKS
            self._spool.require_space()

    def seal(self) -> "SealedFile":
        """Return the file with all its bytes fsynced; raises StorageFull."""
        self._flush()
        with full_disk_told(self._path):
            os.fsync(self._descriptor)
        self._spool.require_space()
        digest = Sha256(self._digest.hexdigest())
        return SealedFile(self, digest, self._size, self._meta_bytes, self._claim.transfer_syntax_uid)

    def discard(self) -> None:
        """Leave nothing behind, unless the file has its place already."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if not self._gone:
            self._gone = True
            self._path.unlink(missing_ok=True)

    def move_to(self, path: Path) -> None:
        """Give the file its place; bytes that are there already are the same, and stay."""
        if not path.exists():
            self._path.rename(path)
            self._gone = True
        self.discard()

    @contextmanager
    def mapped(self) -> Iterator[mmap.mmap]:
        """Give the whole file's bytes without copying them."""
        with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as content:
            yield content

    def _flush(self) -> None:
        if self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._put(gathered)

    def _put(self, piece: memoryview | bytes | bytearray) -> None:
        self._digest.update(piece)
        with full_disk_told(self._path):
            _write_all(self._descriptor, piece)

    def _begin_with(self, meta: bytes) -> int:
        try:
            _write_all(self._descriptor, meta)
        except OSError:
            self.discard()
            raise
        return len(meta)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A whole data set, safe on disk, without its place yet; `data_set_start` is where it begins in the file."""

    file: UnfinishedFile
    sha256: Sha256
    size: int
    data_set_start: int
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Spool:
    """Two folders on one disk: instances that are indexed, and bytes that nobody could read.

    `min_free_bytes` are kept free, so that the database can still commit when the disk fills up.
    """

    folder: Path
    min_free_bytes: int

    def begin(self, claim: Claim) -> UnfinishedFile:
        """Return a new file; raises StorageFull when less than the reserve is free, or when the disk says so."""
        self.require_space()
        with full_disk_told(self.folder):
            return UnfinishedFile(self, claim)

    def place(self, sealed: Sequence[SealedFile]) -> list[StoredFile]:
        """Return where the instances stay, one folder of the disk fsynced after the other.

        Raises:
            StorageFull: the disk says so; what has its place keeps it, and is the same when it comes again.
        """
        paths = [self.folder / _INSTANCES / one.sha256[:2] / f"{one.sha256}.dcm" for one in sealed]
        return self._place(sealed, paths)

    def quarantine(self, sealed: SealedFile) -> StoredFile:
        """Return where unreadable bytes stay, apart from the instances; raises as `place`."""
        return self._place([sealed], [self.folder / _QUARANTINE / f"{sealed.sha256}.dcm"])[0]

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Hold off whoever removes files until the rows of those that get their place are committed."""
        with _locked(self.folder, fcntl.LOCK_SH):
            yield

    def has_space(self) -> bool:
        """Return whether the reserve is free."""
        return shutil.disk_usage(self.folder).free >= self.min_free_bytes

    def require_space(self) -> None:
        """Raise StorageFull unless the reserve is free."""
        if not self.has_space():
            raise StorageFull(f"{self.folder}: less than {self.min_free_bytes} bytes would stay free")

    def _place(self, sealed: Sequence[SealedFile], paths: Sequence[Path]) -> list[StoredFile]:
        with full_disk_told(self.folder):
            for one, path in zip(sealed, paths, strict=True):
                one.file.move_to(path)
            # Also where the bytes were there before: another process may have put them there a moment ago.
            for folder in {path.parent for path in paths}:
                fsync_folder(folder)
        return [
            StoredFile(one.sha256, one.size, str(path), one.transfer_syntax_uid)
            for one, path in zip(sealed, paths, strict=True)
        ]


def prepare_spool(folder: Path, min_free_bytes: int) -> Spool:
    """Return the spool on `folder`; files that a process left unfinished long ago were never acknowledged and go."""
    for name in (_QUARANTINE, _UNFINISHED, *(f"{_INSTANCES}/{number:02x}" for number in range(256))):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for made in (folder / _INSTANCES, folder, folder.parent):
        fsync_folder(made)
    for left in (folder / _UNFINISHED).glob("*.part"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                left.unlink()
    return Spool(folder, min_free_bytes)


@contextmanager
def spool_alone(folder: Path) -> Iterator[None]:
    """Give the time in which no receiver on this spool gives a file its place: what no row names now stays unnamed."""
    with _locked(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    """Hold a lock of the operating system on the folder, which ends with the process that holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: memoryview | bytes | bytearray) -> None:
    """Write everything; one call writes less on a disk that is filling up, and the next one says why."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _file_meta(claim: Claim) -> bytes:
    """Return preamble, prefix and file meta group in front of a data set (PS3.10 section 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHL", 2, 1, b"OB", 0, 2) + b"\x00\x01",
            _short(0x0002, b"UI", claim.sop_class_uid),
            _short(0x0003, b"UI", claim.sop_instance_uid),
            _short(0x0010, b"UI", claim.transfer_syntax_uid),
            _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def _short(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += (b"\x00" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
