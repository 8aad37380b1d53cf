"""Received instances go on to other archives as they came, where a rule wants that."""

from dataclasses import dataclass

from triage.errors import DestinationRefused
from triage.identifiers import StudyInstanceUid
from triage.ports import Clock, Forwarded, OriginalSender, Transactions


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Sends what was planned when the study became complete."""

    transactions: Transactions
    clock: Clock
    sender: OriginalSender

    def forward_originals(self, uid: StudyInstanceUid, destination: str) -> None:
        """Return when the destination has answered for every original that was planned; a retry sends only the rest.

        Raises:
            DestinationUnavailable: the rest is worth another try.
        """
        with self.transactions.begin() as records:
            waiting = records.routing.waiting_originals(uid, destination)
        if not waiting:
            return
        try:
            for answer in self.sender.send_originals(waiting, destination):
                self._note(answer, destination)
        except DestinationRefused as error:
            with self.transactions.begin() as records:
                unanswered = records.routing.waiting_originals(uid, destination)
            for original in unanswered:
                self._note(Forwarded(original, str(error)), destination)

    def _note(self, answer: Forwarded, destination: str) -> None:
        uid = answer.original.sop_instance_uid
        with self.transactions.begin() as records:
            records.routing.mark_forwarded(uid, destination, self.clock.now(), answer.refusal)
