"""The jobs of Storage Commitment: report to peers what is kept, and have destinations confirm what they got."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dicom_gateway.commitment import ask, report
from dicom_gateway.peers import PeerList
from dicom_gateway.sender import Destination, DicomSender
from triage.commitment import Commitment, Kept, Reference, commit
from triage.errors import DestinationRefused, DestinationUnavailable
from triage.ports import Clock

ASK_AGAIN_AFTER = timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(hours=24)
"""A destination that has not reported by then is not waited for; a person must look."""

_META_LENGTH_ENDS = 144


class KeptFile(Protocol):
    """What was received of one instance; `sha256` is of the data set, without the file meta group."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Asking(Protocol):
    """How far the confirmation of one delivery is: state "planned", "asked", "confirmed" or "refused"."""

    @property
    def reference(self) -> Reference: ...
    @property
    def state(self) -> str: ...
    @property
    def planned_at(self) -> datetime: ...
    @property
    def asked_at(self) -> datetime | None: ...


class CommitmentBook(Protocol):
    """What was asked and answered; each call is committed when it returns, or raises StoreUnavailable."""

    def to_report(self, ae_title: str, transaction_uid: str) -> Sequence[Reference]: ...

    def kept(self, references: Sequence[Reference]) -> Mapping[str, KeptFile]: ...

    def reported(self, ae_title: str, answer: Commitment) -> None: ...

    def not_taken(self, ae_title: str, transaction_uid: str, reason: str) -> None: ...

    def asking(self, sop_instance_uid: str, destination: str) -> Asking: ...

    def begin_to_ask(self, sop_instance_uid: str, destination: str) -> str: ...

    def refused(self, sop_instance_uid: str, destination: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Committing:
    """Both jobs; each may run twice."""

    book: CommitmentBook
    sender: DicomSender
    peers: PeerList
    clock: Clock

    def report(self, ae_title: str, transaction_uid: str) -> None:
        """Tell a peer for which of its instances we take responsibility: their files are read and hashed again.

        Raises:
            DestinationUnavailable: the queue tries again later.
        """
        references = self.book.to_report(ae_title, transaction_uid)
        if not references:
            return
        answer = commit(transaction_uid, references, self._kept(references))
        peer = self.peers.listening(ae_title)
        if peer is None:
            self.book.not_taken(ae_title, transaction_uid, f"{ae_title}: no peer with a port in the settings")
            return
        where = Destination(ae_title, ae_title, peer.host, peer.port, frozenset(), peer.tls)
        try:
            report(self.sender, where, answer)
        except DestinationRefused as error:
            self.book.not_taken(ae_title, transaction_uid, str(error))
        else:
            self.book.reported(ae_title, answer)

    def confirm(self, sop_instance_uid: str, destination: str) -> None:
        """Ask the destination for its commitment, and return when it has answered or never will.

        Raises:
            DestinationUnavailable: no answer yet; the queue looks again later.
        """
        found, now = self.book.asking(sop_instance_uid, destination), self.clock.now()
        if found.state in ("confirmed", "refused"):
            return
        if now - found.planned_at > GIVE_UP_AFTER:
            hours = GIVE_UP_AFTER / timedelta(hours=1)
            self.book.refused(sop_instance_uid, destination, f"{destination}: no report within {hours:.0f} h")
            return
        if found.asked_at is None or now - found.asked_at > ASK_AGAIN_AFTER:
            # The answer may be here before `ask` returns, so it is known first by which UID it will come.
            transaction_uid = self.book.begin_to_ask(sop_instance_uid, destination)
            try:
                ask(self.sender, destination, transaction_uid, [found.reference])
            except DestinationRefused as error:
                self.book.refused(sop_instance_uid, destination, str(error))
                return
        raise DestinationUnavailable(f"{destination}: has not yet said whether it keeps {sop_instance_uid}")

    def _kept(self, references: Sequence[Reference]) -> dict[str, Kept]:
        return {uid: Kept(file.sop_class_uid, _is_sound(file)) for uid, file in self.book.kept(references).items()}


def _is_sound(file: KeptFile) -> bool:
    """Return whether the data set on disk is the one that was received."""
    try:
        with open(file.path, "rb") as opened:
            # Our own file meta group: preamble, prefix, and its length as the first element (PS3.10 section 7.1).
            head = opened.read(_META_LENGTH_ENDS)
            opened.seek(_META_LENGTH_ENDS + int.from_bytes(head[-4:], "little"))
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    except OSError:
        return False
