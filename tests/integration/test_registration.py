"""Instances on a real database: registered, and their studies complete by themselves."""

import random
from dataclasses import replace

import pytest

from storage.instances import list_instances
from storage.studies import StudyRows
from tests.builders import STUDY, a_file, an_instance
from tests.integration.test_workflow import jobs, receive, the_study
from triage.completion import CompletionSignal
from triage.priority import Priority
from triage.study import Registration, StudyStatus
from triage.workflow import input_digest


def test_a_whole_series_makes_the_study_complete_before_the_quiet_period(receiving, clock, transactions, engine):
    receive(receiving, *random.Random(1).sample(range(6), 6))
    clock.forward(seconds=0.5)

    closed = receiving.close_quiet_studies()

    assert closed == (STUDY,)
    assert the_study(transactions).status is StudyStatus.COMPLETE
    assert jobs(engine) == [("triage_study", {"study_instance_uid": STUDY, "revision": 1})]


def test_a_hole_in_the_series_waits_for_the_quiet_period(receiving, clock):
    receive(receiving, 0, 1, 2, 4, 5, 6)

    clock.forward(seconds=4.9)
    too_early = receiving.close_quiet_studies()
    clock.forward(seconds=0.1)

    assert (too_early, receiving.close_quiet_studies()) == ((), (STUDY,))


def test_an_open_association_is_waited_for(receiving, clock, intake):
    intake.association_opened("a1", "CT1", "127.0.0.1")
    receive(receiving, *range(6))
    clock.forward(seconds=1)

    while_open = receiving.close_quiet_studies()
    intake.association_closed("a1", "released")

    assert (while_open, receiving.close_quiet_studies()) == ((), (STUDY,))


@pytest.mark.parametrize("outcome", ["aborted", "lost", "refused"])
def test_a_stack_whose_association_broke_off_waits_for_the_quiet_period(
    receiving, clock, transactions, intake, outcome
):
    intake.association_opened("a1", "CT1", "127.0.0.1")
    receive(receiving, *range(6))
    intake.association_closed("a1", outcome)

    clock.forward(seconds=4.9)
    too_early = receiving.close_quiet_studies()
    clock.forward(seconds=0.1)

    assert (too_early, receiving.close_quiet_studies()) == ((), (STUDY,))
    assert the_study(transactions).completed_by is CompletionSignal.QUIET_PERIOD


def test_a_stack_whose_rest_came_over_another_association_is_whole_at_once(receiving, clock, transactions, intake):
    intake.association_opened("a1", "CT1", "127.0.0.1")
    receive(receiving, *range(4))
    intake.association_closed("a1", "lost")
    intake.association_opened("a2", "CT1", "127.0.0.1")
    receive(receiving, 4, 5, association="a2")
    intake.association_closed("a2", "released")

    clock.forward(seconds=0.5)

    assert receiving.close_quiet_studies() == (STUDY,)
    assert the_study(transactions).completed_by is CompletionSignal.NEEDED_SERIES


def test_a_stack_with_fewer_images_than_they_say_waits_for_the_quiet_period(receiving, clock, transactions):
    images = [an_instance(number) for number in range(7)]
    says = [replace(one.header, image=replace(one.header.image, announced_images=7)) for one in images]
    announcing = [replace(one, header=header) for one, header in zip(images, says, strict=True)]
    receiving.register_instances(announcing[:6])
    clock.forward(seconds=4.9)

    too_early = receiving.close_quiet_studies()
    receiving.register_instances(announcing[6:])
    clock.forward(seconds=0.5)

    assert (too_early, receiving.close_quiet_studies()) == ((), (STUDY,))
    assert the_study(transactions).completed_by is CompletionSignal.NEEDED_SERIES


def test_rows_and_job_are_committed_together_or_not_at_all(receiving, clock, transactions, engine, monkeypatch):
    receive(receiving, *range(6))
    clock.forward(seconds=1)
    monkeypatch.setattr("storage.work_queue.JobRows.defer_triage", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        receiving.close_quiet_studies()

    assert (the_study(transactions).status, jobs(engine)) == (StudyStatus.RECEIVING, [])


def test_a_more_urgent_order_on_a_later_instance_raises_the_study_at_once(receiving, transactions):
    receive(receiving, 0)
    receive(receiving, 1, order_priority="STAT")

    study = the_study(transactions)

    assert (study.priority, study.order_priority) == (Priority.CRITICAL, Priority.CRITICAL)


def test_registration_tells_new_duplicate_and_conflict_apart(receiving, engine):
    answers = [receiving.register_instance(an_instance(0, content=c)) for c in ("first", "first", "other")]

    assert answers == [Registration.NEW, Registration.DUPLICATE, Registration.CONFLICT]
    assert len(list_instances(engine)) == 1


def test_the_digest_of_the_input_depends_on_contents_not_on_order(receiving, transactions):
    receive(receiving, *range(3))
    with transactions.begin() as records:
        (series,) = records.studies.series_of(STUDY)

    turned = replace(series, images=series.images[::-1], files=series.files[::-1])
    other = replace(series, files=(a_file("changed"), *series.files[1:]))

    assert input_digest(turned) == input_digest(series) != input_digest(other)


def test_what_is_stored_is_what_is_read(receiving, engine):
    receive(receiving, 0)

    with engine.begin() as connection:
        study = StudyRows(connection).get(STUDY)
        (series,) = StudyRows(connection).series_of(STUDY)

    sent = an_instance(0)
    assert study.header == sent.header.study
    assert (series.header, series.images, series.files) == (
        sent.header.series, (sent.header.image,), (sent.file,))  # fmt: skip
