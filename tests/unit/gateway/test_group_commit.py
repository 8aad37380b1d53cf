"""Who waits together is committed together, and one bad instance spoils nobody else's answer."""

import threading
from collections.abc import Sequence

import pytest

from dicom_gateway.file_meta import Claim
from dicom_gateway.group_commit import MOST_AT_ONCE, Candidate, GroupCommit
from dicom_gateway.spool import Spool, prepare_spool
from tests.builders import CT_IMAGE_STORAGE, an_instance
from triage.errors import PermanentError, StoreUnavailable
from triage.study import ReceivedInstance, Registration

SPOILT = 3


class SlowIntake:
    """Holds its first call until it is let go; refuses the instances numbered `spoilt`."""

    def __init__(self, spoilt: Sequence[str] = (), away: bool = False) -> None:
        self.batches: list[int] = []
        self.let_go = threading.Event()
        self.entered = threading.Event()
        self._spoilt = set(spoilt)
        self._away = away

    def register_instances(self, instances: Sequence[ReceivedInstance]) -> Sequence[Registration]:
        self.batches.append(len(instances))
        self.entered.set()
        assert self.let_go.wait(30)
        if self._away:
            raise StoreUnavailable("database: away")
        if any(one.header.image.sop_instance_uid in self._spoilt for one in instances):
            raise PermanentError("spoilt")
        return [Registration.NEW for _ in instances]


def candidate(spool: Spool, number: int) -> Candidate:
    instance = an_instance(number)
    uid = instance.header.image.sop_instance_uid
    file = spool.begin(spool.new_files(), Claim(CT_IMAGE_STORAGE, uid, "1.2.840.10008.1.2.1"), instance.source)
    file.write(uid.encode())
    return Candidate(file.seal(), instance.header, instance.source)


def answers_of(intake: SlowIntake, spool: Spool, count: int) -> dict[int, object]:
    """Register the first instance alone and, while it is held, all the others; return each one's answer."""
    group, answers = GroupCommit(spool, intake), {}

    def register(number: int) -> None:
        try:
            answers[number] = group.register(candidate(spool, number))
        except (PermanentError, StoreUnavailable) as error:
            answers[number] = type(error)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(count)]
    threads[0].start()
    assert intake.entered.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(group._waiting) < count - 1:
        threading.Event().wait(0.001)
    intake.let_go.set()
    for thread in threads:
        thread.join(30)
    return answers


@pytest.fixture
def spool(tmp_path) -> Spool:
    return prepare_spool(tmp_path, 0)


def test_who_waits_while_another_commits_is_committed_at_once(spool):
    intake = SlowIntake()

    answers = answers_of(intake, spool, 9)

    assert intake.batches == [1, 8]
    assert answers == dict.fromkeys(range(9), Registration.NEW)
    assert len(list(spool.folder.rglob("*.dcm"))) == 9
    assert list(spool.folder.rglob("*.part")) == []


def test_more_than_a_batch_is_taken_in_turns(spool):
    intake = SlowIntake()

    answers = answers_of(intake, spool, MOST_AT_ONCE + 6)

    assert intake.batches == [1, MOST_AT_ONCE, 5]
    assert len(answers) == MOST_AT_ONCE + 6


def test_one_instance_that_spoils_the_transaction_fails_alone(spool):
    intake = SlowIntake(spoilt=[an_instance(SPOILT).header.image.sop_instance_uid])

    answers = answers_of(intake, spool, 6)

    assert answers == dict.fromkeys(set(range(6)) - {SPOILT}, Registration.NEW) | {SPOILT: PermanentError}


def test_a_database_that_is_away_is_asked_once_for_all(spool):
    intake = SlowIntake(away=True)

    answers = answers_of(intake, spool, 6)

    assert answers == dict.fromkeys(range(6), StoreUnavailable)
    assert intake.batches == [1, 5]
