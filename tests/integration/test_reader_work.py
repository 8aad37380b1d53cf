"""Readers at work on a real database: claims, readings, verdicts, overrides, undoing, and the audit of it all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from storage.audit import AuditTrail
from storage.database import DatabaseTransactions
from storage.worklist_rows import WorklistReader
from tests.browser.department import HAEMORRHAGE, ICH, Said
from tests.builders import FrozenClock
from triage.audit import Actor, verified
from triage.errors import ActNotPossible, NotPermitted, TakenByAnother, UnknownStudy
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority, TargetTimes
from triage.reader_work import ReaderWork
from triage.reading import ActKind, Answer, Exposure, Reading, due_at, is_open, listed_band
from triage.study import SeriesHeader, StudyHeader
from worklist.ports import ListFilter

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm")
JANE = StudyHeader("", patient_name="Doe^Jane")
ANN, BOB = Actor("ann", "reader"), Actor("bob", "reader")
LEA = Actor("lea", "lead", leads=True)


@pytest.fixture
def clock():
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def work(engine, clock):
    return ReaderWork(DatabaseTransactions(engine), clock, TargetTimes())


@pytest.fixture
def reader(engine):
    return WorklistReader(engine)


@pytest.fixture
def flagged(department):
    uid = department.receives(JANE, CT, minutes_ago=5)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uid


@pytest.fixture
def unflagged(department):
    uid = department.receives(JANE, CT, minutes_ago=3)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.02))
    return uid


def row_of(reader, uid):
    return reader.detail(uid).row


def test_one_reader_at_a_time_has_a_study(work, reader, clock, flagged):
    work.claim(flagged, ANN)

    assert row_of(reader, flagged).work.claim.reader == "ann"
    with pytest.raises(TakenByAnother, match="ann has the study"):
        work.claim(flagged, BOB)
    work.claim(flagged, LEA)
    assert row_of(reader, flagged).work.claim.reader == "lea"


def test_two_readers_who_claim_at_once_do_not_both_get_the_study(work, flagged):
    def attempt(actor):
        try:
            return work.claim(flagged, actor).reader
        except TakenByAnother:
            return None

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(attempt, [Actor(f"reader {number}", "reader") for number in range(8)]))

    assert sum(one is not None for one in got) == 1


def test_a_lease_ends_and_the_list_hears_of_it(work, reader, clock, flagged, engine):
    work.claim(flagged, ANN)
    before = reader.page(ListFilter()).change_id

    assert work.end_what_expired() == 0
    clock.forward(minutes=15)
    assert work.end_what_expired() == 1

    assert row_of(reader, flagged).work.claim is None
    assert reader.page(ListFilter()).change_id > before
    assert work.end_what_expired() == 0
    assert work.claim(flagged, BOB).reader == "bob"


def test_a_read_study_leaves_the_open_list_and_undoing_brings_it_back(work, reader, flagged, unflagged):
    read = work.mark_read(flagged, ANN)

    def listed(which):
        return [row.study.study_instance_uid for row in reader.page(ListFilter(reading=which)).rows]

    assert (listed(Reading.OPEN), listed(Reading.READ)) == ([unflagged], [flagged])
    assert set(listed(Reading.ALL)) == {flagged, unflagged}
    with pytest.raises(ActNotPossible, match="has been read"):
        work.mark_read(flagged, BOB)
    undone = work.undo(flagged, ANN)
    assert (undone.kind, undone.undoes) == (ActKind.UNDO, read.number)
    assert flagged in listed(Reading.OPEN)


def test_a_study_whose_images_still_arrive_cannot_be_read(work, department):
    uid = department.receives(JANE, CT)

    with pytest.raises(ActNotPossible, match="images still arrive"):
        work.mark_read(uid, ANN)


def test_a_study_that_was_read_before_the_ai_flagged_it_comes_back(work, reader, department):
    uid = department.receives(JANE, CT)
    department.completes(uid)
    work.mark_read(uid, ANN)
    assert not row_of(reader, uid).is_open

    with_later_flag = "UPDATE studies SET ai_state = 'analysed_flagged', triaged_at = now() + interval '1 minute'"
    with work.transactions.begin() as records:
        records.studies.connection.execute(text(with_later_flag))

    assert row_of(reader, uid).is_open


def test_the_rules_of_the_database_are_the_rules_of_the_domain(work, reader, department, flagged, unflagged):
    work.reprioritise(unflagged, ANN, Priority.URGENT, "called", timedelta(hours=2))
    work.reprioritise(flagged, LEA, Priority.ROUTINE, "known from last week", timedelta(hours=2))
    raised_later = department.receives(JANE, CT)
    department.completes(raised_later)
    work.reprioritise(raised_later, ANN, Priority.URGENT, "unstable", timedelta(hours=2))
    work.mark_read(raised_later, ANN)
    department.fails_again(flagged, "cannot be decoded")

    for row in reader.page(ListFilter()).rows:
        study, override = row.study, row.work.override
        assert row.listed_band is listed_band(study, override)
        assert row.due_at == due_at(study, override, TargetTimes())
        assert row.is_open == is_open(study, row.work.closing)
    assert {row.listed_band for row in reader.page(ListFilter()).rows} == {Priority.URGENT, Priority.ROUTINE}


def test_an_override_moves_the_study_for_its_time_and_only_who_leads_lowers(work, reader, clock, flagged, unflagged):
    work.reprioritise(unflagged, ANN, Priority.CRITICAL, "patient unstable", timedelta(hours=1))
    row = row_of(reader, unflagged)
    assert (row.listed_band, row.as_object()["priority"]) == (Priority.CRITICAL, "CRITICAL")
    assert row.due_at == row.study.received_at + timedelta(minutes=15)
    with pytest.raises(NotPermitted):
        work.reprioritise(flagged, ANN, Priority.ROUTINE, "no", timedelta(hours=1))
    for reason, lasts in (("", timedelta(hours=1)), ("x", timedelta(hours=25)), ("x", timedelta(0))):
        with pytest.raises(ActNotPossible):
            work.reprioritise(unflagged, ANN, Priority.CRITICAL, reason, lasts)

    clock.forward(hours=1)
    work.end_what_expired()

    assert row_of(reader, unflagged).listed_band is Priority.ROUTINE
    with pytest.raises(ActNotPossible):
        work.restore_order(unflagged, ANN)


def test_verdicts_notes_and_undoing_are_kept_with_what_they_answer(work, reader, flagged):
    work.answer(flagged, ANN, Answer.REJECT, Exposure.LOCATIONS, "artefact")
    work.write_note(flagged, ANN, "compare with last week")
    work.undo(flagged, ANN)

    verdict, note, undo = reader.detail(flagged).acts
    assert (verdict.verdict.answer, verdict.verdict.code, verdict.verdict.model) == (Answer.REJECT, HAEMORRHAGE, ICH)
    assert (verdict.note, note.note, undo.undoes) == ("artefact", "compare with last week", note.number)
    with pytest.raises(NotPermitted):
        work.undo(flagged, BOB, verdict.number)
    with pytest.raises(ActNotPossible):
        work.undo(flagged, BOB)
    with pytest.raises(ActNotPossible, match="no such finding"):
        work.answer(flagged, ANN, Answer.ACCEPT, Exposure.ROW, "", about="other 1")
    work.undo(flagged, LEA, verdict.number)
    with pytest.raises(ActNotPossible):
        work.undo(flagged, LEA, verdict.number)


def test_an_unknown_study_is_no_study_to_work_on(work):
    with pytest.raises(UnknownStudy):
        work.claim(StudyInstanceUid("1.2.3"), ANN)


def test_every_act_is_in_the_audit_without_its_text_and_the_chain_is_whole(work, engine, flagged):
    work.claim(flagged, ANN)
    work.answer(flagged, ANN, Answer.ACCEPT, Exposure.IMAGES, "Mrs Doe is known")
    work.mark_read(flagged, ANN)

    records = list(AuditTrail(engine).every())
    assert [one.event.action.value for one in records] == ["claimed", "verdict_given", "read"]
    assert records[1].event.details["model"] == "ich-ct 1.0.0"
    assert "Doe" not in str(records)
    assert verified(records).is_whole


def test_events_written_at_once_form_one_chain(work, engine, department):
    uids = [department.receives(JANE, CT) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda uid: [work.claim(uid, ANN), work.release(uid, ANN)], uids))

    found = verified(AuditTrail(engine).every())
    assert (found.links, found.fault) == (12, "")


@pytest.mark.parametrize("statement", ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["audit_events", "reading_acts"])
def test_the_database_refuses_to_change_what_was_kept(work, engine, flagged, statement, table):
    work.claim(flagged, ANN)

    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_what_somebody_changed_behind_the_refusal_is_found(work, engine, flagged):
    work.claim(flagged, ANN)
    work.release(flagged, ANN)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER append_only"))
        connection.execute(text("UPDATE audit_events SET actor = 'bob' WHERE number = 1"))

    assert verified(AuditTrail(engine).every()).fault == "link 1 was changed after it was sealed"
