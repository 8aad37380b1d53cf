"""The elements of an encoded data set, found without decoding or copying the values that nobody asked for.

Source: PS3.5 sections 7.1 (element structure), 7.5 (sequences), A.4 (encapsulated pixel data).
"""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import NamedTuple

from triage.errors import UnreadableInstance

DEEPEST = 64
"""Levels of nested sequences; the standard's own objects need fewer than ten."""

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(
    (
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
        b"ST", b"TM", b"UI", b"UL", b"US",
    )
)  # fmt: skip


class Element(NamedTuple):
    """Where one element stands: `vr` is empty in Implicit VR, the value is `data[start:end]`."""

    tag: int
    vr: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written in a transfer syntax."""

    is_implicit: bool
    is_little_endian: bool


def top_level_elements(data: bytes | mmap, start: int, encoding: Encoding) -> Iterator[Element]:
    """Yield the elements of the data set that begins at `start` and fills the rest of `data`; zeros may follow it.

    Raises:
        UnreadableInstance: the data set ends inside an element, or something that is no element comes after the last.
    """
    walk = _Walk(data, encoding)
    position, end = start, len(data)
    while position < end:
        if end - position < 8:
            if any(data[position:end]):
                raise UnreadableInstance(f"{end - position} bytes after the last element are none")
            return
        element, position = walk.element(position, end, 0)
        yield element


def wanted_elements(data: bytes | mmap, start: int, encoding: Encoding, wanted: Collection[int]) -> dict[int, Element]:
    """Return by tag the wanted elements of the data set that begins at `start`; as `top_level_elements`, and faster.

    Raises:
        UnreadableInstance: as `top_level_elements`, or there is no element at all.
    """
    walk, end, position = _Walk(data, encoding), len(data), start
    unpack, found = walk.explicit_header.unpack_from, {}
    while end - position >= 8:
        # The usual element, in explicit VR with a length of two bytes, is taken here; any other one by the walk.
        group, number, vr, length = unpack(data, position)
        if encoding.is_implicit or vr not in _SHORT_VRS or length > end - position - 8:
            element, position = walk.element(position, end, 0)
            if element.tag in wanted:
                found[element.tag] = element
            continue
        begin, tag = position + 8, group << 16 | number
        position = begin + length
        if tag in wanted:
            found[tag] = Element(tag, vr, begin, position)
    if any(data[position:end]):
        raise UnreadableInstance(f"{end - position} bytes after the last element are none")
    if position == start:
        raise UnreadableInstance("no element in it")
    return found


def items(data: bytes | mmap, sequence: Element, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Yield where the items of a sequence's value begin and end."""
    walk = _Walk(data, encoding)
    position = sequence.start
    while position + 8 <= sequence.end:
        tag, length = walk.tag_and_length(position, sequence.end)
        if tag != _ITEM:
            return
        begin = position + 8
        position = walk.item_end(begin, length, sequence.end, 1)
        yield begin, position - (8 if length == _UNDEFINED else 0)


def find(data: bytes | mmap, start: int, end: int, encoding: Encoding, wanted: Collection[int]) -> dict[int, Element]:
    """Return the wanted elements of the item in `data[start:end]`; raises as `top_level_elements`."""
    walk = _Walk(data, encoding)
    found: dict[int, Element] = {}
    position = start
    while position + 8 <= end:
        element, position = walk.element(position, end, 1)
        if element.tag in wanted:
            found[element.tag] = element
    return found


class _Walk:
    def __init__(self, data: bytes | mmap, encoding: Encoding) -> None:
        self._data = data
        self._implicit = encoding.is_implicit
        order = "<" if encoding.is_little_endian else ">"
        self._implicit_header = struct.Struct(f"{order}HHL")
        self.explicit_header = struct.Struct(f"{order}HH2sH")
        self._length = struct.Struct(f"{order}L")

    def element(self, position: int, end: int, depth: int) -> tuple[Element, int]:
        """Return the element at `position` and where the next one begins."""
        if end - position < 8:
            raise UnreadableInstance(f"ends inside an element header at byte {position}")
        if self._implicit:
            group, number, length = self._implicit_header.unpack_from(self._data, position)
            vr, start = b"", position + 8
        else:
            group, number, vr, length = self.explicit_header.unpack_from(self._data, position)
            start = position + 8
            if vr not in _SHORT_VRS:
                vr, length, start = self._long_header(position, end, vr)
        tag = group << 16 | number
        if length == _UNDEFINED:
            value_end = self._sequence_end(start, end, vr, depth)
            return Element(tag, vr, start, value_end - 8), value_end
        if length > end - start:
            raise UnreadableInstance(
                f"ends inside element ({group:04X},{number:04X}) of {length} bytes, {end - start} received"
            )
        return Element(tag, vr, start, start + length), start + length

    def _long_header(self, position: int, end: int, vr: bytes) -> tuple[bytes, int, int]:
        """Return VR, length and start of a value whose length has four bytes.

        That of a VR which is not known is one (PS3.5 7.1.2). Two bytes that are no letters are no VR: delimiters have
        none, and some writers put elements of Implicit VR into an explicit data set.
        """
        if vr not in _LONG_VRS and not (vr.isalpha() and vr.isupper()):
            return b"", self._length.unpack_from(self._data, position + 4)[0], position + 8
        if end - position < 12:
            raise UnreadableInstance(f"ends inside an element header at byte {position}")
        return vr, self._length.unpack_from(self._data, position + 8)[0], position + 12

    def tag_and_length(self, position: int, end: int) -> tuple[int, int]:
        """Return tag and length of an item or a delimiter, which have no VR."""
        if end - position < 8:
            raise UnreadableInstance(f"ends inside a sequence at byte {position}")
        group, number, length = self._implicit_header.unpack_from(self._data, position)
        return group << 16 | number, length

    def _sequence_end(self, position: int, end: int, vr: bytes, depth: int) -> int:
        """Return where the value of undefined length, delimiter included, ends."""
        # A value of unknown VR and undefined length is a sequence in Implicit VR Little Endian (PS3.5 6.2.2).
        walk = _Walk(self._data, Encoding(is_implicit=True, is_little_endian=True)) if vr == b"UN" else self
        while True:
            tag, length = walk.tag_and_length(position, end)
            position += 8
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise UnreadableInstance(f"element {tag >> 16:04X},{tag & 0xFFFF:04X} where an item is needed")
            position = walk.item_end(position, length, end, depth + 1)

    def item_end(self, position: int, length: int, end: int, depth: int) -> int:
        """Return where the item whose value begins at `position` ends, its delimiter included."""
        if depth > DEEPEST:
            raise UnreadableInstance(f"sequences nested more than {DEEPEST} deep")
        if length != _UNDEFINED:
            if length > end - position:
                raise UnreadableInstance(f"ends inside an item of {length} bytes, {end - position} received")
            return position + length
        while True:
            tag, size = self.tag_and_length(position, end)
            if tag == _ITEM_END:
                return position + 8 + size
            _, position = self.element(position, end, depth)
