"""Received bytes on disk: written once, fsynced, named by their content, never changed."""

import hashlib
import shutil
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_gateway.durable_files import write_durably
from triage.errors import StorageFull
from triage.identifiers import Sha256
from triage.study import StoredFile

IMPLEMENTATION_CLASS_UID = "2.25.318734610734820473528150223640915062103"
IMPLEMENTATION_VERSION_NAME = "ACUITY_0_1"

ABANDONED_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class ReceivedBytes:
    """A data set as it came, with what the C-STORE request says that it is."""

    data_set: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Spool:
    """Two folders on one disk: instances that are indexed, and bytes that nobody could read.

    `min_free_bytes` are kept free, so that the database can still commit when the disk fills up.
    """

    folder: Path
    min_free_bytes: int

    def write(self, received: ReceivedBytes) -> StoredFile:
        """Return the file that holds the data set behind a new preamble and file meta group, safe on disk.

        Raises:
            StorageFull: less than the reserve is free, or the disk said so itself; nothing is left behind.
        """
        digest = _digest(received)
        return self._write_once(self.folder / "instances" / digest[:2] / digest[2:4] / f"{digest}.dcm", received)

    def quarantine(self, received: ReceivedBytes) -> StoredFile:
        """Return the file that holds unreadable bytes, kept apart from the instances; raises as `write`."""
        return self._write_once(self.folder / "quarantine" / f"{_digest(received)}.dcm", received)

    def _write_once(self, path: Path, received: ReceivedBytes) -> StoredFile:
        stored = StoredFile(_digest(received), len(received.data_set), str(path), received.transfer_syntax_uid)
        if path.exists():
            return stored
        parts = (_file_meta(received), received.data_set)
        if shutil.disk_usage(self.folder).free < self.min_free_bytes + sum(map(len, parts)):
            raise StorageFull(f"{self.folder}: less than {self.min_free_bytes} bytes would stay free")
        write_durably(path, *parts, unfinished_in=self.folder / "unfinished")
        return stored


def prepare_spool(folder: Path, min_free_bytes: int) -> Spool:
    """Return the spool on `folder`; files that a process left unfinished long ago were never acknowledged and go."""
    for name in ("instances", "quarantine", "unfinished"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for left in (folder / "unfinished").glob("*.part"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                left.unlink()
    return Spool(folder, min_free_bytes)


def _digest(received: ReceivedBytes) -> Sha256:
    return Sha256(hashlib.sha256(received.data_set).hexdigest())


def _file_meta(received: ReceivedBytes) -> bytes:
    """Return preamble, prefix and file meta group in front of a data set (PS3.10 section 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHL", 2, 1, b"OB", 0, 2) + b"\x00\x01",
            _short(0x0002, b"UI", received.sop_class_uid),
            _short(0x0003, b"UI", received.sop_instance_uid),
            _short(0x0010, b"UI", received.transfer_syntax_uid),
            _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def _short(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += (b"\x00" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
