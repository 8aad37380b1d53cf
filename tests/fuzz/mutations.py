"""Sound bytes made unsound, reproducibly."""

import random
import struct
from collections.abc import Callable, Sequence

_NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFFFFE,
    0xFFFFFFFF,
)


def mutated(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return `content` after one to six random changes; some of them take bytes from `others`."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(_CHANGES)(changed, others, rng)
    return bytes(changed)


def _flip(content: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 4, 16))):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)


def _put_number(content: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    form, mask = rng.choice(((">L", 0xFFFFFFFF), ("<L", 0xFFFFFFFF), (">H", 0xFFFF), ("<H", 0xFFFF)))
    number = struct.pack(form, rng.choice(_NUMBERS) & mask)
    if len(content) > len(number):
        position = rng.randrange(len(content) - len(number))
        content[position : position + len(number)] = number


def _cut_out(content: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    start, end = _span(content, rng)
    del content[start:end]


def _cut_off(content: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _repeat(content: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    start, end = _span(content, rng)
    content[start:start] = content[start:end] * rng.choice((1, 1, 2, 50))


def _splice(content: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, end = _span(other, rng)
    position = rng.randrange(len(content) + 1)
    content[position : position + rng.choice((0, end - start))] = other[start:end]


def _span(content: bytes | bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 4, 8, 30, 200)))


_CHANGES: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip, _flip, _put_number, _put_number, _cut_out, _cut_off, _repeat, _splice,
)  # fmt: skip
