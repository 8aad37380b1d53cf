"""Fans the change feed out to every open event stream of this process."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from triage.errors import StoreUnavailable
from triage.identifiers import StudyInstanceUid
from worklist.ports import Change, ChangeFeed

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0

log = structlog.get_logger()


@dataclass(slots=True)
class Watcher:
    """One open event stream: the studies that changed since it last looked; a slow one gathers, never queues up."""

    pending: dict[StudyInstanceUid, None] = field(default_factory=dict)
    last_id: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, changes: Sequence[Change]) -> None:
        self.pending.update((change.study_instance_uid, None) for change in changes)
        self.last_id = max([self.last_id, *(change.change_id for change in changes)])
        self.wake.set()

    def take(self) -> list[StudyInstanceUid]:
        """Return the studies that changed, each once, and forget them."""
        uids = list(self.pending)
        self.pending.clear()
        self.wake.clear()
        return uids


@dataclass(slots=True)
class LiveChanges:
    """Follows the feed while the application runs; `connected` says whether changes are heard at present."""

    feed: ChangeFeed
    connected: bool = False
    _open: dict[int, Watcher] = field(default_factory=dict)

    async def run(self) -> None:
        """Follow the feed until cancelled; after a loss begin again, with growing pauses."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async for changes in self.feed.follow():
                    if not self.connected:
                        self._set_connected(True)
                    pause_s = _FIRST_PAUSE_S
                    self._tell(changes)
            except StoreUnavailable as error:
                log.warning("change_feed_lost", error=str(error), retry_in_s=pause_s)
            self._set_connected(False)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """Hand out a watcher that hears of every change until the context ends."""
        watcher = Watcher()
        self._open[id(watcher)] = watcher
        try:
            yield watcher
        finally:
            del self._open[id(watcher)]

    def _set_connected(self, connected: bool) -> None:
        self.connected = connected
        for watcher in self._open.values():
            watcher.wake.set()

    def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            for watcher in self._open.values():
                watcher.tell(changes)


async def wait_for(watcher: Watcher, seconds: float) -> bool:
    """Return whether the watcher was woken within `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await watcher.wake.wait()
    return watcher.wake.is_set()
