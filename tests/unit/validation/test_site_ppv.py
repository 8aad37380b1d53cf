"""How often a flag was right at a site: who confirmed it, of how many, and from how many on a share is told."""

import pytest

from triage.reading import Answer
from triage.site_ppv import AnsweredFlag
from validation.feedback.site_ppv import site_ppv

YES, NO = (Answer.ACCEPT,), (Answer.REJECT,)


def flags(*answers, patients=None):
    names = patients or [f"P{number}" for number in range(len(answers))]
    return [AnsweredFlag(patient, said) for patient, said in zip(names, answers, strict=True)]


@pytest.mark.parametrize(
    ("answers", "confirmed"),
    [
        ((), None),
        ((Answer.ACCEPT,), True),
        ((Answer.REJECT,), False),
        ((Answer.MODIFY,), True),
        ((Answer.ACCEPT, Answer.MODIFY), True),
        ((Answer.ACCEPT, Answer.REJECT), None),
        ((Answer.REJECT, Answer.REJECT), False),
    ],
)
def test_a_flag_is_confirmed_when_all_who_answered_say_that_the_finding_is_there(answers, confirmed):
    assert flags(answers)[0].confirmed is confirmed


def test_the_share_is_that_of_the_answered_flags_with_the_exact_interval():
    found = site_ppv(flags(*[YES] * 41, *[NO] * 11, *[()] * 8), days=180)

    assert (found.flagged, found.answered, found.confirmed) == (60, 52, 41)
    assert found.value == pytest.approx(41 / 52)
    # The 2.5 % quantile of Beta(41, 12) and the 97.5 % quantile of Beta(42, 11).
    assert found.interval == pytest.approx((0.6530, 0.8894), abs=5e-5)


def test_below_ten_answered_flags_no_share_is_told():
    few, enough = (site_ppv(flags(*[YES] * count, NO, *[()] * 30), days=180) for count in (8, 9))

    assert (few.answered, few.fewest_answered, few.value, few.interval) == (9, 10, None, None)
    assert (enough.answered, enough.value) == (10, 0.9)


def test_studies_of_one_patient_count_for_less_than_those_of_several():
    answers = [*[YES] * 8, *[NO] * 4]
    apart = site_ppv(flags(*answers), days=180)
    together = site_ppv(flags(*answers, patients=[f"P{number // 4}" for number in range(12)]), days=180)

    assert together.value == apart.value
    assert together.interval[0] < apart.interval[0]
    assert together.interval[1] > apart.interval[1]


def test_where_nothing_was_flagged_nothing_is_told():
    found = site_ppv([], days=180)

    assert (found.flagged, found.answered, found.confirmed, found.value) == (0, 0, 0, None)
