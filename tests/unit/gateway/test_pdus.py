"""PDUs are taken apart as they come, however the stream cuts them, and no announced length is believed."""

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_gateway.upper_layer.pdus import (
    LONGEST_ASSOCIATE_PDU,
    AbortReason,
    ConnectionLost,
    ControlPdu,
    Fragment,
    PduKind,
    PduReader,
    ProtocolViolation,
    command_pdus,
)
from tests.pdus import ABORT, RELEASE_RQ, pdu, pdv

LONGEST = 1000


def reader_of(stream: bytes, cuts: Sequence[int] = ()) -> PduReader:
    """Return a reader to which `stream` comes in pieces of the given sizes, the rest as one."""
    sizes, position = iter(cuts), 0

    def receive_into(buffer: memoryview) -> int:
        nonlocal position
        size = min(next(sizes, len(stream)), len(buffer), len(stream) - position)
        buffer[:size] = stream[position : position + size]
        position += size
        return size

    return PduReader(receive_into, LONGEST)


def messages_of(reader: PduReader) -> list[tuple[int, bool, bytes] | PduKind]:
    """Return what the stream holds until its end: whole messages and the kinds of other PDUs."""
    found: list[tuple[int, bool, bytes] | PduKind] = []
    gathered = b""
    while True:
        try:
            one = reader.next()
        except ConnectionLost:
            return found
        if isinstance(one, ControlPdu):
            found.append(one.kind)
            continue
        gathered += bytes(one.data)
        if one.ends_message:
            found.append((one.context_id, one.is_command, gathered))
            gathered = b""


def violation_of(stream: bytes) -> ProtocolViolation:
    with pytest.raises(ProtocolViolation) as caught:
        messages_of(reader_of(stream))
    return caught.value


@given(st.lists(st.integers(1, 40), max_size=60), st.lists(st.binary(max_size=120), min_size=1, max_size=4))
def test_a_stream_is_the_same_however_it_is_cut(cuts, contents):
    stream = b""
    for content in contents:
        stream += pdu(4, pdv(1, 3, b"command")) + pdu(4, pdv(1, 0, content[:50]) + pdv(1, 2, content[50:]))
    stream += RELEASE_RQ

    found = messages_of(reader_of(stream, cuts))

    expected = [one for content in contents for one in ((1, True, b"command"), (1, False, content))]
    assert found == [*expected, PduKind.RELEASE_RQ]


def test_an_empty_last_fragment_ends_the_message():
    found = messages_of(reader_of(pdu(4, pdv(3, 0, b"abc")) + pdu(4, pdv(3, 2, b""))))

    assert found == [(3, False, b"abc")]


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (pdu(0, b"xxxx"), AbortReason.UNRECOGNISED_PDU),
        (pdu(8, b"xxxx"), AbortReason.UNRECOGNISED_PDU),
        (b"GET / HTTP/1.1\r\n\r\n", AbortReason.UNRECOGNISED_PDU),
        (pdu(1, b"", length=0xFFFFFFFF), AbortReason.INVALID_PARAMETER),
        (pdu(1, b"", length=LONGEST_ASSOCIATE_PDU + 1), AbortReason.INVALID_PARAMETER),
        (pdu(4, b"", length=LONGEST + 1), AbortReason.INVALID_PARAMETER),
        (pdu(4, b""), AbortReason.INVALID_PARAMETER),
        (pdu(5, b"12345"), AbortReason.INVALID_PARAMETER),
        (pdu(7, b""), AbortReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 2, b"abc", length=1)), AbortReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 2, b"abc", length=6)), AbortReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 2, b"abc", length=0xFFFFFFFF)), AbortReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 0, b"abc") + b"\0\0\0"), AbortReason.INVALID_PARAMETER),
    ],
)
def test_a_length_or_kind_that_cannot_be_is_a_violation(stream, reason):
    assert violation_of(stream + ABORT).reason is reason


def test_the_longest_pdu_that_was_announced_is_taken():
    content = bytes(LONGEST - 6)

    assert messages_of(reader_of(pdu(4, pdv(1, 2, content)))) == [(1, False, content)]


def test_an_announced_length_costs_no_memory_before_its_bytes_come():
    stream = pdu(1, b"x" * 100, length=LONGEST_ASSOCIATE_PDU)
    reader = reader_of(stream)
    tracemalloc.start()

    with pytest.raises(ConnectionLost):
        reader.next()

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000


@pytest.mark.parametrize("longest", [0, 7, 50, 16384])
def test_a_response_is_cut_to_the_peers_maximum(longest):
    command_set = bytes(range(120))

    stream = command_pdus(5, command_set, longest)

    assert messages_of(reader_of(stream)) == [(5, True, command_set)]
    position = 0
    while position < len(stream):
        length = int.from_bytes(stream[position + 2 : position + 6], "big")
        assert not longest or length <= longest
        position += 6 + length


def test_a_piece_of_data_is_no_copy():
    reader = reader_of(pdu(4, pdv(1, 2, b"abc")))

    piece = reader.next()

    assert isinstance(piece, Fragment)
    assert isinstance(piece.data, memoryview)
