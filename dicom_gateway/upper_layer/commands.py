"""DIMSE command sets as bytes: the few elements that a storage provider reads and answers with.

Source: PS3.7 section 6.3 and annex E (Implicit VR Little Endian, group 0000 alone).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from dicom_gateway.upper_layer.pdus import AbortReason, ProtocolViolation

LONGEST_COMMAND_SET = 1 << 14
"""Bytes; a C-STORE-RQ with every optional element has fewer than 500."""

_SOP_CLASS, _FIELD, _MESSAGE_ID, _RESPONDS_TO = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _SOP_INSTANCE = 0x0800, 0x0900, 0x1000
_NO_DATA_SET = 0x0101
_IS_RESPONSE = 0x8000


class CommandField(IntEnum):
    """The requests that are told apart; every other one is answered as unrecognised."""

    C_STORE_RQ = 0x0001
    C_ECHO_RQ = 0x0030
    C_CANCEL_RQ = 0x0FFF


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says about itself; `elements` holds the raw values by element number, to be answered with."""

    field: int
    has_data_set: bool
    elements: Mapping[int, bytes]

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID as text, empty where there is none."""
        return _uid(self.elements.get(_SOP_CLASS, b""))

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID as text, empty where there is none."""
        return _uid(self.elements.get(_SOP_INSTANCE, b""))


def read_request(command_set: bytes) -> Request:
    """Return the request that a complete command set makes.

    Raises:
        ProtocolViolation: it is no command set, lacks an element that every request has, or is a response.
    """
    elements: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(command_set):
        group, element, length = struct.unpack_from("<HHL", command_set, position)
        value = command_set[position + 8 : position + 8 + length]
        if group or len(value) < length:
            raise _violation(f"element ({group:04X},{element:04X}) of {length} bytes at byte {position}")
        elements[element] = value
        position += 8 + length
    if position < len(command_set):
        raise _violation(f"{len(command_set) - position} bytes after the last element")
    field = _number(elements, _FIELD)
    if field & _IS_RESPONSE:
        raise _violation(f"command field {field:04X}H is a response, and nothing was requested")
    if field != CommandField.C_CANCEL_RQ:
        _number(elements, _MESSAGE_ID)
    return Request(field, _number(elements, _DATA_SET_TYPE) != _NO_DATA_SET, elements)


def response(request: Request, status: int) -> bytes:
    """Return the command set that answers `request`; UIDs go back as they came."""
    field = request.field | _IS_RESPONSE
    parts = [
        _raw(_SOP_CLASS, request.elements[_SOP_CLASS]) if _SOP_CLASS in request.elements else b"",
        _raw(_FIELD, struct.pack("<H", field)),
        _raw(_RESPONDS_TO, request.elements[_MESSAGE_ID]),
        _raw(_DATA_SET_TYPE, struct.pack("<H", _NO_DATA_SET)),
        _raw(_STATUS, struct.pack("<H", status)),
        _raw(_SOP_INSTANCE, request.elements[_SOP_INSTANCE]) if _SOP_INSTANCE in request.elements else b"",
    ]
    body = b"".join(parts)
    return _raw(0x0000, struct.pack("<L", len(body))) + body


def _raw(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, element, len(value)) + value


def _number(elements: Mapping[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != 2:
        raise _violation(f"element (0000,{element:04X}) has {len(value)} bytes, 2 are needed")
    return int.from_bytes(value, "little")


def _uid(value: bytes) -> str:
    """Return a UID as text that may be written anywhere: printable ASCII, at most 64 characters."""
    text = value.decode("ascii", "replace").rstrip("\0 ")
    return "".join(character if character.isprintable() else "?" for character in text)[:64]


def _violation(found: str) -> ProtocolViolation:
    return ProtocolViolation(AbortReason.INVALID_PARAMETER, f"command set: {found}")
