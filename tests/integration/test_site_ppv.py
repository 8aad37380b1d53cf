"""The site's own PPV, counted from the rows of a real database, and told with each finding of a study."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from deploy.site_ppvs import COUNT_IS_KEPT, SitePpvs
from storage.answered_flags import answered_flags
from storage.database import DatabaseTransactions
from tests.browser.conftest import worklist as worklist
from tests.browser.department import COLLAPSED_LUNG, HAEMORRHAGE, ICH, PASSWORD, PNEUMOTHORAX, Said
from tests.builders import FrozenClock
from triage.audit import Actor
from triage.findings import Finding
from triage.priority import Priority, TargetTimes
from triage.reader_work import ReaderWork
from triage.reading import Answer, Exposure
from triage.site_ppv import AnsweredFlag
from triage.study import SeriesHeader, StudyHeader

CT = SeriesHeader("", "CT", "HEAD")
MARY = StudyHeader("", institution_name="St Mary")
ANN, BOB = Actor("ann", "reader"), Actor("bob", "reader")
FLAG = Said(ICH, HAEMORRHAGE, 0.91)
FINDING = Finding(HAEMORRHAGE, 0.91, 0.52, "balanced", Priority.CRITICAL, ICH)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def work(engine, clock):
    return ReaderWork(DatabaseTransactions(engine), clock, TargetTimes())


def a_flag(department, header=MARY, said=FLAG, minutes_ago=5.0):
    uid = department.receives(header, CT, minutes_ago)
    department.answers(uid, said)
    return uid


def says(work, uid, answer, reader=ANN):
    return work.answer(uid, reader, answer, Exposure.ROW, note="")


def flags(engine, finding=FINDING, site="St Mary", since=LONG_AGO):
    return answered_flags(engine, finding, site, since)


def test_the_newest_answer_of_each_reader_that_was_not_taken_back_counts(engine, department, work):
    uid = a_flag(department)
    says(work, uid, Answer.REJECT)
    says(work, uid, Answer.ACCEPT)
    says(work, uid, Answer.MODIFY, BOB)
    work.undo(uid, BOB, says(work, uid, Answer.REJECT, BOB).number)

    (flag,) = flags(engine)

    assert (flag.patient, sorted(flag.answers)) == (uid, [Answer.ACCEPT, Answer.MODIFY])


def test_a_flag_without_an_answer_is_there_and_a_study_without_a_flag_is_not(engine, department, work):
    a_flag(department, replace(MARY, patient_id="4711"))
    unflagged = a_flag(department, said=replace(FLAG, probability=0.1))
    says(work, unflagged, Answer.ACCEPT)
    says(work, unflagged, Answer.ADD)

    assert flags(engine) == [AnsweredFlag("4711")]


def test_an_answer_to_another_version_of_the_model_is_none_to_this_one(engine, department, work):
    uid = a_flag(department)
    says(work, uid, Answer.ACCEPT)
    newer = replace(ICH, version="1.1.0", digest="aa" * 32)
    department.answers_again(uid, replace(FLAG, model=newer))

    assert flags(engine) == [AnsweredFlag(uid, (Answer.ACCEPT,))]
    assert flags(engine, replace(FINDING, model=newer)) == [AnsweredFlag(uid)]


def test_a_flag_that_a_later_analysis_took_away_does_not_count(engine, department, work):
    uid = a_flag(department)
    says(work, uid, Answer.REJECT)
    department.answers_again(uid, replace(FLAG, probability=0.1))
    department.answers_again(uid, replace(FLAG, model=PNEUMOTHORAX, code=COLLAPSED_LUNG))

    assert flags(engine) == []
    assert flags(engine, replace(FINDING, model=PNEUMOTHORAX, code=COLLAPSED_LUNG)) == [AnsweredFlag(uid)]
    assert flags(engine, replace(FINDING, model=PNEUMOTHORAX)) == []


def test_studies_that_came_before_the_window_are_not_counted(engine, department):
    a_flag(department, minutes_ago=120)
    a_flag(department, minutes_ago=5)

    assert len(flags(engine, since=datetime.now(UTC) - timedelta(hours=1))) == 1


def test_each_site_has_its_own_share_and_it_is_counted_anew_after_a_while(engine, department, work, clock):
    mary = [a_flag(department) for _ in range(10)]
    a_flag(department, replace(MARY, institution_name="St John"))
    for number, uid in enumerate(mary):
        says(work, uid, Answer.REJECT if number < 2 else Answer.ACCEPT)
    ppvs = SitePpvs(engine, clock)

    at_mary, at_john = ppvs.of(FINDING, "St Mary"), ppvs.of(FINDING, "St John")
    says(work, mary[0], Answer.ACCEPT)
    kept = ppvs.of(FINDING, "St Mary")
    clock.forward(seconds=COUNT_IS_KEPT.total_seconds() + 1)
    anew = ppvs.of(FINDING, "St Mary")

    assert (at_mary.flagged, at_mary.answered, at_mary.confirmed, at_mary.value) == (10, 10, 8, 0.8)
    assert (at_john.flagged, at_john.answered, at_john.value) == (1, 0, None)
    assert (kept.confirmed, anew.confirmed) == (8, 9)
    assert ppvs.of(FINDING, "nowhere").flagged == 0


def test_the_study_tells_it_with_each_finding(worklist, engine, work):
    uids = [a_flag(worklist.department) for _ in range(10)]
    for number, uid in enumerate(uids):
        says(work, uid, Answer.REJECT if number < 2 else Answer.ACCEPT)

    with httpx.Client(base_url=worklist.url, headers={"Origin": worklist.url}) as client:
        client.post("/api/v1/session", json={"name": "admin", "password": PASSWORD}).raise_for_status()
        (finding,) = client.get(f"/api/v1/studies/{uids[0]}").json()["findings"]

    low, high = finding["site_ppv"].pop("ci95")
    assert finding["site_ppv"] == {
        "days": 180, "fewest_answered": 10, "flagged": 10, "answered": 10, "confirmed": 8, "ppv": 0.8,
    }  # fmt: skip
    assert (round(low, 3), round(high, 3)) == (0.444, 0.975)  # 8 of 10 after Clopper and Pearson
