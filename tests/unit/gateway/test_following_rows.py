"""Rows that follow: what was taken is registered, in order, once the database answers; what cannot be is kept apart."""

from collections.abc import Iterator, Sequence
from threading import Event

import pytest

from dicom_gateway import following_rows
from dicom_gateway.file_meta import Claim
from dicom_gateway.following_rows import FollowingRows
from dicom_gateway.group_commit import MOST_AT_ONCE, Candidate, GroupCommit
from dicom_gateway.spool import Spool, prepare_spool
from tests.builders import CT_IMAGE_STORAGE, an_instance
from triage.errors import PermanentError, StoreUnavailable
from triage.study import ReceivedInstance, Registration

SPOILT = an_instance(3).header.image.sop_instance_uid
LONG_S = 30.0


class Database:
    """Notes what is registered, unless it is away or hangs; refuses the instance `SPOILT`."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.is_there = Event()
        self.was_asked = Event()
        self.hangs = Event()
        self.is_there.set()

    @property
    def known(self) -> list[str]:
        return [uid for batch in self.batches for uid in batch]

    def register_instances(self, instances: Sequence[ReceivedInstance]) -> Sequence[Registration]:
        self.was_asked.set()
        while self.hangs.is_set():
            Event().wait(0.01)
        if not self.is_there.is_set():
            raise StoreUnavailable("database: away")
        uids = [str(one.header.image.sop_instance_uid) for one in instances]
        if SPOILT in uids:
            raise PermanentError("spoilt")
        self.batches.append(uids)
        return [Registration.NEW for _ in instances]


@pytest.fixture
def spool(tmp_path) -> Spool:
    return prepare_spool(tmp_path, 0)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def apart() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def rows(spool, database, apart) -> Iterator[FollowingRows]:
    def keep_apart(candidate: Candidate, error: Exception) -> None:
        apart.append((candidate.header.image.sop_instance_uid, str(error)))

    following = FollowingRows(GroupCommit(spool, database), keep_apart)
    following.start()
    yield following
    following.stop()


def candidate(spool: Spool, number: int) -> Candidate:
    instance = an_instance(number)
    uid = instance.header.image.sop_instance_uid
    file = spool.begin(spool.new_files(), Claim(CT_IMAGE_STORAGE, uid, "1.2.840.10008.1.2.1"), instance.source)
    file.write(uid.encode())
    sealed = file.seal()
    file.leave()
    return Candidate(sealed, instance.header, instance.source)


def uids(*numbers: int) -> list[str]:
    return [str(an_instance(number).header.image.sop_instance_uid) for number in numbers]


def test_what_was_handed_in_is_registered_in_its_order(rows, spool, database):
    numbers = [rows.hand_in(candidate(spool, number)) for number in (0, 1, 2)]

    assert numbers == [1, 2, 3]
    assert rows.wait_for(3, LONG_S)
    assert database.known == uids(0, 1, 2)
    assert len(list((spool.folder / "instances").rglob("*.dcm"))) == 3


def test_who_waits_for_an_instance_waits_for_those_before_it(rows, spool, database):
    for number in (0, 1):
        rows.hand_in(candidate(spool, number))

    assert rows.wait_for(2, LONG_S)
    assert set(uids(0, 1)) <= set(database.known)
    assert rows.wait_for(None, 0.0)


def test_without_the_database_what_was_taken_is_kept_and_nothing_more_is_taken(rows, spool, database):
    database.is_there.clear()
    rows.hand_in(candidate(spool, 0))

    assert not rows.wait_for(1, LONG_S)
    with pytest.raises(StoreUnavailable, match="away"):
        rows.hand_in(candidate(spool, 1))
    assert database.known == []
    database.is_there.set()
    while not rows.wait_for(1, 0.1):
        assert database.was_asked.wait(LONG_S)
    assert database.known == uids(0)
    assert rows.hand_in(candidate(spool, 2)) == 2


def test_a_database_that_neither_answers_nor_refuses_is_told_after_a_time(rows, spool, database, monkeypatch):
    monkeypatch.setattr(following_rows, "MOST_WAITING", 2)
    monkeypatch.setattr(following_rows, "_TAKE_WITHIN_S", 0.2)
    database.hangs.set()
    for number in (0, 1):
        rows.hand_in(candidate(spool, number))

    with pytest.raises(StoreUnavailable, match="2 instances wait for their rows, none got one in time"):
        rows.hand_in(candidate(spool, 2))

    database.hangs.clear()
    assert rows.wait_for(2, LONG_S)
    assert rows.hand_in(candidate(spool, 2)) == 3


def test_an_instance_without_a_possible_row_is_kept_apart_and_holds_nobody_up(rows, spool, database, apart):
    for number in (1, 3, 2):
        rows.hand_in(candidate(spool, number))

    assert rows.wait_for(3, LONG_S)
    assert database.known == uids(1, 2)
    assert apart == [(SPOILT, "spoilt")]


def test_many_are_registered_together(rows, spool, database):
    waiting = [candidate(spool, number) for number in range(10, 10 + 2 * MOST_AT_ONCE)]

    for one in waiting:
        rows.hand_in(one)

    assert rows.wait_for(None, LONG_S)
    assert len(database.known) == 2 * MOST_AT_ONCE
    assert len(database.batches) <= MOST_AT_ONCE // 2


def test_stopping_registers_what_is_left(spool, database):
    following = FollowingRows(GroupCommit(spool, database), lambda *_: None)
    following.start()
    following.hand_in(candidate(spool, 0))

    following.stop()

    assert database.known == uids(0)
    with pytest.raises(StoreUnavailable, match="stops"):
        following.hand_in(candidate(spool, 1))
