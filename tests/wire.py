"""A storage requestor on a bare socket: sends exactly the bytes that it is given and reads the status."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from tests import pdus


class Refused(Exception):
    """The peer rejected or aborted, or went away."""


class ContextRefused(Refused):
    """The peer accepted the association without the presentation context."""


class Requestor:
    """One association that may store one SOP class in one transfer syntax."""

    def __init__(self, port: int, sop_class: str, transfer_syntax: str, host: str = "127.0.0.1") -> None:
        self._sop_class = sop_class
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(pdus.associate_rq(((1, sop_class, (transfer_syntax,)),)))
        kind, body = self._pdu()
        if kind != 2:
            self._socket.close()
            raise Refused(f"PDU {kind:02X}H {body.hex()} instead of A-ASSOCIATE-AC")
        if reason := _context_result(body):
            self.release()
            raise ContextRefused(f"SOP class {sop_class} in {transfer_syntax}: reason {reason}")

    def store(self, uid: str, data_set: bytes, fragment: int = 65536) -> int:
        """Send one C-STORE and return the status; raises Refused, OSError."""
        request = pdus.pdu(4, pdus.pdv(1, 3, pdus.command(0x0001, self._sop_class, uid)))
        pieces = [data_set[start : start + fragment] for start in range(0, len(data_set), fragment)] or [b""]
        for number, piece in enumerate(pieces):
            request += pdus.pdu(4, pdus.pdv(1, 2 if number == len(pieces) - 1 else 0, piece))
        self._socket.sendall(request)
        kind, body = self._pdu()
        if kind != 4:
            raise Refused(f"PDU {kind:02X}H {body.hex()} instead of P-DATA-TF")
        return _status(body[6:])

    def release(self) -> None:
        """Release and close."""
        self._socket.sendall(pdus.RELEASE_RQ)
        self._pdu()
        self._socket.close()

    def close(self) -> None:
        """Close without a word."""
        self._socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBL", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        content = bytearray()
        while len(content) < count:
            piece = self._socket.recv(count - len(content))
            if not piece:
                raise Refused("the connection was closed")
            content += piece
        return bytes(content)


@contextmanager
def requestor(port: int, sop_class: str, transfer_syntax: str) -> Iterator[Requestor]:
    """Give an association and release it."""
    one = Requestor(port, sop_class, transfer_syntax)
    try:
        yield one
        one.release()
    finally:
        one.close()


def _context_result(accept: bytes) -> int:
    """Return the result of the one presentation context, 0 where it is accepted. Source: PS3.8 table 9-18."""
    position = 68
    while position + 4 <= len(accept):
        kind, _, length = struct.unpack_from(">BBH", accept, position)
        if kind == 0x21:
            return accept[position + 6]
        position += 4 + length
    raise Refused("an A-ASSOCIATE-AC without a presentation context")


def _status(command_set: bytes) -> int:
    position = 0
    while position + 8 <= len(command_set):
        _, element, length = struct.unpack_from("<HHL", command_set, position)
        if element == 0x0900:
            return int.from_bytes(command_set[position + 8 : position + 8 + length], "little")
        position += 8 + length
    raise Refused("a response without a status")
