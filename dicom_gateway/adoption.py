"""What processes that ended had received, and not registered any more, is taken over by one that lives."""

import hashlib
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from dicom_gateway.file_meta import Sealed, read_sealed
from dicom_gateway.spool import SealedFile
from dicom_gateway.storing import Session, Storing
from triage.errors import RetriableError, UnreadableInstance

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 5.0


class Adoption:
    """Looks, from `start` to `stop`, for what other processes left; the first look is at once."""

    def __init__(self, store: Storing) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="adoption", daemon=True)

    def start(self) -> None:
        """Look now and every few seconds, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and wait for a look that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_LOOK_EVERY_S)

    def look(self) -> int:
        """Return how many instances were taken over; whatever was never acknowledged as a whole is removed.

        Raises:
            StoreUnavailable, StorageFull: not now; everything is still where it was, or registered.
        """
        taken = 0
        for folder in self._store.spool.inbox.abandoned():
            sessions: dict[str, Session] = {}
            try:
                for path in sorted(folder.glob("*.part")):
                    try:
                        taken += self._take(path, sessions)
                    except OSError as error:
                        log.error("file_not_adopted", file=path.name, reason=error.strerror)
            finally:
                for session in sessions.values():
                    session.closed("lost")
            # Not while something is left in it, as what was not registered in time.
            with suppress(OSError):
                folder.rmdir()
        if taken:
            log.warning("instances_adopted", instances=taken)
        return taken

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except RetriableError as error:
                log.warning("adoption_postponed", reason=str(error))
            except Exception:
                log.exception("adoption_failed")
            self._stopping.wait(_LOOK_EVERY_S)

    def _take(self, path: Path, sessions: dict[str, Session]) -> bool:
        with _mapped(path) as content:
            sealed = _sealed(content)
            if sealed is None:
                path.unlink(missing_ok=True)
                return False
            source, claim, start = sealed.source, sealed.claim, sealed.data_set_start
            session = sessions.setdefault(source.association_id, self._store.resumed(source))
            file = SealedFile(path, sealed.sha256, len(content) - start, start, claim.transfer_syntax_uid)
            session.take(file, content, claim)
        return True


def _sealed(content: mmap.mmap | bytes) -> Sealed | None:
    """Return what the file says of itself, where its data set has the digest that it says."""
    try:
        sealed = read_sealed(content)
    except UnreadableInstance:
        return None
    actual = hashlib.sha256(memoryview(content)[sealed.data_set_start :]).hexdigest()
    return sealed if actual == sealed.sha256 else None


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        if path.stat().st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content
        else:
            yield b""
