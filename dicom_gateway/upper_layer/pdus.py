"""PDUs taken from a stream as their bytes come: lengths are checked before anything is kept, data is never gathered.

Source: PS3.8 section 9.3 (structures), table 9-26 (abort reasons).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from triage.errors import PermanentError

LONGEST_ASSOCIATE_PDU = 1 << 18
"""Bytes; 128 presentation contexts with sixteen transfer syntaxes each need about 150,000."""

_BUFFER_BYTES = 1 << 18
_HEADER_BYTES = 6
_SHORT_PDU_BYTES = 4


class PduKind(IntEnum):
    """The first byte of a PDU."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    DATA = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class AbortReason(IntEnum):
    """Why the upper layer gives an association up."""

    NOT_SPECIFIED = 0x00
    UNRECOGNISED_PDU = 0x01
    UNEXPECTED_PDU = 0x02
    UNEXPECTED_PARAMETER = 0x05
    INVALID_PARAMETER = 0x06


class ProtocolViolation(PermanentError):
    """The peer broke the upper layer protocol; `reason` is what the A-ABORT says."""

    def __init__(self, reason: AbortReason, found: str) -> None:
        super().__init__(found)
        self.reason = reason


class ConnectionLost(PermanentError):
    """The peer closed the connection without a release."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a PDV as it came; `data` holds until the next piece is asked for.

    `ends_message` is set on the last piece of a PDV that is flagged as the last fragment of its command or data set.
    """

    context_id: int
    is_command: bool
    ends_message: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class ControlPdu:
    """Any PDU but P-DATA-TF, without its six header bytes."""

    kind: PduKind
    body: bytes


_LONGEST = {
    PduKind.ASSOCIATE_RQ: LONGEST_ASSOCIATE_PDU,
    PduKind.ASSOCIATE_AC: LONGEST_ASSOCIATE_PDU,
    PduKind.ASSOCIATE_RJ: _SHORT_PDU_BYTES,
    PduKind.RELEASE_RQ: _SHORT_PDU_BYTES,
    PduKind.RELEASE_RP: _SHORT_PDU_BYTES,
    PduKind.ABORT: _SHORT_PDU_BYTES,
}


