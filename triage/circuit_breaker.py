"""Keeps work away from destinations that do not answer, so that they hold up nobody else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from triage.circuit import Circuit
from triage.errors import DestinationPaused, DestinationRefused, DestinationUnavailable, ObjectPostponed
from triage.ports import Clock, ResultObject, ResultSender, Transactions

PROBE_LEASE = timedelta(minutes=2)
"""How long others wait for the one who tries; it may have been killed, so not for ever."""

Jitter = Callable[[], float]
"""Gives a factor from 0.5 to 1, so that many who wait do not come back in the same second."""


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Lets work through to destinations that answer; the state is in the rows, so all worker processes share it."""

    transactions: Transactions
    clock: Clock
    jitter: Jitter

    @contextmanager
    def reached(self, destination: str) -> Iterator[None]:
        """Run the block, which talks to `destination`, and remember whether that answered.

        Raises:
            DestinationPaused: nobody may try now; the block did not run.
        """
        self._enter(destination)
        try:
            yield
        except (ObjectPostponed, DestinationRefused):
            # What is said about one object is an answer: the way is open.
            self._answered(destination)
            raise
        except DestinationUnavailable as error:
            self._failed(destination, str(error))
            raise
        self._answered(destination)

    def _enter(self, destination: str) -> None:
        now = self.clock.now()
        with self.transactions.begin() as records:
            circuit = records.circuits.get(destination)
            if circuit.is_open(now) and circuit.retry_at is not None:
                raise DestinationPaused(
                    f"{destination}: not tried before {circuit.retry_at:%H:%M:%S} UTC, after {circuit.failures}"
                    f" failures in a row; the last: {circuit.last_error}",
                    circuit.retry_at,
                )
            if circuit.retry_at is not None:
                records.circuits.save(replace(circuit, retry_at=now + PROBE_LEASE))

    def _failed(self, destination: str, error: str) -> None:
        with self.transactions.begin() as records:
            circuit = records.circuits.get(destination)
            records.circuits.save(circuit.after_failure(self.clock.now(), error, self.jitter()))

    def _answered(self, destination: str) -> None:
        with self.transactions.begin() as records:
            circuit = records.circuits.get(destination)
            if circuit.failures:
                records.circuits.save(Circuit(destination))
                records.queue.hasten(destination)


@dataclass(frozen=True, slots=True)
class GuardedSender:
    """Sends result objects through the breaker; satisfies `triage.ports.ResultSender`."""

    sender: ResultSender
    breaker: CircuitBreaker

    def destinations_for(self, kind: str) -> Sequence[str]:
        """Return the names of the destinations that want objects of `kind`."""
        return self.sender.destinations_for(kind)

    def send(self, result: ResultObject, destination: str) -> None:
        """Send as the sender does; raises DestinationPaused without trying while the destination is away."""
        with self.breaker.reached(destination):
            self.sender.send(result, destination)
