"""Sends result objects to PACS and other archives by C-STORE, and says whether a failure is worth another try."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from ssl import SSLContext
from typing import TypeAlias

import structlog
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role
from pynetdicom.association import Association
from pynetdicom.events import Event, EventType
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import from a table
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.upper_layer.tls import ClientContext, TlsFiles, client_context
from triage.errors import (
    DestinationRefused,
    DestinationUnavailable,
    InvalidSetting,
    ObjectPostponed,
    UnreadableInstance,
)
from triage.identifiers import SopInstanceUid
from triage.ports import ResultObject

_log = structlog.get_logger()

Context: TypeAlias = tuple[str, tuple[str, ...]]
"""A SOP class and the transfer syntaxes that one presentation context offers for it."""

_THREAD_END_S = 2.0
_REJECTED_PERMANENT = 0x01
_NAMING_REASONS: Mapping[int, str] = {
    0x02: "application context name not supported",
    0x03: "calling AE title not recognised",
    0x07: "called AE title not recognised",
}
"""What the service user of a peer may say that no retry changes. Source: PS3.8 table 9-21."""


class Answer(Enum):
    """What a C-STORE status means for the queue."""

    CONFIRMED = "confirmed"
    WARNING = "confirmed with a warning"
    TRY_LATER = "try later"
    REFUSED = "refused"


_SINGLE_STATUSES: Mapping[int, Answer] = {
    0x0000: Answer.CONFIRMED,
    0x0001: Answer.WARNING,
    0x0107: Answer.WARNING,
    0x0111: Answer.CONFIRMED,  # Duplicate SOP instance: UIDs are derived from the content, so it is the same object.
    0x0116: Answer.WARNING,
    0x0117: Answer.REFUSED,
    0x0118: Answer.REFUSED,
    0x0119: Answer.REFUSED,
    0x0122: Answer.REFUSED,
    0x0124: Answer.REFUSED,
    0x0211: Answer.REFUSED,
    0x0212: Answer.REFUSED,
}
"""Statuses with a meaning of their own. Source: PS3.7 annex C."""


OUT_OF_RESOURCES = range(0xA700, 0xA800)
"""Statuses that the next object would meet too. Source: PS3.4 table B.2-1."""


def answer_of(status: int) -> Answer:
    """Return what C-STORE `status` means; one that no table knows is worth another try, as nothing may be lost.

    Source: PS3.4 table B.2-1: A7xx out of resources, A9xx data set does not match, Cxxx cannot understand, Bxxx
    stored with a warning. A8xx is an older "SOP class not supported".
    """
    if status in _SINGLE_STATUSES:
        return _SINGLE_STATUSES[status]
    if 0xB000 <= status <= 0xBFFF:
        return Answer.WARNING
    if 0xA800 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF:
        return Answer.REFUSED
    return Answer.TRY_LATER


@dataclass(frozen=True, slots=True)
class Destination:
    """A storage SCP that wants result objects of the kinds in `send` ("sr", "seg", "sc"), with `tls` over TLS alone."""

    name: str
    ae_title: str
    host: str
    port: int
    send: frozenset[str]
    tls: bool = False


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """How long a destination may take: for the TCP connection, the association, one answer, and silence."""

    connect_s: float = 5.0
    association_s: float = 15.0
    answer_s: float = 60.0
    silence_s: float = 60.0


@dataclass(frozen=True, slots=True)
class DicomSender:
    """Sends result objects over an association of their own each, so that one bad object spoils no other."""

    destinations: Sequence[Destination]
    calling_ae_title: str
    limits: SenderLimits = SenderLimits()
    tls: TlsFiles | None = None

    def destinations_for(self, kind: str) -> Sequence[str]:
        """Return the names of the destinations that want objects of `kind`, in the order of the settings."""
        return tuple(one.name for one in self.destinations if kind in one.send)

    def send(self, result: ResultObject, destination: str) -> None:
        """Return when the destination has confirmed that it stored `result`.

        Raises:
            DestinationUnavailable: no connection, no association, no answer in time, or a transient status.
            DestinationRefused: the destination is unknown, does not take such objects, or refused this one.
            UnreadableInstance: the file of `result` is missing or damaged.
        """
        peer = self.named(destination)
        data_set = _read(result)
        context = (result.sop_class_uid, (str(data_set.file_meta.TransferSyntaxUID),))
        with self.association(peer, [context]) as association:
            status = association.send_c_store(data_set)
        if error := error_of(peer, result.sop_instance_uid, status):
            raise error

    def verify(self, destination: str) -> None:
        """Return when the destination has answered a C-ECHO with success.

        Raises:
            DestinationUnavailable: no connection, no association, no answer in time, or another status.
            DestinationRefused: the destination is unknown, or does not know us or the C-ECHO.
        """
        peer = self.named(destination)
        with self.association(peer, [(Verification, (ImplicitVRLittleEndian,))]) as association:
            status = association.send_c_echo()
        if status.get("Status") != 0x0000:
            raise DestinationUnavailable(f"{peer.name}: C-ECHO answered {_in_words(status)}, 0000H needed")

    def named(self, name: str) -> Destination:
        """Return the destination called `name`; raises DestinationRefused where there is none."""
        peer = next((one for one in self.destinations if one.name == name), None)
        if peer is None:
            known = ", ".join(one.name for one in self.destinations) or "none"
            raise DestinationRefused(f"destination {name}: not in the settings, which name {known}")
        return peer

    @contextmanager
    def association(
        self,
        peer: Destination,
        contexts: Sequence[Context],
        provided: Sequence[str] = (),
        handlers: Sequence[tuple[EventType, Callable[[Event], int]]] = (),
    ) -> Iterator[Association]:
        """Open an association with a presentation context for each of `contexts`, and release it at the end.

        Of the SOP classes `provided` we are the provider though we ask for the association; `handlers` answer what
        the peer then asks.

        Raises:
            DestinationUnavailable: no connection, no handshake, no association, or no answer in time.
            DestinationRefused: the destination does not know us, or accepts none of `contexts`.
        """
        context = self._tls_for(peer)
        entity = _Entity(ae_title=self.calling_ae_title)
        entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.connection_timeout = self.limits.connect_s
        entity.acse_timeout = self.limits.association_s
        entity.dimse_timeout = self.limits.answer_s
        entity.network_timeout = self.limits.silence_s
        entity.requested_contexts = [build_context(name, list(syntaxes)) for name, syntaxes in contexts]
        try:
            roles = [build_role(uid, scp_role=True) for uid in provided]
            association = entity.associate(
                peer.host,
                peer.port,
                ae_title=peer.ae_title,
                ext_neg=list(roles),
                evt_handlers=list(handlers),
                tls_args=None if context is None else (context, peer.host),
            )
        except socket.gaierror as error:
            raise DestinationUnavailable(f"{peer.name}: host {peer.host} cannot be resolved") from error
        try:
            if not association.is_established:
                if context is not None and context.problem:
                    raise DestinationUnavailable(f"{_where(peer)}: no TLS connection, {context.problem}")
                raise _why_not(peer, association, contexts)
            yield association
        except RuntimeError as error:
            # pynetdicom's word for a peer that aborts between two of our calls.
            raise DestinationUnavailable(f"{peer.name}: the association ended before the request was sent") from error
        finally:
            association.release()
            entity.close_socket(association)

    def _tls_for(self, peer: Destination) -> ClientContext | None:
        """Return fresh TLS settings, so that new certificates are taken without a restart; None for one in the clear.

        Nothing is ever sent in the clear to a destination that is to be spoken to over TLS.
        """
        if not peer.tls:
            return None
        if self.tls is None:
            raise DestinationUnavailable(f"{peer.name}: to be spoken to over TLS, but dicom.tls names no certificate")
        try:
            return client_context(self.tls)
        except InvalidSetting as error:
            raise DestinationUnavailable(f"{peer.name}: {error}") from error


class _Entity(AE):
    """An application entity that knows the socket of its one association."""

    _socket: socket.socket | None = None

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        created = super()._create_socket(assoc, address, tls_args)
        self._socket = created.socket
        if self._socket is not None:
            # Nagle's algorithm and a peer's delayed acknowledgement together cost up to 40 ms per message.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return created

    def close_socket(self, association: Association) -> None:
        """Close the socket once pynetdicom's thread is done with it.

        pynetdicom 3.0.4 shuts a socket down before it closes it; on one that is not connected the former raises and
        the latter is left out, so each try to reach a peer that is away would leave a file descriptor behind.
        """
        association.dul.join(_THREAD_END_S)
        if self._socket is not None and not association.dul.is_alive():
            self._socket.close()


def error_of(
    peer: Destination, uid: SopInstanceUid, status: Dataset
) -> DestinationRefused | DestinationUnavailable | None:
    """Return what the queue has to know of a C-STORE answer, None where `status` confirms the object."""
    said = f"{peer.name}: C-STORE of {uid} answered {_in_words(status)}, 0000H needed"
    answer = answer_of(status.Status) if "Status" in status else Answer.TRY_LATER
    if answer is Answer.REFUSED:
        return DestinationRefused(said)
    if answer is Answer.TRY_LATER:
        concerns_all = "Status" not in status or status.Status in OUT_OF_RESOURCES
        return DestinationUnavailable(said) if concerns_all else ObjectPostponed(said)
    if answer is Answer.WARNING:
        log = _log.bind(destination=peer.name, sop_instance_uid=uid)
        log.warning("result_stored_with_warning", status=f"{status.Status:04X}H")
    return None


def _read(result: ResultObject) -> Dataset:
    try:
        return dcmread(Path(result.path))
    except (OSError, EOFError, InvalidDicomError) as error:
        found = type(error).__name__
        raise UnreadableInstance(f"result {result.sop_instance_uid}: {found} on reading its file") from error


def _why_not(
    peer: Destination, association: Association, contexts: Sequence[Context]
) -> DestinationRefused | DestinationUnavailable:
    """Return the error for an association that was not established."""
    where = _where(peer)
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        if answer.result == _REJECTED_PERMANENT and answer.result_source == 0x01:
            reason = _NAMING_REASONS.get(answer.diagnostic or 0)
            if reason is not None:
                return DestinationRefused(f"{where}: association rejected, {reason}")
        return DestinationUnavailable(f"{where}: association rejected, {answer.result_str}, {answer.reason_str}")
    if association.rejected_contexts:
        wanted = "; ".join(f"SOP class {name} in transfer syntax {', '.join(syntaxes)}" for name, syntaxes in contexts)
        return DestinationRefused(f"{where}: does not accept {wanted}")
    return DestinationUnavailable(f"{where}: no connection, or the association was aborted or not answered in time")


def _where(peer: Destination) -> str:
    return f"{peer.name} ({peer.ae_title}@{peer.host}:{peer.port}{' over TLS' if peer.tls else ''})"


def _in_words(status: Dataset) -> str:
    """Return the status in hexadecimal; the peer's own comment (0000,0902) may quote patient data and stays out."""
    return f"{status.Status:04X}H" if "Status" in status else "nothing: the association was aborted or timed out"
