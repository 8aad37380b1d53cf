"""Storage Commitment, Push Model: requests that peers make of us, and reports on what we asked of destinations.

Source: PS3.4 annex J; PS3.3 C.14 (the module of both messages).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]  # made at import from a table

from dicom_gateway.peers import PeerList
from dicom_gateway.sender import Destination, DicomSender
from dicom_gateway.statuses import ServiceStatus
from dicom_gateway.upper_layer.commands import CommandField
from dicom_gateway.upper_layer.exchange import Exchange
from triage.commitment import Commitment, Reference
from triage.errors import DestinationRefused, DestinationUnavailable, UnreadableInstance

log = structlog.get_logger(__name__)

COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The one instance that every request and report of the push model names."""

_REQUEST_COMMITMENT = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2


class CommitmentLog(Protocol):
    """Where requests and reports become known; each call is committed when it returns, or raises StoreUnavailable."""

    def requested(self, ae_title: str, host: str, transaction_uid: str, references: Sequence[Reference]) -> None:
        """Keep a request, with the job that reports on it."""

    def answered(self, answer: Commitment) -> bool:
        """Keep what a destination says of what was asked of it; False where nothing was asked by this UID."""


@dataclass(frozen=True, slots=True)
class CommitmentService:
    """Answers N-ACTION where `is_offered`, and takes N-EVENT-REPORT of the destinations that were asked."""

    peers: PeerList
    book: CommitmentLog
    is_offered: bool

    def serve(self, exchange: Exchange) -> None:
        """Answer with success once the request or the report is in the database."""
        field, kind = exchange.request.field, exchange.request.type_id
        if field == CommandField.N_ACTION_RQ:
            known = kind == _REQUEST_COMMITMENT
            exchange.respond(self._requested(exchange) if known else ServiceStatus.NO_SUCH_ACTION)
        elif field == CommandField.N_EVENT_REPORT_RQ:
            exchange.respond(self._reported(exchange))
        else:
            exchange.respond(ServiceStatus.UNRECOGNISED)

    def _requested(self, exchange: Exchange) -> ServiceStatus:
        ae_title, host = exchange.caller
        peer = self.peers.find(ae_title, host)
        if not self.is_offered or peer is None or not peer.port:
            log.warning("commitment_refused", ae_title=ae_title, host=host)
            return ServiceStatus.NOT_ALLOWED
        if exchange.request.sop_instance_uid != COMMITMENT_INSTANCE:
            return ServiceStatus.NO_SUCH_INSTANCE
        request = exchange.data_set()
        self.book.requested(peer.ae_title, host, _transaction_of(request), _references(request))
        return ServiceStatus.DONE

    def _reported(self, exchange: Exchange) -> ServiceStatus:
        report = exchange.data_set()
        failed = tuple(
            (reference_of(item), int(item.get("FailureReason") or 0)) for item in report.get("FailedSOPSequence") or ()
        )
        # Where nothing is committed some peers, Orthanc among them, send the sequence empty.
        committed = tuple(reference_of(item) for item in report.get("ReferencedSOPSequence") or ())
        answer = Commitment(_transaction_of(report), committed, failed)
        # The transaction's UID is random and known to the destination alone: whoever names it was asked.
        if self.book.answered(answer):
            return ServiceStatus.DONE
        log.warning("commitment_unasked", ae_title=exchange.caller[0], host=exchange.caller[1])
        return ServiceStatus.NOT_ALLOWED


def report(sender: DicomSender, peer: Destination, answer: Commitment) -> None:
    """Return when the peer has taken our report, on an association of its own.

    Raises:
        DestinationUnavailable: no association, no answer, or a status that is worth another try.
        DestinationRefused: the peer does not know us, or does not take reports.
    """
    said = Dataset()
    said.TransactionUID = answer.transaction_uid
    if answer.committed:
        said.ReferencedSOPSequence = [_item(one) for one in answer.committed]
    if answer.failed:
        said.FailedSOPSequence = [_item(one, reason) for one, reason in answer.failed]
    event = _SOME_FAILED if answer.failed else _ALL_COMMITTED
    with sender.association(peer, _CONTEXT, (StorageCommitmentPushModel,)) as association:
        status, _ = association.send_n_event_report(said, event, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
    _judge(peer, "report of a commitment", status)


def ask(sender: DicomSender, destination: str, transaction_uid: str, references: Sequence[Reference]) -> None:
    """Return when the destination has taken our request; its report comes later. Raises as `report`."""
    peer = sender.named(destination)
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_item(one) for one in references]
    with sender.association(peer, _CONTEXT) as association:
        status, _ = association.send_n_action(
            request, _REQUEST_COMMITMENT, StorageCommitmentPushModel, COMMITMENT_INSTANCE
        )
    _judge(peer, "request for commitment", status)


_CONTEXT = ((StorageCommitmentPushModel, (ExplicitVRLittleEndian,)),)


def _judge(peer: Destination, what: str, status: Dataset) -> None:
    number = status.get("Status")
    if number is None or number == ServiceStatus.RESOURCE_LIMITATION or number == ServiceStatus.PROCESSING_FAILED:
        raise DestinationUnavailable(
            f"{peer.name}: {what} answered {'nothing' if number is None else f'{number:04X}H'}"
        )
    if number != ServiceStatus.DONE:
        raise DestinationRefused(f"{peer.name}: {what} answered {number:04X}H, 0000H needed")


def _transaction_of(data_set: Dataset) -> str:
    return uid_of(data_set, "TransactionUID")


def _references(request: Dataset) -> list[Reference]:
    found = [reference_of(item) for item in request.get("ReferencedSOPSequence") or ()]
    if not found:
        raise UnreadableInstance("ReferencedSOPSequence is empty, at least one instance is needed")
    return found


def reference_of(item: Dataset) -> Reference:
    """Return the instance that an item of a sequence names; raises UnreadableInstance."""
    return Reference(uid_of(item, "ReferencedSOPClassUID"), uid_of(item, "ReferencedSOPInstanceUID"))


def uid_of(data_set: Dataset, keyword: str) -> str:
    """Return a UID of the data set; raises UnreadableInstance where it is absent or none."""
    value = str(data_set.get(keyword) or "")
    if not value or len(value) > 64 or not set(value) <= set("0123456789."):
        raise UnreadableInstance(f"{keyword}: a UID of at most 64 digits and dots is needed")
    return value


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
