"""What follows from readers' acts: who has a study, whether it is open, and which band the list shows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import HAEMORRHAGE, MODEL, MORNING, STUDY, an_analysis
from triage.audit import Actor
from triage.errors import ActNotPossible, NotPermitted, TakenByAnother
from triage.findings import AiState
from triage.priority import Priority, TargetTimes
from triage.reading import (
    LEASE,
    Act,
    ActKind,
    Answer,
    Claim,
    Closing,
    Exposure,
    Override,
    Verdict,
    Work,
    due_at,
    is_open,
    listed_band,
    require_band,
    require_free,
    standing_verdicts,
    verdict_on,
    work_after,
)
from triage.study import Study, StudyHeader, StudyStatus

ANN, LEAD = Actor("ann", "reader"), Actor("lea", "lead", leads=True)
LATER = MORNING + timedelta(hours=1)
ROUTINE_STUDY = Study(
    study_instance_uid=STUDY,
    header=StudyHeader(STUDY),
    status=StudyStatus.TRIAGED,
    revision=1,
    order_priority=Priority.ROUTINE,
    priority=Priority.ROUTINE,
    ai_state=AiState.ANALYSED_NO_FLAG,
    reason="",
    received_at=MORNING,
    last_instance_at=MORNING,
    deadline=MORNING + timedelta(minutes=240),
    triaged_at=MORNING,
)


def an_act(kind, number, reader="ann", **content):
    return Act(STUDY, 1, reader, kind, MORNING, number, **content)


def a_claim(number, reader="ann"):
    return an_act(ActKind.CLAIM, number, reader, until=MORNING + LEASE)


def an_override(band=Priority.URGENT, base=Priority.ROUTINE):
    return Override(band, base, "called", "ann", LATER)


def test_a_claim_lasts_until_its_lease_ends():
    acts = [a_claim(1)]

    assert work_after(acts, MORNING).claim == Claim("ann", MORNING + LEASE)
    assert work_after(acts, MORNING + LEASE).claim is None


def test_an_undone_release_gives_the_claim_back_unless_another_has_claimed():
    released = [a_claim(1), an_act(ActKind.RELEASE, 2), an_act(ActKind.UNDO, 3, undoes=2)]

    assert work_after(released, MORNING).claim.reader == "ann"
    assert work_after([*released, a_claim(4, "bob")], MORNING).claim.reader == "bob"


def test_an_undone_reading_opens_the_study_again():
    read = [an_act(ActKind.READ, 1)]

    assert work_after(read, LATER).closing == Closing("ann", MORNING, 1)
    assert work_after([*read, an_act(ActKind.UNDO, 2, undoes=1)], LATER) == Work()


def test_an_override_ends_by_time_by_hand_and_by_undoing():
    until = MORNING + timedelta(hours=2)
    override = an_act(ActKind.REPRIORITISE, 1, band=Priority.CRITICAL, base=Priority.ROUTINE, until=until, note="seen")

    assert work_after([override], MORNING).override.band is Priority.CRITICAL
    assert work_after([override], until).override is None
    assert work_after([override, an_act(ActKind.RESTORE_ORDER, 2)], MORNING).override is None
    assert work_after([override, an_act(ActKind.UNDO, 2, undoes=1)], MORNING).override is None


def test_a_read_study_comes_back_with_more_images_and_with_a_later_flag():
    read_at_one = Closing("ann", MORNING, 1)
    flagged_later = replace(ROUTINE_STUDY, ai_state=AiState.ANALYSED_FLAGGED, triaged_at=LATER)

    assert not is_open(ROUTINE_STUDY, read_at_one)
    assert is_open(replace(ROUTINE_STUDY, revision=2), read_at_one)
    assert is_open(flagged_later, read_at_one)
    assert not is_open(flagged_later, Closing("ann", LATER, 1))
    assert not is_open(replace(flagged_later, ai_state=AiState.ANALYSED_NO_FLAG), read_at_one)


def test_a_person_may_lower_a_study_but_a_later_flag_is_not_held_back():
    lowered = an_override(Priority.ROUTINE, base=Priority.URGENT)
    urgent = replace(ROUTINE_STUDY, priority=Priority.URGENT, deadline=MORNING + timedelta(minutes=60))
    flagged = replace(urgent, priority=Priority.CRITICAL, deadline=MORNING + timedelta(minutes=15))

    assert listed_band(urgent, lowered) is Priority.ROUTINE
    assert due_at(urgent, lowered, TargetTimes()) == MORNING + timedelta(minutes=240)
    assert listed_band(flagged, lowered) is Priority.CRITICAL
    assert due_at(flagged, lowered, TargetTimes()) == MORNING + timedelta(minutes=15)


def test_without_an_override_the_list_shows_the_study_as_it_is():
    assert listed_band(ROUTINE_STUDY, None) is Priority.ROUTINE
    assert due_at(ROUTINE_STUDY, None, TargetTimes()) == ROUTINE_STUDY.deadline


def test_who_leads_may_act_over_others_and_lower_a_priority():
    bobs = Work(claim=Claim("bob", LATER))

    require_free(bobs, LEAD)
    require_free(Work(claim=Claim("ann", LATER)), ANN)
    with pytest.raises(TakenByAnother, match="bob has the study"):
        require_free(bobs, ANN)
    require_band(ROUTINE_STUDY, Priority.CRITICAL, ANN)
    urgent = replace(ROUTINE_STUDY, priority=Priority.URGENT)
    require_band(urgent, Priority.ROUTINE, LEAD)
    with pytest.raises(NotPermitted, match="URGENT down to ROUTINE"):
        require_band(urgent, Priority.ROUTINE, ANN)


def test_a_verdict_names_the_finding_and_the_model_that_it_answers():
    findings = an_analysis(0.9).findings

    verdict = verdict_on(findings, Answer.REJECT, Exposure.IMAGES, None)

    assert verdict == Verdict(Answer.REJECT, Exposure.IMAGES, HAEMORRHAGE, MODEL)


@pytest.mark.parametrize(
    ("answer", "probability", "regions", "needed"),
    [
        (Answer.REJECT, 0.1, True, "no flag"),
        (Answer.MODIFY, 0.1, True, "no flag"),
        (Answer.MODIFY, 0.9, False, "no place"),
    ],
)
def test_what_the_ai_did_not_say_cannot_be_answered(answer, probability, regions, needed):
    (finding,) = an_analysis(probability).findings
    finding = finding if regions else replace(finding, regions=())

    with pytest.raises(ActNotPossible, match=needed):
        verdict_on([finding], answer, Exposure.ROW, None)


def test_a_missed_finding_can_be_told_of_every_study_and_agreement_needs_an_answer():
    assert verdict_on([], Answer.ADD, Exposure.ROW, None) == Verdict(Answer.ADD, Exposure.ROW)
    with pytest.raises(ActNotPossible, match="no model has answered"):
        verdict_on([], Answer.ACCEPT, Exposure.ROW, None)


def test_of_one_readers_verdicts_on_a_finding_the_newest_counts_and_missed_ones_add_up():
    agreed = Verdict(Answer.ACCEPT, Exposure.ROW, HAEMORRHAGE, MODEL)
    rejected, missed = replace(agreed, answer=Answer.REJECT), Verdict(Answer.ADD, Exposure.ROW)
    said = [(1, "ann", agreed), (2, "bob", agreed), (3, "ann", rejected), (4, "ann", missed), (5, "ann", missed)]
    acts = [an_act(ActKind.VERDICT, number, reader, verdict=verdict) for number, reader, verdict in said]

    assert [act.number for act in standing_verdicts(acts)] == [2, 3, 4, 5]
    undone = [*acts, an_act(ActKind.UNDO, 6, undoes=3)]
    assert [act.number for act in standing_verdicts(undone)] == [1, 2, 4, 5]
