"""How many connections and associations there may be, from all and from one address, and whether any may store."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts for one receiver process.

    `associations` may store; `echo_associations` more are kept for peers that propose nothing but Verification.
    `unnegotiated` connections may be waiting for their A-ASSOCIATE-RQ; the oldest gives way to a new one.
    """

    associations: int = 100
    associations_per_address: int = 50
    echo_associations: int = 8
    unnegotiated: int = 64


class Slots:
    """Counts connections; every method may be called from any thread."""

    def __init__(self, limits: Limits, may_store: Callable[[], bool] = lambda: True) -> None:
        """Take the limits, and what says whether there is room for a further instance at all."""
        self._limits = limits
        self.may_store = may_store
        self._lock = threading.Lock()
        self._waiting: dict[int, Callable[[], None]] = {}
        self._storing: Counter[str] = Counter()
        self._echoing = 0

    def wait_for_request(self, number: int, give_way: Callable[[], None]) -> None:
        """Count the connection `number` until `negotiated`; the longest waiting one is told to give way if need be."""
        with self._lock:
            self._waiting[number] = give_way
            oldest = next(iter(self._waiting))
            displaced = self._waiting.pop(oldest) if len(self._waiting) > self._limits.unnegotiated else None
        if displaced is not None:
            displaced()

    def negotiated(self, number: int) -> None:
        """Count the connection no longer as one that waits for a request."""
        with self._lock:
            self._waiting.pop(number, None)

    def take(self, address: str, echo_only: bool) -> bool:
        """Return whether there is room for one more association, and count it."""
        with self._lock:
            if echo_only and self._echoing < self._limits.echo_associations:
                self._echoing += 1
                return True
            full = self._storing.total() >= self._limits.associations
            if echo_only or full or self._storing[address] >= self._limits.associations_per_address:
                return False
            self._storing[address] += 1
            return True

    def give_back(self, address: str, echo_only: bool) -> None:
        """Count an association that `take` counted no longer."""
        with self._lock:
            if echo_only:
                self._echoing -= 1
            elif self._storing[address] > 1:
                self._storing[address] -= 1
            else:
                del self._storing[address]
