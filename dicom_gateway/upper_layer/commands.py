"""DIMSE command sets as bytes: the few elements that a provider reads and answers with.

Source: PS3.7 section 6.3 and annex E (Implicit VR Little Endian, group 0000 alone).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from dicom_gateway.upper_layer.pdus import AbortReason, ProtocolViolation

LONGEST_COMMAND_SET = 1 << 14
"""Bytes; a C-STORE-RQ with every optional element has fewer than 500."""

_SOP_CLASS, _REQUESTED_CLASS, _FIELD, _MESSAGE_ID, _RESPONDS_TO = 0x0002, 0x0003, 0x0100, 0x0110, 0x0120
_MOVE_DESTINATION, _PRIORITY, _DATA_SET_TYPE, _STATUS = 0x0600, 0x0700, 0x0800, 0x0900
_SOP_INSTANCE, _REQUESTED_INSTANCE, _EVENT_TYPE, _ACTION_TYPE = 0x1000, 0x1001, 0x1002, 0x1008
_REMAINING = 0x1020
_NO_DATA_SET, _SOME_DATA_SET = 0x0101, 0x0001
_IS_RESPONSE = 0x8000


class CommandField(IntEnum):
    """The requests that are told apart; every other one is answered as unrecognised."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    C_CANCEL_RQ = 0x0FFF
    N_EVENT_REPORT_RQ = 0x0100
    N_SET_RQ = 0x0120
    N_ACTION_RQ = 0x0130
    N_CREATE_RQ = 0x0140


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says about itself; `elements` holds the raw values by element number, to be answered with."""

    field: int
    has_data_set: bool
    elements: Mapping[int, bytes]

    @property
    def sop_class_uid(self) -> str:
        """Affected or Requested SOP Class UID as text, empty where there is none."""
        return _uid(self.elements.get(_SOP_CLASS, self.elements.get(_REQUESTED_CLASS, b"")))

    @property
    def sop_instance_uid(self) -> str:
        """Affected or Requested SOP Instance UID as text, empty where there is none."""
        return _uid(self.elements.get(_SOP_INSTANCE, self.elements.get(_REQUESTED_INSTANCE, b"")))

    @property
    def type_id(self) -> int:
        """Event or Action Type ID, 0 where there is none."""
        return int.from_bytes(self.elements.get(_EVENT_TYPE, self.elements.get(_ACTION_TYPE, b"")), "little")

    @property
    def message_id(self) -> int:
        """Message ID of the request."""
        return int.from_bytes(self.elements.get(_MESSAGE_ID, b""), "little")

    @property
    def move_destination(self) -> str:
        """Move Destination, an AE title, empty where there is none."""
        return _uid(self.elements.get(_MOVE_DESTINATION, b"")).strip()


@dataclass(frozen=True, slots=True)
class SubOperations:
    """How many C-STOREs of a C-GET or C-MOVE are still to come, and how the others went."""

    remaining: int
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True, slots=True)
class StoreResponse:
    """The answer to a C-STORE that went the other way, as C-GET asks for."""

    status: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The peer wants no more answers to its request."""


def read_request(command_set: bytes) -> Request:
    """Return the request that a complete command set makes.

    Raises:
        ProtocolViolation: it is no command set, lacks an element that every request has, or is a response.
    """
    elements = _elements(command_set)
    field = _number(elements, _FIELD)
    if field & _IS_RESPONSE:
        raise _violation(f"command field {field:04X}H is a response, and nothing was requested")
    if field != CommandField.C_CANCEL_RQ:
        _number(elements, _MESSAGE_ID)
    return Request(field, _number(elements, _DATA_SET_TYPE) != _NO_DATA_SET, elements)


def read_answer(command_set: bytes) -> StoreResponse | Cancel:
    """Return what a peer may say while its C-FIND, C-GET or C-MOVE is served; raises ProtocolViolation."""
    elements = _elements(command_set)
    field = _number(elements, _FIELD)
    if field == CommandField.C_CANCEL_RQ:
        return Cancel()
    if field != CommandField.C_STORE_RQ | _IS_RESPONSE:
        raise _violation(f"command field {field:04X}H while a request is served")
    return StoreResponse(_number(elements, _STATUS))


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return the command set of a C-STORE-RQ of medium priority."""
    return _with_length(
        _raw(_SOP_CLASS, _even(sop_class_uid)),
        _short(_FIELD, CommandField.C_STORE_RQ),
        _short(_MESSAGE_ID, message_id),
        _short(_PRIORITY, 0),
        _short(_DATA_SET_TYPE, _SOME_DATA_SET),
        _raw(_SOP_INSTANCE, _even(sop_instance_uid)),
    )


def _elements(command_set: bytes) -> dict[int, bytes]:
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
    return elements


def response(request: Request, status: int, has_data_set: bool = False, counts: SubOperations | None = None) -> bytes:
    """Return the command set that answers `request`; UIDs and type IDs go back as they came."""
    given = request.elements
    numbers = (counts.remaining, counts.completed, counts.failed, counts.warning) if counts else ()
    return _with_length(
        _returned(_SOP_CLASS, given.get(_SOP_CLASS, given.get(_REQUESTED_CLASS))),
        _short(_FIELD, request.field | _IS_RESPONSE),
        _raw(_RESPONDS_TO, given[_MESSAGE_ID]),
        _short(_DATA_SET_TYPE, _SOME_DATA_SET if has_data_set else _NO_DATA_SET),
        _short(_STATUS, status),
        _returned(_SOP_INSTANCE, given.get(_SOP_INSTANCE, given.get(_REQUESTED_INSTANCE))),
        _returned(_EVENT_TYPE, given.get(_EVENT_TYPE)),
        _returned(_ACTION_TYPE, given.get(_ACTION_TYPE)),
        *(_short(_REMAINING + place, min(number, 0xFFFF)) for place, number in enumerate(numbers)),
    )


def _with_length(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return _raw(0x0000, struct.pack("<L", len(body))) + body


def _returned(element: int, value: bytes | None) -> bytes:
    return b"" if value is None else _raw(element, value)


def _short(element: int, number: int) -> bytes:
    return _raw(element, struct.pack("<H", number))


def _even(uid: str) -> bytes:
    return uid.encode("ascii") + b"\0" * (len(uid) % 2)


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
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "?" for character in text)
    return text[:64]


def _violation(found: str) -> ProtocolViolation:
    return ProtocolViolation(AbortReason.INVALID_PARAMETER, f"command set: {found}")
