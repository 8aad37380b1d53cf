"""The acceptor against a requestor that says exactly what a test wants: the state machine, the limits, the time-outs.

Source: PS3.8 section 9.2 (states and events), table 9-21 (rejection), table 9-26 (abort).
"""

import gc
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from dicom_gateway.upper_layer.association import Timeouts
from dicom_gateway.upper_layer.slots import Limits
from storage.schema import associations, instances
from tests.integration.test_receiver import a_ct, count, encoded
from tests.pdus import (
    ABORT,
    CT_IMAGE_STORAGE,
    EXPLICIT,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    command,
    echo,
    item,
    pdu,
    pdv,
    store,
)
from tests.running import wait_for

ECHO_ONLY = ((1, VERIFICATION, (EXPLICIT,)),)
ACCEPTED, REJECTED, DATA, RELEASED, ABORTED = 2, 3, 4, 6, 7
UNRECOGNISED, UNEXPECTED, UNEXPECTED_PARAMETER, INVALID = (2, 1), (2, 2), (2, 5), (2, 6)


class Requestor:
    """A socket that speaks in PDUs."""

    def __init__(self, port: int, request: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if request:
            self.say(request)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> tuple[int, bytes]:
        """Return kind and body of the next PDU; kind 0 when the connection has ended."""
        try:
            header = self._exactly(6)
        except ConnectionError:
            return 0, b""
        return (header[0], self._exactly(int.from_bytes(header[2:], "big"))) if header else (0, b"")

    def hear_status(self) -> int:
        """Return the status of the next response."""
        kind, body = self.hear()
        assert kind == DATA, (kind, body)
        position = body.index(struct.pack("<HHL", 0, 0x0900, 2)) + 8
        return int.from_bytes(body[position : position + 2], "little")

    def _exactly(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            more = self.socket.recv(size - len(received))
            if not more:
                return b""
            received += more
        return received


@contextmanager
def requestor(port: int, request: bytes = b"") -> Iterator[Requestor]:
    one = Requestor(port, request)
    try:
        yield one
    finally:
        one.socket.close()


def test_a_request_is_accepted_data_answered_and_the_release_confirmed(start_receiver, engine):
    with requestor(start_receiver().port, associate_rq()) as peer:
        assert peer.hear()[0] == ACCEPTED
        peer.say(store("2.25.11", encoded(a_ct()), fragment=7))
        assert peer.hear_status() == 0x0000
        peer.say(RELEASE_RQ)
        assert peer.hear() == (RELEASED, bytes(4))
        assert peer.hear() == (0, b"")

    def outcomes() -> list[str]:
        with engine.connect() as connection:
            return list(connection.scalars(select(associations.c.outcome)))

    assert wait_for(lambda: outcomes() == ["released"], 20, outcomes)


@pytest.mark.parametrize(
    ("said", "source_and_reason"),
    [
        (RELEASE_RQ, UNEXPECTED),
        (pdu(6, bytes(4)), UNEXPECTED),
        (pdu(4, pdv(1, 3, b"x")), UNEXPECTED),
        (pdu(9, bytes(4)), UNRECOGNISED),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", UNRECOGNISED),
        (pdu(1, b"", length=0xFFFFFFF0), INVALID),
        (pdu(1, bytes(200)), INVALID),
        (pdu(1, associate_rq()[6:-3]), INVALID),
        # Found by the fuzzer: an item that is cut off, two levels down.
        (pdu(1, associate_rq()[6:] + item(0x50, item(0x50, b"\x51\0\0\x08ab"))), INVALID),
        # As many items as the longest request holds would keep the decoder busy for seconds.
        (pdu(1, associate_rq()[6:] + item(0x50, item(0x51, b"\0\0\0\0") * 8000)), INVALID),
        (pdu(2, bytes(100)), UNEXPECTED),
    ],
)
def test_before_an_association_everything_else_aborts(start_receiver, said, source_and_reason):
    with requestor(start_receiver().port, said) as peer:
        kind, body = peer.hear()

    assert (kind, tuple(body[2:4])) == (ABORTED, source_and_reason)


@pytest.mark.parametrize(
    ("said", "source_and_reason"),
    [
        (associate_rq(), UNEXPECTED),
        (pdu(2, bytes(100)), UNEXPECTED),
        (pdu(6, bytes(4)), UNEXPECTED),
        (pdu(9, bytes(4)), UNRECOGNISED),
        (pdu(4, b"", length=131073), INVALID),
        (pdu(4, pdv(3, 3, command(1, CT_IMAGE_STORAGE, "1.2"))), INVALID),
        (pdu(4, pdv(1, 2, b"data without a command")), UNEXPECTED_PARAMETER),
        (pdu(4, pdv(1, 3, command(1, CT_IMAGE_STORAGE, "1.2")) + pdv(1, 3, b"x")), UNEXPECTED_PARAMETER),
        (pdu(4, pdv(1, 3, b"no command set")), INVALID),
        (pdu(4, pdv(1, 3, command(1, CT_IMAGE_STORAGE, "1.2", data_set=False))), INVALID),
        (pdu(4, pdv(1, 1, bytes(20000))), INVALID),
    ],
)
def test_inside_an_association_what_does_not_belong_aborts(start_receiver, said, source_and_reason):
    with requestor(start_receiver().port, associate_rq()) as peer:
        assert peer.hear()[0] == ACCEPTED
        peer.say(said)
        kind, body = peer.hear()

    assert (kind, tuple(body[2:4])) == (ABORTED, source_and_reason)


@pytest.mark.parametrize(
    ("request_pdu", "rejection"),
    [
        (associate_rq(version=2), (1, 2, 2)),
        (associate_rq(application_context="1.2.3"), (1, 1, 2)),
    ],
)
def test_what_nobody_here_speaks_is_rejected(start_receiver, request_pdu, rejection):
    with requestor(start_receiver().port, request_pdu) as peer:
        kind, body = peer.hear()

    assert (kind, tuple(body[1:4])) == (REJECTED, rejection)


def test_another_operation_on_a_storage_context_is_unrecognised_and_the_association_goes_on(start_receiver):
    with requestor(start_receiver().port, associate_rq()) as peer:
        peer.hear()
        peer.say(pdu(4, pdv(1, 3, command(0x0020, CT_IMAGE_STORAGE))) + pdu(4, pdv(1, 2, b"identifier")))
        assert peer.hear_status() == 0x0211
        peer.say(store("2.25.11", encoded(a_ct())))
        assert peer.hear_status() == 0x0000


def test_a_data_set_that_breaks_off_leaves_nothing_behind(start_receiver, engine):
    receiver = start_receiver()
    with requestor(receiver.port, associate_rq()) as peer:
        peer.hear()
        peer.say(store("2.25.11", encoded(a_ct()), fragment=50)[:-30])
        wait_for(lambda: list(receiver.spool.rglob("*.part")), 10)

    wait_for(lambda: not list(receiver.spool.rglob("*.part")), 10)
    assert count(engine, instances) == 0


def test_an_abort_ends_it_without_an_answer(start_receiver):
    with requestor(start_receiver().port, associate_rq()) as peer:
        peer.hear()
        peer.say(ABORT)

        assert peer.hear() == (0, b"")


def test_who_says_nothing_is_dropped_in_time(start_receiver):
    receiver = start_receiver(timeouts=Timeouts(request_s=0.5, idle_s=1.0))
    begin = time.monotonic()
    with requestor(receiver.port) as silent, requestor(receiver.port, associate_rq()) as idle:
        assert idle.hear()[0] == ACCEPTED
        assert silent.hear()[0] == ABORTED
        assert idle.hear()[0] == ABORTED

    assert time.monotonic() - begin < 10


def test_who_drips_bytes_is_dropped_in_time(start_receiver):
    receiver = start_receiver(timeouts=Timeouts(request_s=1.0, idle_s=1.0))
    with requestor(receiver.port) as request_dripper, requestor(receiver.port, associate_rq()) as data_dripper:
        assert data_dripper.hear()[0] == ACCEPTED
        data_dripper.say(pdu(4, pdv(1, 3, command(1, CT_IMAGE_STORAGE, "2.25.11"))))
        begin = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011  (reset or broken pipe, as the kernel likes)
            for byte in associate_rq() * 10:
                request_dripper.say(bytes([byte]))
                data_dripper.say(pdu(4, pdv(1, 0, b"x")))
                time.sleep(0.05)

        assert time.monotonic() - begin < 15


def test_an_echo_finds_a_slot_when_all_for_storage_are_taken(start_receiver, dcmtk):
    receiver = start_receiver(limits=Limits(associations=2, associations_per_address=2, echo_associations=1))
    with requestor(receiver.port, associate_rq()) as first, requestor(receiver.port, associate_rq()) as second:
        assert (first.hear()[0], second.hear()[0]) == (ACCEPTED, ACCEPTED)
        with requestor(receiver.port, associate_rq()) as third:
            kind, body = third.hear()
            assert (kind, tuple(body[1:4])) == (REJECTED, (2, 3, 2))
        with requestor(receiver.port, associate_rq(ECHO_ONLY)) as echoing:
            assert echoing.hear()[0] == ACCEPTED
            echoing.say(echo())
            assert echoing.hear_status() == 0x0000
        first.say(RELEASE_RQ)
        assert first.hear()[0] == RELEASED

    assert dcmtk("echoscu", "127.0.0.1", receiver.port).returncode == 0


def test_one_address_leaves_room_for_the_others(start_receiver):
    receiver = start_receiver(limits=Limits(associations=9, associations_per_address=1))
    with requestor(receiver.port, associate_rq()) as first:
        assert first.hear()[0] == ACCEPTED
        with requestor(receiver.port, associate_rq()) as second:
            assert second.hear()[0] == REJECTED


def test_a_flood_of_silent_connections_does_not_stop_an_echo(start_receiver, dcmtk):
    receiver = start_receiver(limits=Limits(unnegotiated=8))
    silent = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(40)]

    begin = time.monotonic()
    done = dcmtk("echoscu", "127.0.0.1", receiver.port)
    elapsed = time.monotonic() - begin

    for one in silent:
        one.close()
    assert (done.returncode, done.stderr) == (0, "")
    assert elapsed < 5


def test_a_longer_pdu_than_was_announced_is_refused_before_it_comes(start_receiver):
    with requestor(start_receiver().port, associate_rq()) as peer:
        peer.hear()
        peer.say(pdu(4, b"", length=0x7FFFFFFF))

        assert peer.hear()[0] == ABORTED


def test_stop_aborts_what_is_under_way(start_receiver):
    receiver = start_receiver()
    with requestor(receiver.port, associate_rq()) as peer:
        peer.hear()
        receiver.receiver.stop()

        assert peer.hear()[0] == ABORTED


def test_associations_leave_no_thread_and_no_descriptor_behind(start_receiver):
    receiver = start_receiver()

    def used() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    before = used()
    for number in range(120):
        with requestor(receiver.port, associate_rq() if number % 3 else b"\x01\0\0") as peer:
            if number % 3 == 1:
                peer.hear()
                peer.say(RELEASE_RQ if number % 2 else ABORT)

    wait_for(lambda: used() == before, 20, used)
