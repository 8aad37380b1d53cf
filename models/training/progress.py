"""Who is told how far a fit has come."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Protocol

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Is told the mean loss of each epoch, epochs counted from 1."""

    def __call__(self, epoch: int, epochs: int, loss: float) -> None: ...


WatcherOf = Callable[[str], Watcher]
"""From what is fitted ("fold 2 of 4") to who is told about its progress."""


def logged(what: str) -> Watcher:
    """Return a watcher that logs each epoch as a bar, the loss and the minutes that are left at this pace."""
    begun = monotonic()

    def watch(epoch: int, epochs: int, loss: float) -> None:
        bar = ("#" * (20 * epoch // epochs)).ljust(20, ".")
        minutes = (monotonic() - begun) / epoch * (epochs - epoch) / 60
        log.info("%s [%s] epoch %d of %d, mean loss %.4f, %.0f min left", what, bar, epoch, epochs, loss, minutes)

    return watch
