"""One association from its request to its end, in the thread that reads its socket.

Of the state machine in PS3.8 section 9.2 an acceptor that never starts anything itself passes Sta2 (awaits the
request), Sta3 (decides), Sta6 (data) and Sta13 (awaits the end of the connection); every event that a state does not
know aborts.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dicom_gateway.upper_layer.commands import LONGEST_COMMAND_SET, CommandField, Request, read_request, response
from dicom_gateway.upper_layer.connection import Connection, ReadEnded
from dicom_gateway.upper_layer.exchange import LONGEST_IDENTIFIER, Exchange
from dicom_gateway.upper_layer.negotiation import (
    APPLICATION_CONTEXT,
    AcceptedContext,
    OwnIdentity,
    Proposal,
    accept,
    read_proposal,
)
from dicom_gateway.upper_layer.pdus import (
    AbortReason,
    ConnectionLost,
    ControlPdu,
    Fragment,
    PduKind,
    PduReader,
    ProtocolViolation,
    command_pdus,
    provider_abort,
    rejection,
    release_response,
    user_abort,
)
from dicom_gateway.upper_layer.slots import Slots

UNRECOGNISED_OPERATION = 0x0211
_SUCCESS = 0x0000

_NO_CONTEXT_NAME = (1, 1, 2)
_CALLER_NOT_RECOGNISED = (1, 1, 3)
_NO_PROTOCOL_VERSION = (1, 2, 2)
_LOCAL_LIMIT_EXCEEDED = (2, 3, 2)
_TEMPORARY_CONGESTION = (2, 3, 1)

SLOWEST_BYTES_PER_S = 1024
"""A message may take the idle time-out, and beyond it as long as it comes no slower than this."""


class Incoming(Protocol):
    """One data set on its way in."""

    def write(self, piece: memoryview) -> None:
        """Keep the next bytes; `piece` may be used until the call returns. Never raises."""

    def finish(self) -> int:
        """Return the C-STORE status, once what it says is true. Never raises."""

    def discard(self) -> None:
        """Leave nothing behind of a data set that did not come to its end."""


class Services(Protocol):
    """Who answers the requests of one association."""

    def begin(self, request: Request, context: AcceptedContext) -> Incoming:
        """Return where the data set of a C-STORE goes. Never raises."""

    def serve(self, exchange: Exchange) -> None:
        """Answer a request of another kind, through `exchange`; raises only what `exchange` raises."""

    def settle(self) -> None:
        """Bring to its end what was answered before, as far as that is soon done. Never raises."""


class Acceptor(Protocol):
    """Who hears of an association's beginning."""

    def recognises(self, calling_ae_title: str, address: str, certificate: str) -> bool:
        """Return whether who shows this certificate may call by this name; "" for none. Never raises."""

    def accepted(self, calling_ae_title: str, address: str) -> Services:
        """Return what answers the requests of a new association."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: from the connection to the request, between messages, and for one PDU."""

    request_s: float = 10.0
    idle_s: float = 60.0