class PduReader:
    """Reads one connection through a buffer of fixed size.

    Args:
        receive_into: fills the start of a buffer and returns how many bytes, 0 at the end of the stream.
        longest_data_pdu: the maximum length that was announced to the peer, in bytes.
    """

    def __init__(self, receive_into: Callable[[memoryview], int], longest_data_pdu: int) -> None:
        self._receive_into = receive_into
        self._longest_data_pdu = longest_data_pdu
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._start = 0
        self._end = 0
        self._pdu_left = 0
        self._pdv_left = 0
        self._inside_pdv = False
        self._context_id = 0
        self._flags = 0

    @property
    def has_more(self) -> bool:
        """Whether bytes were received that were not handed out yet."""
        return self._inside_pdv or self._start < self._end

    def next(self) -> Fragment | ControlPdu:
        """Return the next piece of a data PDU, or a whole PDU of another kind.

        Raises:
            ProtocolViolation: an unknown PDU, or a length that no PDU or PDV of its kind may have.
            ConnectionLost: the stream ended; a peer that releases says so before.
        """
        if self._inside_pdv:
            return self._piece()
        if not self._pdu_left:
            kind, length = self._header()
            if kind is not PduKind.DATA:
                return ControlPdu(kind, self._body(length))
            self._pdu_left = length
        self._begin_pdv()
        return self._piece()

    def _header(self) -> tuple[PduKind, int]:
        number, _, length = struct.unpack(">BBL", self._exactly(_HEADER_BYTES))
        try:
            kind = PduKind(number)
        except ValueError as error:
            raise ProtocolViolation(
                AbortReason.UNRECOGNISED_PDU, f"PDU type {number:02X}H, 01H to 07H exist"
            ) from error
        shortest = _HEADER_BYTES if kind is PduKind.DATA else _SHORT_PDU_BYTES
        longest = _LONGEST.get(kind, self._longest_data_pdu)
        if not shortest <= length <= longest:
            needed = f"{shortest} to {longest} are allowed"
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"{kind.name} PDU of {length} bytes, {needed}")
        return kind, length

    def _begin_pdv(self) -> None:
        if self._pdu_left < _HEADER_BYTES:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, f"{self._pdu_left} bytes after the last PDV item")
        length, context_id, flags = struct.unpack(">LBB", self._exactly(_HEADER_BYTES))
        if not 2 <= length <= self._pdu_left - 4:
            found = f"PDV item of {length} bytes where 2 to {self._pdu_left - 4} fit"
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, found)
        self._pdu_left -= 4 + length
        self._pdv_left = length - 2
        self._context_id, self._flags = context_id, flags
        self._inside_pdv = True

    def _piece(self) -> Fragment:
        if self._pdv_left and self._start == self._end:
            self._fill()
        size = min(self._pdv_left, self._end - self._start)
        data = self._buffer[self._start : self._start + size]
        self._start += size
        self._pdv_left -= size
        self._inside_pdv = self._pdv_left > 0
        ends = not self._inside_pdv and bool(self._flags & 2)
        return Fragment(self._context_id, bool(self._flags & 1), ends, data)

    def _body(self, length: int) -> bytes:
        # Grows with what really came: an announced length alone costs no memory.
        body = bytearray()
        while len(body) < length:
            if self._start == self._end:
                self._fill()
            size = min(length - len(body), self._end - self._start)
            body += self._buffer[self._start : self._start + size]
            self._start += size
        return bytes(body)

    def _exactly(self, count: int) -> memoryview:
        while self._end - self._start < count:
            self._fill()
        taken = self._buffer[self._start : self._start + count]
        self._start += count
        return taken

    def _fill(self) -> None:
        rest = self._end - self._start
        self._buffer[:rest] = bytes(self._buffer[self._start : self._end])
        self._start, self._end = 0, rest
        received = self._receive_into(self._buffer[rest:])
        if not received:
            raise ConnectionLost("the connection ended inside an association")
        self._end += received


def release_response() -> bytes:
    """Return an A-RELEASE-RP PDU."""
    return _short_pdu(PduKind.RELEASE_RP, 0, 0, 0)


def provider_abort(reason: AbortReason) -> bytes:
    """Return an A-ABORT PDU of the service provider."""
    return _short_pdu(PduKind.ABORT, 0, 2, reason)


def user_abort() -> bytes:
    """Return an A-ABORT PDU of the service user; it gives no reason."""
    return _short_pdu(PduKind.ABORT, 0, 0, 0)


def rejection(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ PDU; the numbers are those of PS3.8 table 9-21."""
    return _short_pdu(PduKind.ASSOCIATE_RJ, result, source, reason)


def command_pdus(context_id: int, command_set: bytes, longest: int) -> bytes:
    """Return the P-DATA-TF PDUs that carry a command set, none longer than the peer's maximum (0: no maximum)."""
    return b"".join(_data_pdus(context_id, command_set, longest, 1))


def data_set_pdus(context_id: int, data_set: bytes | memoryview, longest: int) -> Iterator[bytes]:
    """Yield the P-DATA-TF PDUs that carry a data set, none longer than the peer's maximum (0: no maximum)."""
    return _data_pdus(context_id, data_set, longest, 0)


def _data_pdus(context_id: int, content: bytes | memoryview, longest: int, flag: int) -> Iterator[bytes]:
    room = max(1, (longest or LONGEST_ASSOCIATE_PDU) - _HEADER_BYTES)
    for start in range(0, max(1, len(content)), room):
        piece = content[start : start + room]
        flags = flag if start + room < len(content) else flag | 2
        yield struct.pack(">BBLLBB", PduKind.DATA, 0, len(piece) + 6, len(piece) + 2, context_id, flags) + piece


def _short_pdu(kind: PduKind, *fields: int) -> bytes:
    return struct.pack(">BBLBBBB", kind, 0, _SHORT_PDU_BYTES, 0, *fields)
