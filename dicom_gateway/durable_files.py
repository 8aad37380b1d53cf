"""Files that are whole or not there, and stay after a power failure."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from triage.errors import StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Raise StorageFull where the operating system says that no space is left; other errors stay what they are."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"{path}: {error.strerror}") from error
        raise


def write_durably(path: Path, *parts: bytes, unfinished_in: Path | None = None) -> None:
    """Leave `parts`, one after the other, at `path`; when this returns, file and folder entries are fsynced.

    Args:
        path: replaced where it is there already.
        unfinished_in: a folder on the same disk for the file while it is written; default: the folder of `path`.

    Raises:
        StorageFull: the disk says so; nothing is left behind.
    """
    folder = unfinished_in or path.parent
    unfinished = folder / f"{uuid4().hex}.part"
    try:
        with full_disk_told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("xb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
            # A folder that is new must itself be found again: its parents' entries are made durable too.
            for parent in list(path.parents)[:3]:
                fsync_folder(parent)
    except (OSError, StorageFull):
        unfinished.unlink(missing_ok=True)
        raise


def fsync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
