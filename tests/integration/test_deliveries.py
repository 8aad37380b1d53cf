"""Deliveries on real parts: DCMTK and Orthanc as destinations, the ledger in the database, what comes back later."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread, examples
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE, StoragePresentationContexts, evt
from sqlalchemy import text

from deploy.delivery_worker import add_forwarding
from deploy.jobs import open_queue, take_up_lost_jobs
from dicom_gateway.originals import DicomOriginalSender
from dicom_gateway.sender import Destination, DicomSender, SenderLimits
from storage.deliveries import DeliveryLedger
from storage.instances import list_instances
from storage.work_queue import queue_of
from tests.integration.test_sender import asked, free_port, loopback, needs, path_of, running, running_orthanc
from triage.audit import PLATFORM
from triage.circuit_breaker import CircuitBreaker
from triage.errors import ActNotPossible, DestinationPaused, DestinationUnavailable, ObjectPostponed
from triage.forwarding import Forwarding, plan_forwarding
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority

QUICK = SenderLimits(connect_s=2, association_s=20, answer_s=20, silence_s=20)
SLICES = 6
UID = StudyInstanceUid("2.25.77001")


def head_of(number: int, path: Path, syntax: str | None = None) -> Path:
    """Write slice `number` of a small CT study."""
    image = dcmread(examples.get_path("ct"))
    image.StudyInstanceUID, image.SeriesInstanceUID = UID, f"{UID}.1"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{UID}.1.{number}"
    image.InstanceNumber = number
    if syntax:
        image.compress(syntax, generate_instance_uid=False)
    image.save_as(path)
    return path


def data_set_digest(path: Path) -> str:
    content = path.read_bytes()
    meta_length = int.from_bytes(content[140:144], "little")
    return hashlib.sha256(content[144 + meta_length :]).hexdigest()


@pytest.fixture
def received(start_receiver, dcmtk, engine, tmp_path):
    """A study of six slices that a real receiver took, compressed where `syntax` says so; gives their digests."""

    def send(syntax: str | None = None, option: str = "--propose-lossless") -> dict[str, str]:
        receiver = start_receiver()
        files = [head_of(number, tmp_path / f"slice{number}.dcm", syntax) for number in range(SLICES)]
        options = ["--no-halt", "--required", option] if syntax else ["--no-halt"]
        done = dcmtk("storescu", *options, "127.0.0.1", receiver.port, *files)
        assert done.returncode == 0, done.stderr
        return {one["sop_instance_uid"]: one["sha256"] for one in list_instances(engine)}

    return send


@pytest.fixture
def forwarding_to(transactions, clock):
    def to(*destinations: Destination) -> Forwarding:
        sender = DicomOriginalSender(DicomSender(destinations, "ACUITY", QUICK))
        return Forwarding(transactions, clock, sender, CircuitBreaker(transactions, clock, lambda: 1.0))

    return to


def plan(transactions, destination: str = "pacs") -> int:
    with transactions.begin() as records:
        return plan_forwarding(records, UID, destination, Priority.ROUTINE)


def states(engine, destination: str = "pacs") -> list[str]:
    return sorted(one.state for one in DeliveryLedger(engine).newest(100, destination=destination))


def storescp(folder: Path, port: int, *options: str):
    folder.mkdir(exist_ok=True)
    command = [str(path_of("storescp")), "--aetitle", "PEER", *options, "--output-directory", str(folder), str(port)]
    return running(command, loopback(port), folder)


def stored_digests(folder: Path) -> dict[str, str]:
    return {str(dcmread(path).SOPInstanceUID): data_set_digest(path) for path in folder.iterdir()}


@needs("storescp")
def test_originals_arrive_byte_for_byte_and_once(received, forwarding_to, transactions, engine, tmp_path):
    sent = received()
    assert (plan(transactions), plan(transactions)) == (SLICES, 0)

    with storescp(tmp_path / "pacs", free_port(), "--bit-preserving") as peer:
        forwarding_to(peer.destination).forward(UID, "pacs")
        first = {path.name: path.stat().st_mtime_ns for path in peer.folder.iterdir()}
        forwarding_to(peer.destination).forward(UID, "pacs")

        assert stored_digests(peer.folder) == sent
        assert {path.name: path.stat().st_mtime_ns for path in peer.folder.iterdir()} == first
    assert states(engine) == ["delivered"] * SLICES


@needs("Orthanc")
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_orthanc_gets_compressed_originals_as_they_are(syntax, received, forwarding_to, transactions, tmp_path):
    option = "--propose-rle" if syntax == RLELossless else "--propose-j2k-lossless"
    sent = received(syntax, option)
    plan(transactions)

    with running_orthanc(tmp_path / "orthanc") as peer:
        forwarding_to(peer.destination).forward(UID, "pacs")

        kept = asked(peer, "/instances?expand")
        assert {one["MainDicomTags"]["SOPInstanceUID"] for one in kept} == set(sent)
        syntaxes = {asked(peer, f"/instances/{one['ID']}/header")["0002,0010"]["Value"] for one in kept}
    assert {one.strip("\0") for one in syntaxes} == {syntax}


@needs("storescp")
def test_what_refuses_the_syntax_gets_it_decoded(received, forwarding_to, transactions, engine, tmp_path):
    received(RLELossless, "--propose-rle")
    plan(transactions)

    with storescp(tmp_path / "plain", free_port(), "+xe") as peer:
        forwarding_to(peer.destination).forward(UID, "pacs")

        images = [dcmread(path) for path in peer.folder.iterdir()]
    expected = dcmread(examples.get_path("ct"))
    assert {one.SOPInstanceUID for one in images} == {f"{UID}.1.{number}" for number in range(SLICES)}
    assert all((one.pixel_array == expected.pixel_array).all() for one in images)
    assert {one.sent_transfer_syntax_uid for one in DeliveryLedger(engine).newest(100)} == {"1.2.840.10008.1.2.1"}


@needs("storescp")
def test_a_destination_that_was_down_is_tried_later_and_holds_up_no_other(
    received, forwarding_to, transactions, clock, engine, tmp_path
):
    received()
    port = free_port()
    down = Destination("down", "PEER", "127.0.0.1", port, frozenset())
    plan(transactions, "down")
    plan(transactions, "pacs")

    with storescp(tmp_path / "up", free_port()) as peer:
        forwarding = forwarding_to(down, peer.destination)
        for _ in range(3):
            with pytest.raises(DestinationUnavailable, match="no connection"):
                forwarding.forward(UID, "down")
        # The circuit is open now: nothing is tried for five seconds, and the other destination gets its images.
        with pytest.raises(DestinationPaused, match="after 3 failures"):
            forwarding.forward(UID, "down")
        forwarding.forward(UID, "pacs")
    assert (states(engine, "pacs"), states(engine, "down")) == (["delivered"] * SLICES, ["planned"] * SLICES)
    (waiting, *_) = DeliveryLedger(engine).newest(1, destination="down")
    assert (waiting.attempts, "no connection" in waiting.last_error) == (3, True)

    clock.forward(seconds=5)
    with storescp(tmp_path / "back", port, "--bit-preserving"):
        forwarding.forward(UID, "down")
    assert states(engine, "down") == ["delivered"] * SLICES
    (state,) = [one for one in DeliveryLedger(engine).destinations() if one.name == "down"]
    assert (state.failures, state.retry_at, state.delivered) == (0, None, SLICES)


def test_only_one_tries_a_destination_that_was_away(transactions, clock):
    breaker = CircuitBreaker(transactions, clock, lambda: 1.0)
    for _ in range(3):
        with pytest.raises(DestinationUnavailable), breaker.reached("pacs"):
            raise DestinationUnavailable("away")
    clock.forward(seconds=5)

    with pytest.raises(DestinationUnavailable, match="still"), breaker.reached("pacs"):
        with pytest.raises(DestinationPaused), breaker.reached("pacs"):
            pytest.fail("a second one was let through")
        raise DestinationUnavailable("still away")

    clock.forward(seconds=9.9)
    with pytest.raises(DestinationPaused), breaker.reached("pacs"):
        pass
    clock.forward(seconds=0.1)
    with breaker.reached("pacs"):
        pass


def test_one_image_that_is_postponed_holds_up_no_other(received, forwarding_to, transactions, engine):
    received()
    plan(transactions)
    awkward = f"{UID}.1.2"
    entity = AE(ae_title="PEER")
    entity.supported_contexts = StoragePresentationContexts
    answer = {awkward: 0x0110}
    handlers = [(evt.EVT_C_STORE, lambda event: answer.get(event.request.AffectedSOPInstanceUID, 0x0000))]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    forwarding = forwarding_to(loopback(server.socket.getsockname()[1]))

    for _ in range(4):
        with pytest.raises(ObjectPostponed, match="0110H"):
            forwarding.forward(UID, "pacs")
    assert states(engine) == ["delivered"] * (SLICES - 1) + ["planned"]
    answer.clear()
    forwarding.forward(UID, "pacs")
    server.shutdown()

    assert states(engine) == ["delivered"] * SLICES


@needs("storescp")
def test_an_abort_in_the_middle_loses_nothing(received, forwarding_to, transactions, engine, tmp_path):
    sent = received()
    plan(transactions)
    port = free_port()

    with storescp(tmp_path / "pacs", port, "--bit-preserving", "--abort-after") as peer:
        with pytest.raises(DestinationUnavailable, match="aborted"):
            forwarding_to(peer.destination).forward(UID, "pacs")
        assert "delivered" not in states(engine)
    with storescp(tmp_path / "pacs", port, "--bit-preserving") as peer:
        forwarding_to(peer.destination).forward(UID, "pacs")
        assert stored_digests(peer.folder) == sent
    assert states(engine) == ["delivered"] * SLICES


@needs("Orthanc")
def test_a_refusal_for_good_is_a_dead_letter_until_it_is_replayed(
    received, forwarding_to, transactions, engine, clock, database_url, tmp_path
):
    received()
    plan(transactions)
    ledger = DeliveryLedger(engine)
    with running_orthanc(tmp_path / "orthanc") as peer:
        forwarding_to(loopback(peer.destination.port, "NOBODY")).forward(UID, "pacs")

        assert states(engine) == ["refused"] * SLICES
        assert "called AE title not recognised" in ledger.newest(1, failed=True)[0].last_error
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM procrastinate_jobs"))
        (one, *_) = ledger.newest(1)
        assert ledger.replay("pacs", one.sop_instance_uid, PLATFORM, clock.now()) == 1
        assert ledger.replay("pacs", "", PLATFORM, clock.now()) == SLICES - 1
        queue = open_queue(database_url)
        add_forwarding(queue, forwarding_to(peer.destination))

        def all_delivered() -> bool:
            # An Orthanc on a busy machine may be too late once; a worker would come back after its back-off.
            with transactions.begin() as records:
                records.queue.hasten("pacs")
            work(queue)
            return states(engine) == ["delivered"] * SLICES

        wait_until(all_delivered)
        assert len(asked(peer, "/instances")) == SLICES
    assert states(engine) == ["delivered"] * SLICES
    with pytest.raises(ActNotPossible, match="no refused delivery"):
        ledger.replay("pacs", one.sop_instance_uid, PLATFORM, clock.now())


def work(queue) -> None:
    async def run() -> None:
        async with queue.open_async():
            await queue.run_worker_async(queues=[queue_of("pacs")], wait=False, install_signal_handlers=False)

    asyncio.run(run())


def test_jobs_of_a_destination_that_is_no_longer_in_the_settings_are_taken_up(transactions, engine):
    with transactions.begin() as records:
        records.queue.defer_forwarding(UID, "attic", Priority.ROUTINE)
        records.queue.defer_forwarding(UID, "pacs", Priority.ROUTINE)
        assert records.queue.adopt_all_but(["pacs"]) == 1

    with engine.connect() as connection:
        queues = connection.scalars(text("SELECT queue_name FROM procrastinate_jobs ORDER BY 1")).all()
    assert queues == ["delivery", "delivery:pacs"]


@contextmanager
def worker(database_url: str, destination: Destination, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `acuity work --queue delivery` until the block ends."""
    home.mkdir(exist_ok=True)
    config = home / "acuity.toml"
    config.write_text(
        f'[database]\nurl = "{database_url}"\n[[destinations]]\nname = "pacs"\nae_title = "{destination.ae_title}"\n'
        f'host = "{destination.host}"\nport = {destination.port}\n'
    )
    command = [sys.executable, "-m", "deploy.cli", "work", "--queue", "delivery", "--config", str(config)]
    environment = {**os.environ, "ACUITY_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(is_so, limit_s: float = 90.0) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, "not within its time"
        time.sleep(0.05)


@pytest.mark.timeout(240)
def test_a_worker_that_is_killed_in_the_middle_sends_one_image_twice_at_most(
    received, transactions, engine, database_url, tmp_path
):
    uids, stored, killing = set(received()), [], threading.Event()

    def store(event) -> int:
        stored.append(event.request.AffectedSOPInstanceUID)
        if len(stored) == 3:
            killing.set()
            time.sleep(1)
        return 0x0000

    entity = AE(ae_title="PEER")
    entity.supported_contexts = StoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    peer = loopback(server.socket.getsockname()[1])
    plan(transactions)
    try:
        with worker(database_url, peer, tmp_path / "home") as process:
            assert killing.wait(90)
            process.send_signal(signal.SIGKILL)
            process.wait()
        delivered = states(engine).count("delivered")
        assert delivered in (2, 3)
        with engine.begin() as connection:
            connection.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"))
        queue = open_queue(database_url)
        asyncio.run(taken_up(queue))
        with worker(database_url, peer, tmp_path / "home") as process:
            wait_until(lambda: states(engine) == ["delivered"] * SLICES)
            process.terminate()
            assert process.wait(30) == 0
    finally:
        server.shutdown()

    assert set(stored) == uids
    assert len(stored) - len(uids) <= 1


async def taken_up(queue) -> None:
    async with queue.open_async():
        assert await take_up_lost_jobs(queue) == 1
