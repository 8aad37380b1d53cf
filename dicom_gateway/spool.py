"""Received bytes on disk: written once, fsynced, named by their content, never changed."""

import fcntl
import hashlib
import mmap
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dicom_gateway.durable_files import fsync_folder, full_disk_told
from dicom_gateway.file_meta import Claim, file_meta
from dicom_gateway.inbox import Inbox, NewFiles
from triage.errors import StorageFull
from triage.identifiers import Sha256
from triage.study import Source, StoredFile

ABANDONED_AFTER_S = 3600.0

_GATHERED_BYTES = 1 << 18
_BYTES_BETWEEN_LOOKS = 1 << 26
_INSTANCES, _QUARANTINE, _UNFINISHED = "instances", "quarantine", "unfinished"


class UnfinishedFile:
    """A data set while it arrives, behind its file meta group; hashed as it comes."""

    def __init__(self, spool: "Spool", path: Path, claim: Claim, source: Source) -> None:
        self._spool = spool
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._digest = hashlib.sha256()
        self._meta = file_meta(claim, source)
        self._transfer_syntax_uid = claim.transfer_syntax_uid
        self._gathered = bytearray(self._meta.content)
        self._all_gathered = True
        self._size = 0
        self._next_look = _BYTES_BETWEEN_LOOKS

    def write(self, piece: memoryview | bytes) -> None:
        """Append bytes of the data set; raises StorageFull."""
        self._size += len(piece)
        self._digest.update(piece)
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
        """Return the file with all its bytes and their digest fsynced; raises StorageFull."""
        digest = Sha256(self._digest.hexdigest())
        with full_disk_told(self._path):
            self._write_digest(digest.encode())
            os.fdatasync(self._descriptor)
        self._spool.require_space()
        return SealedFile(self._path, digest, self._size, len(self._meta.content), self._transfer_syntax_uid)

    @contextmanager
    def content(self) -> Iterator[mmap.mmap | bytes]:
        """Give the bytes of the sealed file without copying them."""
        if self._all_gathered:
            yield bytes(self._gathered)
        else:
            with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped

    def leave(self) -> None:
        """Leave the file to whoever took it over."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Leave nothing behind, unless the file has its place already or was taken over."""
        if self._descriptor >= 0:
            self.leave()
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._all_gathered = False
            self._put(gathered)

    def _put(self, piece: memoryview | bytes | bytearray) -> None:
        with full_disk_told(self._path):
            _write_all(self._descriptor, piece)

    def _write_digest(self, digest: bytes) -> None:
        at = self._meta.digest_at
        if self._all_gathered:
            self._gathered[at : at + len(digest)] = digest
        else:
            os.pwrite(self._descriptor, digest, at)
        if self._gathered:
            _write_all(self._descriptor, self._gathered)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A whole data set, safe on disk, without its place yet; `data_set_start` is where it begins in the file."""

    path: Path
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
    inbox: Inbox = field(compare=False, repr=False)

    def new_files(self) -> NewFiles:
        """Return where one association takes its files from."""
        return NewFiles(self.inbox)

    def begin(self, files: NewFiles, claim: Claim, source: Source) -> UnfinishedFile:
        """Return a new file; raises StorageFull when less than the reserve is free, or when the disk says so."""
        self.require_space()
        return UnfinishedFile(self, files.take(), claim, source)

    def place(self, sealed: Sequence[SealedFile]) -> list[StoredFile]:
        """Return where the instances stay; each keeps its name in the inbox, too, until `forget`.

        Whoever finds a file in the inbox of a process that ended registers it (`dicom_gateway.adoption`), so it must
        lie there until its row is committed. Neither name is fsynced again: after a power failure one of them is left.

        Raises:
            StorageFull: the disk says so; what has its place keeps it, and is the same when it comes again.
        """
        folder = f"{self.folder}/{_INSTANCES}"
        return self._place(sealed, [f"{folder}/{one.sha256[:2]}/{one.sha256}.dcm" for one in sealed])

    def quarantine(self, sealed: SealedFile) -> StoredFile:
        """Return where unreadable bytes stay, apart from the instances; raises as `place`."""
        return self._place([sealed], [f"{self.folder}/{_QUARANTINE}/{sealed.sha256}.dcm"])[0]

    def forget(self, sealed: Sequence[SealedFile]) -> None:
        """Take the files, whose rows are committed, out of the inbox."""
        for one in sealed:
            one.path.unlink(missing_ok=True)

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

    def _place(self, sealed: Sequence[SealedFile], paths: Sequence[str]) -> list[StoredFile]:
        with full_disk_told(self.folder):
            for one, path in zip(sealed, paths, strict=True):
                _name(one.path, path)
        return [
            StoredFile(one.sha256, one.size, path, one.transfer_syntax_uid)
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
    return Spool(folder, min_free_bytes, Inbox(folder / _UNFINISHED))


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


def _name(path: Path, place: str) -> None:
    """Give the file its place as a further name, made of its content: what is there already are the same bytes."""
    try:
        os.link(path, place)
    except FileExistsError:
        return
    except FileNotFoundError:
        # Another process may have taken it over, and be done with it.
        if not os.path.exists(place):
            raise


def _write_all(descriptor: int, data: memoryview | bytes | bytearray) -> None:
    """Write everything; one call writes less on a disk that is filling up, and the next one says why."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
