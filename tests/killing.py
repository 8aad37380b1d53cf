"""Answers without rows, and SIGKILL to a database: what tests need that kill right after an answer."""

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from storage.schema import instances
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from tests.running import wait_for
from tests.wire import Requestor

SUCCESS = 0x0000


@dataclass(frozen=True)
class Image:
    """A UID and the encoded data set of its image."""

    uid: str
    content: bytes


def images() -> list[Image]:
    """Return seven images; every other one is too large to be written at once."""
    made = []
    for number in range(7):
        data_set = a_ct()
        data_set.SOPInstanceUID = f"2.25.77{number}"
        data_set.PixelData = bytes([number]) * (1 << (19 if number % 2 else 5))
        made.append(Image(data_set.SOPInstanceUID, encoded(data_set)))
    return made


def digests(sent: Sequence[Image]) -> dict[str, str]:
    """Return the SHA-256 of each image by its UID."""
    return {one.uid: hashlib.sha256(one.content).hexdigest() for one in sent}


@contextmanager
def acknowledged_without_rows(port: int, database: Engine, sent: Sequence[Image]) -> Iterator[Connection]:
    """Give the moment in which all images are acknowledged and the first one alone has a row.

    Nobody writes a row as long as the connection lives: it locks the table.
    """
    association = Requestor(port, CT_IMAGE_STORAGE, EXPLICIT)
    try:
        first, *others = sent
        assert association.store(first.uid, first.content) == SUCCESS
        wait_for(lambda: known(database) == 1, 60)
        with database.connect() as connection:
            connection.exec_driver_sql("LOCK TABLE instances IN SHARE MODE")
            assert [association.store(one.uid, one.content) for one in others] == [SUCCESS] * len(others)
            assert known(database) == 1
            yield connection
    finally:
        association.close()


def known(database: Engine) -> int:
    """Return how many instances have a row; none while the database starts."""
    try:
        with database.connect() as connection:
            return connection.execute(select(func.count()).select_from(instances)).scalar_one()
    except OperationalError:
        return 0


def cluster(folder: Path) -> list[int]:
    """Return the process IDs of the PostgreSQL that runs on the folder, the postmaster first."""
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def kill(processes: Sequence[int]) -> None:
    """SIGKILL to each that still runs."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
