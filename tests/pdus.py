"""PDUs and command sets as a requestor writes them, for tests and for the fuzzer's seeds."""

import struct
from collections.abc import Sequence

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
RELEASE_RQ = struct.pack(">BBLL", 5, 0, 4, 0)
ABORT = struct.pack(">BBLBBBB", 7, 0, 4, 0, 0, 0, 0)


def associate_rq(
    contexts: Sequence[tuple[int, str, Sequence[str]]] = ((1, CT_IMAGE_STORAGE, (EXPLICIT,)),),
    calling: str = "CT1",
    version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
    longest_pdu: int = 16384,
) -> bytes:
    """Return an A-ASSOCIATE-RQ that proposes (ID, abstract syntax, transfer syntaxes)."""
    body = struct.pack(">HH16s16s32s", version, 0, b"ACUITY".ljust(16), calling.encode().ljust(16), b"")
    body += item(0x10, application_context.encode())
    for number, abstract, transfers in contexts:
        syntaxes = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in transfers)
        body += item(0x20, struct.pack(">BBBB", number, 0, 0, 0) + syntaxes)
    body += item(0x50, item(0x51, struct.pack(">L", longest_pdu)) + item(0x52, b"1.2.3.4"))
    return pdu(1, body)


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU; `length` is what its header says, where that is not the truth."""
    return struct.pack(">BBL", kind, 0, len(body) if length is None else length) + body


def pdv(context_id: int, flags: int, content: bytes, length: int | None = None) -> bytes:
    """Return a PDV item; flag 1 is for a command, flag 2 for the last fragment."""
    return struct.pack(">LBB", len(content) + 2 if length is None else length, context_id, flags) + content


def item(kind: int, content: bytes) -> bytes:
    """Return an item of an association PDU."""
    return struct.pack(">BBH", kind, 0, len(content)) + content


def command(field: int, sop_class: str, uid: str = "", data_set: bool = True, message_id: int = 1) -> bytes:
    """Return a request's command set."""
    elements = element(0x0002, _padded(sop_class)) + element(0x0100, struct.pack("<H", field))
    elements += element(0x0110, struct.pack("<H", message_id)) + element(0x0700, b"\0\0")
    elements += element(0x0800, struct.pack("<H", 1 if data_set else 0x0101))
    if uid:
        elements += element(0x1000, _padded(uid))
    return element(0x0000, struct.pack("<L", len(elements))) + elements


def element(number: int, value: bytes) -> bytes:
    """Return one element of a command set."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def store(uid: str, data_set: bytes, context_id: int = 1, fragment: int = 16000) -> bytes:
    """Return the PDUs of one C-STORE of a CT image."""
    request = pdu(4, pdv(context_id, 3, command(0x0001, CT_IMAGE_STORAGE, uid)))
    pieces = [data_set[start : start + fragment] for start in range(0, len(data_set), fragment)] or [b""]
    for number, piece in enumerate(pieces):
        request += pdu(4, pdv(context_id, 2 if number == len(pieces) - 1 else 0, piece))
    return request


def echo(context_id: int = 1) -> bytes:
    """Return the PDU of one C-ECHO."""
    return pdu(4, pdv(context_id, 3, command(0x0030, VERIFICATION, data_set=False)))


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
