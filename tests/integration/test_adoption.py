"""What a process had received when it ended is registered by one that lives; what it had not, is removed."""

import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_gateway.adoption import Adoption
from dicom_gateway.file_meta import Claim, file_meta
from dicom_gateway.group_commit import GroupCommit
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import SealedFile, Spool, UnfinishedFile, prepare_spool
from dicom_gateway.storing import Storing
from storage.instances import list_instances
from storage.schema import associations, quarantine
from tests.integration.test_receiver import a_ct, count, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT
from triage.errors import StoreUnavailable
from triage.study import Source

SOURCE = Source("CT1", "127.0.0.1", "0123456789abcdef")
CLAIM = Claim(CT_IMAGE_STORAGE, "2.25.11", EXPLICIT)
LARGE = bytes(1 << 19)


@pytest.fixture
def store(tmp_path, receiving, intake) -> Storing:
    spool = prepare_spool(tmp_path / "spool", 0)
    return Storing(PeerList(), spool, GroupCommit(spool, receiving), intake)


def written(spool: Spool, data_set: bytes, claim: Claim = CLAIM) -> UnfinishedFile:
    file = spool.begin(spool.new_files(), claim, SOURCE)
    for start in range(0, len(data_set), 1 << 17):
        file.write(data_set[start : start + (1 << 17)])
    return file


def left_by_another_process(store: Storing, data_set: bytes, claim: Claim = CLAIM) -> SealedFile:
    """Leave a sealed file in the folder of a process that has ended, as far as its lock says."""
    ended = prepare_spool(store.spool.folder, 0)
    sealed = written(ended, data_set, claim).seal()
    ended.inbox.close()
    return sealed


def parts(store: Storing) -> list[Path]:
    return list((store.spool.folder / "unfinished").rglob("*"))


@pytest.mark.parametrize("pixels", [bytes(32), LARGE], ids=["in one piece", "in many pieces"])
def test_a_sealed_file_of_an_ended_process_becomes_an_instance_with_its_digest_and_source(store, engine, pixels):
    image = a_ct()
    image.PixelData = pixels
    left_by_another_process(store, encoded(image))

    assert Adoption(store).look() == 1

    (kept,) = list_instances(engine)
    assert kept["sha256"] == hashlib.sha256(encoded(image)).hexdigest()
    assert Path(kept["path"]).read_bytes().endswith(encoded(image))
    assert parts(store) == []
    with engine.connect() as connection:
        association = connection.execute(select(associations)).one()
    assert (association.association_id, association.calling_ae_title) == ("0123456789abcdef", "CT1")
    assert association.outcome == "lost"


def test_a_file_whose_row_was_committed_before_is_known_already(store, engine):
    left_by_another_process(store, encoded(a_ct()))
    Adoption(store).look()
    left_by_another_process(store, encoded(a_ct()))

    assert Adoption(store).look() == 1

    assert len(list_instances(engine)) == 1
    assert parts(store) == []


def test_a_file_that_has_its_place_and_no_row_yet_is_found(store, engine):
    ended = prepare_spool(store.spool.folder, 0)
    sealed = written(ended, encoded(a_ct())).seal()
    ended.place([sealed])
    ended.inbox.close()

    assert Adoption(store).look() == 1

    (kept,) = list_instances(engine)
    assert kept["sha256"] == sealed.sha256
    assert Path(kept["path"]).read_bytes().endswith(encoded(a_ct()))
    assert parts(store) == []


def test_a_file_that_was_never_sealed_is_removed(store, engine):
    ended = prepare_spool(store.spool.folder, 0)
    # Whole as a data set, but more of it was to come.
    written(ended, encoded(a_ct()) + bytes(1 << 19))
    ended.new_files().take()
    ended.inbox.close()

    assert Adoption(store).look() == 0

    assert (list_instances(engine), parts(store)) == ([], [])


@pytest.mark.parametrize("place", [140, file_meta(CLAIM, SOURCE).digest_at, -1], ids=["length", "digest", "pixels"])
def test_a_file_that_is_not_what_was_sealed_is_no_instance(store, engine, place):
    sealed = left_by_another_process(store, encoded(a_ct()))
    content = bytearray(sealed.path.read_bytes())
    content[place] ^= 0x40
    sealed.path.write_bytes(content)

    assert Adoption(store).look() == 0

    assert (list_instances(engine), parts(store)) == ([], [])


def test_the_files_of_a_living_process_are_left_to_it(store, engine):
    living = prepare_spool(store.spool.folder, 0)
    sealed = written(living, encoded(a_ct())).seal()

    assert Adoption(store).look() == 0

    assert sealed.path.exists()
    assert list_instances(engine) == []
    living.inbox.close()


def test_bytes_that_are_no_instance_are_kept_apart(store, engine):
    left_by_another_process(store, encoded(a_ct()), Claim(CT_IMAGE_STORAGE, "2.25.12", EXPLICIT))
    left_by_another_process(store, b"nonsense" * 100)

    Adoption(store).look()

    assert (count(engine, quarantine), list_instances(engine), parts(store)) == (2, [], [])


def test_a_folder_is_taken_over_by_one_process_alone(store):
    left_by_another_process(store, encoded(a_ct()))
    other = prepare_spool(store.spool.folder, 0)

    for _ in store.spool.inbox.abandoned():
        assert list(other.inbox.abandoned()) == []


def test_without_the_database_everything_stays_for_the_next_look(store, engine, monkeypatch):
    left_by_another_process(store, encoded(a_ct()))

    def away(*_: object) -> None:
        raise StoreUnavailable("database: away")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.intake_log), "association_opened", away)
        with pytest.raises(StoreUnavailable):
            Adoption(store).look()

    assert Adoption(store).look() == 1
    assert len(list_instances(engine)) == 1


@pytest.mark.parametrize("step", ["mkdir", "open"])
def test_a_new_folder_that_somebody_took_for_an_abandoned_one_is_made_again(store, monkeypatch, step):
    real, taken = getattr(os, step), []

    def taken_away(path: Path, *arguments: int) -> int | None:
        done = real(path, *arguments)
        if not taken:
            taken.append(path)
            os.rmdir(path)
        return done

    monkeypatch.setattr(os, step, taken_away)

    (path,) = store.spool.inbox.new_files(1)

    assert path.exists()
    assert path.parent not in taken
