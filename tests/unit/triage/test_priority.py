"""Bands, deadlines and the one order of the list."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MORNING
from tests.unit.triage.test_study import a_study
from triage.findings import AiState
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority, TargetTimes, deadline, from_order, most_urgent
from triage.reading_order import reading_key, reason_for

CRITICAL, URGENT, ROUTINE = Priority
bands = st.sampled_from(Priority)


def test_the_words_of_an_order_become_bands():
    words = ["STAT", "high", "ROUTINE", "MEDIUM", "LOW", "", "yesterday"]

    assert [from_order(word) for word in words] == [CRITICAL, URGENT, ROUTINE, ROUTINE, ROUTINE, ROUTINE, ROUTINE]


@given(bands, bands)
def test_ai_never_lowers_what_the_order_asks_for(order, ai):
    assert most_urgent(order, ai) <= order


def test_the_deadline_is_the_arrival_plus_the_target_of_the_band():
    targets = TargetTimes()

    minutes = [(deadline(MORNING, band, targets) - MORNING).total_seconds() / 60 for band in Priority]

    assert minutes == [15, 60, 240]


def test_an_old_routine_study_overtakes_a_young_urgent_one():
    # Routine, arrived 3 h 30 min ago: due in 30 min. Urgent, arrived now: due in 60 min.
    old = replace(a_study(), received_at=MORNING - timedelta(minutes=210), deadline=MORNING + timedelta(minutes=30))
    young = replace(a_study(), priority=URGENT, deadline=MORNING + timedelta(minutes=60))

    assert sorted([young, old], key=reading_key) == [old, young]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.uuids()), unique=True, max_size=30))
def test_the_order_is_total_and_does_not_depend_on_where_rows_come_from(rows):
    studies = [
        replace(
            a_study(),
            study_instance_uid=StudyInstanceUid(str(uid)),
            received_at=MORNING + timedelta(minutes=arrival),
            deadline=MORNING + timedelta(minutes=due),
        )
        for arrival, due, uid in rows
    ]

    by_uid = sorted(studies, key=lambda study: study.study_instance_uid)

    assert sorted(studies, key=reading_key) == sorted(by_uid, key=reading_key)


@given(st.integers(0, 10_000), bands)
def test_no_study_waits_behind_later_arrivals_for_longer_than_its_target(minutes_later, band):
    targets = TargetTimes()
    routine = deadline(MORNING, ROUTINE, targets)
    newcomer = deadline(MORNING + timedelta(minutes=minutes_later), band, targets)

    if minutes_later >= 240:
        assert routine <= newcomer


def test_the_sentence_never_calls_a_study_normal():
    sentences = [reason_for(ROUTINE, "", state, "ct-head-haemorrhage 0.1.0") for state in AiState]

    assert not any("normal" in sentence or "negative" in sentence for sentence in sentences)
    assert len(set(sentences)) == len(AiState)


def test_an_urgent_order_is_part_of_the_sentence():
    assert reason_for(CRITICAL, "stat", AiState.PENDING, "") == "waiting for analysis; order STAT"
