"""One request that takes more than a status to answer: its data set, its responses, and C-STOREs the other way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from dicom_gateway.upper_layer.commands import (
    LONGEST_COMMAND_SET,
    Cancel,
    Request,
    StoreResponse,
    SubOperations,
    read_answer,
    response,
    store_request,
)
from dicom_gateway.upper_layer.negotiation import IMPLICIT_LITTLE_ENDIAN, AcceptedContext
from dicom_gateway.upper_layer.pdus import (
    AbortReason,
    ConnectionLost,
    ControlPdu,
    Fragment,
    PduKind,
    ProtocolViolation,
    command_pdus,
    data_set_pdus,
)
from triage.errors import UnreadableInstance

LONGEST_IDENTIFIER = 1 << 21
"""Bytes of a data set that is kept in memory; a commitment request for 10,000 instances has about 1,500,000."""

_CANNOT_DECODE = (ValueError, TypeError, LookupError, AttributeError, NotImplementedError, EOFError, OSError)


class Line(Protocol):
    """The connection of the association, as far as a service needs it."""

    @property
    def has_input(self) -> bool: ...

    def send(self, data: bytes) -> None: ...

    def receive(self) -> Fragment | ControlPdu: ...


@dataclass(slots=True)
class Exchange:
    """A request with its data set; whoever serves it answers through this.

    `caller` is the AE title and the address of the peer. Every method that sends or looks for input raises
    ConnectionLost when the peer is gone and ProtocolViolation when it says what nobody asked.
    """

    request: Request
    context_id: int
    contexts: Mapping[int, AcceptedContext]
    identifier: bytes
    caller: tuple[str, str]
    line: Line
    peer_longest: int
    is_cancelled: bool = False
    _sent: int = field(default=0, init=False)

    def data_set(self) -> Dataset:
        """Return the request's data set.

        Raises:
            UnreadableInstance: its bytes are no data set.
        """
        try:
            found = decode(BytesIO(self.identifier), self._is_implicit, True)
            # Elements are converted when they are asked for; here is where a bad one can still be answered.
            found.walk(lambda *_: None)
        except _CANNOT_DECODE as error:
            size = len(self.identifier)
            raise UnreadableInstance(f"data set of {size} bytes: {type(error).__name__}") from error
        return found

    def respond(self, status: int, data_set: Dataset | None = None, counts: SubOperations | None = None) -> None:
        """Send one response."""
        command = response(self.request, status, data_set is not None, counts)
        self.line.send(command_pdus(self.context_id, command, self.peer_longest))
        if data_set is not None:
            encoded = encode(data_set, self._is_implicit, True) or b""
            for pdu in data_set_pdus(self.context_id, encoded, self.peer_longest):
                self.line.send(pdu)

    def look_for_cancel(self) -> bool:
        """Return whether the peer wants no more, without waiting for it."""
        while not self.is_cancelled and self.line.has_input:
            if isinstance(self._answer(), StoreResponse):
                raise ProtocolViolation(AbortReason.UNEXPECTED_PARAMETER, "an answer to no request")
        return self.is_cancelled

    def contexts_to_send(self, sop_class_uid: str) -> Iterator[tuple[int, str]]:
        """Yield ID and transfer syntax of the contexts that an instance of the class may be sent in."""
        for context_id, context in self.contexts.items():
            if context.may_send and context.sop_class_uid == sop_class_uid:
                yield context_id, context.transfer_syntax_uid

    def store(self, context_id: int, sop_instance_uid: str, data_set: bytes | memoryview) -> int:
        """Send an instance by C-STORE and return the status of the peer's answer."""
        self._sent = self._sent % 0xFFFF + 1
        command = store_request(self._sent, self.contexts[context_id].sop_class_uid, sop_instance_uid)
        self.line.send(command_pdus(context_id, command, self.peer_longest))
        for pdu in data_set_pdus(context_id, data_set, self.peer_longest):
            self.line.send(pdu)
        while True:
            answer = self._answer()
            if isinstance(answer, StoreResponse):
                return answer.status

    @property
    def _is_implicit(self) -> bool:
        return self.contexts[self.context_id].transfer_syntax_uid == IMPLICIT_LITTLE_ENDIAN

    def _answer(self) -> StoreResponse | Cancel:
        command = bytearray()
        while True:
            item = self.line.receive()
            if isinstance(item, ControlPdu):
                if item.kind is PduKind.ABORT:
                    raise ConnectionLost("the peer aborted while its request was served")
                raise ProtocolViolation(AbortReason.UNEXPECTED_PDU, f"{item.kind.name} while a request is served")
            if not item.is_command:
                raise ProtocolViolation(AbortReason.UNEXPECTED_PARAMETER, "a data set while a request is served")
            command += item.data
            if len(command) > LONGEST_COMMAND_SET:
                raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"command above {LONGEST_COMMAND_SET} bytes")
            if item.ends_message:
                answer = read_answer(bytes(command))
                self.is_cancelled = self.is_cancelled or isinstance(answer, Cancel)
                return answer
