"""The status table, pair by pair."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from tests.builders import MORNING, STUDY
from triage.errors import StatusNotAllowed
from triage.findings import AiState
from triage.priority import Priority
from triage.study import ALLOWED, Study, StudyHeader, StudyStatus

RECEIVING, COMPLETE, TRIAGED, DELIVERED, NEEDS_ATTENTION = StudyStatus
PERMITTED = {
    (RECEIVING, COMPLETE),
    (COMPLETE, TRIAGED),
    (TRIAGED, DELIVERED),
    (COMPLETE, RECEIVING),
    (TRIAGED, RECEIVING),
    (DELIVERED, RECEIVING),
    (NEEDS_ATTENTION, RECEIVING),
    (NEEDS_ATTENTION, COMPLETE),
    (RECEIVING, NEEDS_ATTENTION),
    (COMPLETE, NEEDS_ATTENTION),
    (TRIAGED, NEEDS_ATTENTION),
    (DELIVERED, NEEDS_ATTENTION),
}


def a_study(status: StudyStatus = RECEIVING) -> Study:
    return Study(
        STUDY, StudyHeader(STUDY), status, 1, Priority.ROUTINE, Priority.ROUTINE, AiState.PENDING, "", MORNING, MORNING,
        MORNING + timedelta(hours=4),
    )  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(product(StudyStatus, StudyStatus)))
def test_a_study_moves_only_where_the_design_lets_it(before, after):
    study = a_study(before)

    if (before, after) in PERMITTED:
        assert study.moved_to(after).status is after
    else:
        with pytest.raises(StatusNotAllowed, match=f"{before} cannot become {after}"):
            study.moved_to(after)


def test_the_table_names_every_status():
    assert set(ALLOWED) == set(StudyStatus)


@pytest.mark.parametrize("status", [COMPLETE, TRIAGED, DELIVERED, NEEDS_ATTENTION])
def test_a_late_instance_opens_the_next_revision(status):
    study = replace(a_study(status), delivered_at=MORNING)

    reopened = study.with_late_instance(MORNING + timedelta(seconds=9))

    assert (reopened.status, reopened.revision) == (RECEIVING, 2)
    assert reopened.last_instance_at == MORNING + timedelta(seconds=9)
    assert reopened.delivered_at is None


def test_a_further_instance_of_a_study_being_received_keeps_its_revision():
    study = a_study().with_late_instance(MORNING + timedelta(seconds=1))

    assert (study.status, study.revision) == (RECEIVING, 1)
