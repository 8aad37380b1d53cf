"""A disk that fills up at any point, and a database that goes away: told as such, nothing half stored."""

import os
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dicom_gateway.peers import PeerList
from dicom_gateway.receiver import Receiver, ReceiverSettings
from dicom_gateway.spool import prepare_spool
from dicom_gateway.statuses import StoreStatus
from storage.arrivals import ArrivalRows
from storage.database import DatabaseTransactions, connect, migrate
from storage.embedded import start_embedded
from storage.file_check import check_files
from storage.intake import IntakeRows
from tests.builders import HEAD_CT, MODEL, FrozenClock
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.wire import requestor
from triage.completion import CompletionRule
from triage.ports import ModelOffer
from triage.priority import TargetTimes
from triage.workflow import Receiving

PAGE = 4096
PIXELS = 40 * PAGE


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 4 MiB with few inodes; unmounted at the end."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = "size=4m,nr_inodes=400"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def receiver(small_disk, receiving, engine):
    spool = prepare_spool(small_disk / "spool", 0)
    receiver = Receiver(ReceiverSettings(port=0), PeerList(), spool, receiving, IntakeRows(engine))
    receiver.start()
    yield receiver
    receiver.stop()


def image(number: int) -> tuple[str, bytes]:
    """Return the UID and the bytes of an image of a little more than forty pages."""
    data_set = a_ct()
    data_set.SOPInstanceUID = f"2.25.9{number}"
    data_set.PixelData = bytes([number % 256]) * PIXELS
    return data_set.SOPInstanceUID, encoded(data_set)


def send(port: int, number: int) -> int:
    uid, data_set = image(number)
    with requestor(port, CT_IMAGE_STORAGE, EXPLICIT) as association:
        return association.store(uid, data_set)


def fill(folder: Path, leaving: int) -> Path:
    """Fill the disk but for `leaving` bytes."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    with ballast.open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leaving)))
    return ballast


def stored(engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM instances"))


@pytest.mark.parametrize("pages", [0, 1, 2, 8, 16, 24, 32, 39, 40])
def test_a_disk_that_is_full_at_any_point_of_an_image_is_told_and_recovers(pages, small_disk, receiver, engine):
    ballast = fill(small_disk, pages * PAGE)

    assert send(receiver.port, 1) == StoreStatus.OUT_OF_RESOURCES

    left = [path for path in (small_disk / "spool").rglob("*") if path.is_file()]
    assert (stored(engine), left) == (0, [])
    ballast.unlink()
    assert send(receiver.port, 1) == StoreStatus.SUCCESS
    assert check_files(engine, (small_disk / "spool" / "instances",)).is_whole


def test_a_disk_without_room_for_another_file_is_told_and_recovers(small_disk, receiver, engine):
    extra = []
    for number in range(400):
        try:
            (small_disk / f"extra{number}").touch()
        except OSError:
            break
        extra.append(small_disk / f"extra{number}")

    assert extra
    assert send(receiver.port, 1) == StoreStatus.OUT_OF_RESOURCES
    assert stored(engine) == 0
    for path in extra:
        path.unlink()
    assert send(receiver.port, 1) == StoreStatus.SUCCESS
    assert check_files(engine, (small_disk / "spool" / "instances",)).is_whole


def test_images_are_taken_until_the_disk_is_full_and_each_answer_is_true(small_disk, receiver, engine):
    statuses = [send(receiver.port, number) for number in range(40)]

    taken = statuses.count(StoreStatus.SUCCESS)
    assert set(statuses) == {StoreStatus.SUCCESS, StoreStatus.OUT_OF_RESOURCES}
    assert stored(engine) == taken
    found = check_files(engine, (small_disk / "spool" / "instances",))
    assert (found.is_whole, found.files) == (True, taken)


@pytest.mark.timeout(180)
def test_a_database_that_is_stopped_is_told_and_what_comes_afterwards_is_taken(tmp_path):
    folder = tmp_path / "postgres"
    postgres = start_embedded(folder)
    engine = connect(postgres.url)
    migrate(engine)
    arrivals = ArrivalRows(engine)
    offers, rule = (ModelOffer(MODEL, HEAD_CT, "bleeding"),), CompletionRule(timedelta(seconds=5))
    receiving = Receiving(DatabaseTransactions(engine), FrozenClock(), offers, TargetTimes(), rule, arrivals)
    spool = prepare_spool(tmp_path / "spool", 0)
    receiver = Receiver(ReceiverSettings(port=0), PeerList(), spool, receiving, IntakeRows(engine))
    receiver.start()
    try:
        assert send(receiver.port, 1) == StoreStatus.SUCCESS
        postgres.stop()
        stopped_at = time.monotonic()
        while time.monotonic() - stopped_at < 5:
            assert send(receiver.port, 2) == StoreStatus.OUT_OF_RESOURCES
        again = start_embedded(folder)
        try:
            assert [send(receiver.port, number) for number in (1, 2, 3)] == [StoreStatus.SUCCESS] * 3
            assert stored(engine) == 3
            found = check_files(engine, (tmp_path / "spool" / "instances",))
            assert (found.missing, found.altered) == ([], [])
        finally:
            receiver.stop()
            arrivals.close()
            engine.dispose()
            again.stop()
    finally:
        receiver.stop()
