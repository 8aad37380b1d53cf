"""Where files lie until their rows are committed: a folder for each process, locked as long as the process lives."""

import fcntl
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from dicom_gateway.durable_files import fsync_folder, full_disk_told

_MOST_AT_ONCE = 32


class Inbox:
    """The folder of this process, made when the first file arrives; every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._own: Path | None = None
        self._descriptor = -1
        self._numbers = itertools.count()

    def new_files(self, count: int) -> list[Path]:
        """Return new empty files whose names are durable; one where the disk has no room for more.

        Raises:
            StorageFull: the disk says so.
        """
        with full_disk_told(self._folder):
            try:
                return self._new_files(count)
            except OSError:
                if count == 1:
                    raise
                return self._new_files(1)

    def close(self) -> None:
        """Let others take over what is left; an empty folder goes."""
        with self._lock:
            if self._own is not None:
                with suppress(OSError):
                    self._own.rmdir()
                os.close(self._descriptor)
                self._own = None

    def abandoned(self) -> Iterator[Path]:
        """Yield the folders of processes that ended, each kept from everyone else until the next is asked for."""
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder != self._own:
                with _locked_if_free(folder) as is_ours:
                    if is_ours:
                        yield folder

    def _new_files(self, count: int) -> list[Path]:
        own = self._opened()
        paths = [own / f"{next(self._numbers):08}.part" for _ in range(count)]
        try:
            for path in paths:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            # One sync of the folder for all of them: a file that is fsynced later is then also found again.
            fsync_folder(own)
        except OSError:
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        return paths

    def _opened(self) -> Path:
        with self._lock:
            while self._own is None:
                folder = self._folder / uuid4().hex
                folder.mkdir()
                # Whoever looks for abandoned folders may be faster than our lock, and take it for one.
                with suppress(FileNotFoundError):
                    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    if folder.exists():
                        fsync_folder(self._folder)
                        self._own, self._descriptor = folder, descriptor
                    else:
                        os.close(descriptor)
            return self._own


class NewFiles:
    """Files for the instances of one association: as many at a time as it sent before, so that few are left over."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._ready: list[Path] = []
        self._at_once = 1

    def take(self) -> Path:
        """Return an empty file with a durable name; raises StorageFull."""
        if not self._ready:
            self._ready = self._inbox.new_files(self._at_once)
            self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)
        return self._ready.pop()

    def give_back(self) -> None:
        """Remove those that were not taken."""
        for path in self._ready:
            path.unlink(missing_ok=True)
        self._ready = []


@contextmanager
def _locked_if_free(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock where nobody else does, and say whether."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
