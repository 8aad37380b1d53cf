"""Images go on to other archives, as they were received or de-identified, each with its own entry in a ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.circuit_breaker import CircuitBreaker
from triage.errors import DestinationUnavailable, PermanentError, RetriableError
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.ports import Clock, ForwardingStore, OriginalSender, Records, StoredOriginal, Transactions
from triage.priority import Priority


def plan_forwarding(records: Records, uid: StudyInstanceUid, destination: str, priority: Priority) -> int:
    """Plan to send every original of the study that was not planned before, and return how many there are.

    Works inside the caller's transaction; the job exists if and only if that is committed. Calling it again for a
    later revision of the study plans only what came since.
    """
    planned = records.forwardings.plan(uid, destination)
    if planned:
        records.queue.defer_forwarding(uid, destination, priority)
    return planned


def plan_deidentified(records: Records, uid: StudyInstanceUid, destination: str, priority: Priority) -> int:
    """Plan to send a de-identified copy of every image of the study, by the same rules as `plan_forwarding`."""
    planned = records.deidentified.plan(uid, destination)
    if planned:
        records.queue.defer_deidentified(uid, destination, priority)
    return planned


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Sends the planned images of a study, and goes on where an earlier try ended.

    With `deidentified` those of the other ledger; then `sender` is one that lets nothing out but cleaned copies.
    """

    transactions: Transactions
    clock: Clock
    sender: OriginalSender
    breaker: CircuitBreaker
    deidentified: bool = False

    def forward(self, uid: StudyInstanceUid, destination: str) -> None:
        """Leave every planned original of the study delivered or refused.

        Each answer is committed before the next original is sent, so whoever takes up a killed job sends at most one
        of them twice, and that one with the same bytes.

        Raises:
            DestinationUnavailable: some could not be sent now; the queue tries those again later.
        """
        with self.transactions.begin() as records:
            waiting = self._ledger(records).waiting(uid, destination)
        if waiting:
            with self.breaker.reached(destination):
                self._send(waiting, destination)

    def _send(self, waiting: Sequence[StoredOriginal], destination: str) -> None:
        open_uids = {one.sop_instance_uid for one in waiting}
        postponed: RetriableError | None = None
        try:
            for sent in self.sender.send_originals(waiting, destination):
                with self.transactions.begin() as records:
                    self._ledger(records).note(sent, destination, self.clock.now())
                if isinstance(sent.error, RetriableError):
                    postponed = sent.error
                open_uids.discard(sent.sop_instance_uid)
        except DestinationUnavailable as error:
            self._close(open_uids, destination, error)
            raise
        except PermanentError as error:
            self._close(open_uids, destination, error)
        if postponed is not None:
            raise postponed

    def _close(
        self, uids: set[SopInstanceUid], destination: str, error: DestinationUnavailable | PermanentError
    ) -> None:
        with self.transactions.begin() as records:
            self._ledger(records).note_all(sorted(uids), destination, error, self.clock.now())

    def _ledger(self, records: Records) -> ForwardingStore:
        return records.deidentified if self.deidentified else records.forwardings