class Association:
    """One association, from an open connection to the moment when the connection may be closed."""

    def __init__(self, connection: Connection, own: OwnIdentity, timeouts: Timeouts, slots: Slots) -> None:
        self._connection = connection
        self._own = own
        self._timeouts = timeouts
        self._slots = slots
        self._reader = PduReader(connection.receive_into, own.longest_data_pdu)
        self._contexts: Mapping[int, AcceptedContext] = {}
        self._peer_longest = 0
        self._command = bytearray()
        self._command_context = 0
        self._request: Request | None = None
        self._incoming: Incoming | None = None
        self._identifier = bytearray()
        self._caller = ("", connection.address)

    @property
    def has_input(self) -> bool:
        """Whether the peer has said something that was not read yet."""
        return self._reader.has_more or self._connection.has_input()

    def send(self, data: bytes) -> None:
        """Send PDUs; raises ConnectionLost when the peer is gone."""
        self._connection.send(data)

    def receive(self) -> Fragment | ControlPdu:
        """Return what the peer says next while its request is served, within the idle time-out."""
        self._connection.deadline = time.monotonic() + self._timeouts.idle_s
        return self._reader.next()

    def run(self, number: int, acceptor: Acceptor) -> str:
        """Serve until the end and return how it came: "rejected", "released", "aborted" or "lost"."""
        try:
            return self._run(number, acceptor)
        except ProtocolViolation as violation:
            return self._give_up(provider_abort(violation.reason), "aborted")
        except ReadEnded:
            return self._give_up(user_abort(), "aborted")
        except ConnectionLost:
            return "lost"
        finally:
            self._slots.negotiated(number)
            if self._incoming is not None:
                self._incoming.discard()

    def _run(self, number: int, acceptor: Acceptor) -> str:
        self._connection.deadline = time.monotonic() + self._timeouts.request_s
        first = self._reader.next()
        self._slots.negotiated(number)
        if not isinstance(first, ControlPdu):
            raise ProtocolViolation(AbortReason.UNEXPECTED_PDU, "data before an association")
        if first.kind is PduKind.ABORT:
            return "aborted"
        if first.kind is not PduKind.ASSOCIATE_RQ:
            raise ProtocolViolation(AbortReason.UNEXPECTED_PDU, f"{first.kind.name} before an association")
        proposal = read_proposal(first)
        if refusal := _refusal(proposal):
            return self._give_up(rejection(*refusal), "rejected")
        caller = (proposal.calling_ae_title, self._connection.address)
        if not acceptor.recognises(*caller, self._connection.peer_certificate):
            return self._give_up(rejection(*_CALLER_NOT_RECOGNISED), "rejected")
        if proposal.wants_only_to_store and not self._slots.may_store():
            return self._give_up(rejection(*_TEMPORARY_CONGESTION), "rejected")
        address, echo_only = self._connection.address, proposal.wants_only_an_echo
        if not self._slots.take(address, echo_only):
            return self._give_up(rejection(*_LOCAL_LIMIT_EXCEEDED), "rejected")
        try:
            return self._associated(proposal, acceptor)
        finally:
            self._slots.give_back(address, echo_only)

    def _associated(self, proposal: Proposal, acceptor: Acceptor) -> str:
        answer, self._contexts = accept(proposal, self._own)
        self._peer_longest = proposal.longest_data_pdu
        self._caller = (proposal.calling_ae_title, self._connection.address)
        service = acceptor.accepted(*self._caller)
        self._connection.send(answer)
        self._await_message()
        while True:
            item = self._reader.next()
            if isinstance(item, Fragment):
                self._take(item, service)
            elif item.kind is PduKind.RELEASE_RQ:
                service.settle()
                return self._give_up(release_response(), "released")
            elif item.kind is PduKind.ABORT:
                return "aborted"
            else:
                raise ProtocolViolation(AbortReason.UNEXPECTED_PDU, f"{item.kind.name} inside an association")

    def _take(self, fragment: Fragment, service: Services) -> None:
        self._check_pace()
        if fragment.is_command:
            self._take_command(fragment, service)
        else:
            self._take_data(fragment, service)

    def _take_command(self, fragment: Fragment, service: Services) -> None:
        if self._request is not None:
            raise ProtocolViolation(AbortReason.UNEXPECTED_PARAMETER, "a command inside a data set")
        if fragment.context_id not in self._contexts:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"context {fragment.context_id} was not accepted")
        if self._command and fragment.context_id != self._command_context:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a command in two presentation contexts")
        self._command_context = fragment.context_id
        self._command += fragment.data
        if len(self._command) > LONGEST_COMMAND_SET:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"command set above {LONGEST_COMMAND_SET} bytes")
        if fragment.ends_message:
            request = read_request(bytes(self._command))
            self._command.clear()
            self._begin(request, service)

    def _begin(self, request: Request, service: Services) -> None:
        if request.has_data_set:
            self._request = request
            if request.field == CommandField.C_STORE_RQ:
                self._incoming = service.begin(request, self._contexts[self._command_context])
        elif request.field == CommandField.C_STORE_RQ:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a C-STORE without a data set")
        elif request.field != CommandField.C_CANCEL_RQ:
            self._answer(request, _SUCCESS if request.field == CommandField.C_ECHO_RQ else UNRECOGNISED_OPERATION)

    def _take_data(self, fragment: Fragment, service: Services) -> None:
        if self._request is None:
            raise ProtocolViolation(AbortReason.UNEXPECTED_PARAMETER, "a data set without a command")
        if fragment.context_id != self._command_context:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a data set in another context than its command")
        if self._incoming is None:
            self._identifier += fragment.data
            if len(self._identifier) > LONGEST_IDENTIFIER:
                raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"data set above {LONGEST_IDENTIFIER} bytes")
        elif len(fragment.data):
            self._incoming.write(fragment.data)
        if not fragment.ends_message:
            return
        request, incoming = self._request, self._incoming
        self._request = self._incoming = None
        if incoming is None:
            self._serve(request, service)
        else:
            self._answer(request, incoming.finish())

    def _serve(self, request: Request, service: Services) -> None:
        identifier = bytes(self._identifier)
        self._identifier.clear()
        known = (self._command_context, self._contexts, identifier, self._caller, self, self._peer_longest)
        service.serve(Exchange(request, *known))
        self._await_message()

    def _answer(self, request: Request, status: int) -> None:
        self._connection.send(command_pdus(self._command_context, response(request, status), self._peer_longest))
        self._await_message()

    def _await_message(self) -> None:
        self._message_from = time.monotonic()
        self._bytes_before = self._connection.received_bytes
        self._connection.deadline = self._message_from + self._timeouts.idle_s

    def _check_pace(self) -> None:
        """Move the deadline on: an idle time-out from now, but no further than the slowest pace allows."""
        paid = (self._connection.received_bytes - self._bytes_before) / SLOWEST_BYTES_PER_S
        latest = self._message_from + paid
        self._connection.deadline = min(time.monotonic(), latest) + self._timeouts.idle_s

    def _give_up(self, last_words: bytes, outcome: str) -> str:
        try:
            self._connection.send(last_words)
        except ConnectionLost:
            return outcome
        self._connection.say_goodbye()
        return outcome


def _refusal(proposal: Proposal) -> tuple[int, int, int] | None:
    if not proposal.speaks_version_1:
        return _NO_PROTOCOL_VERSION
    if proposal.application_context != APPLICATION_CONTEXT:
        return _NO_CONTEXT_NAME
    return None
