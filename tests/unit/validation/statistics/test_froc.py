"""FROC by hand: what is a hit, how the curve is read, what no mark and no lesion mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.statistics.froc import RATES, Lesion, Mark, cpm_interval, froc, match


def lesion(case, x=0.0, radius=2.0):
    return Lesion(case, (x, 0.0, 0.0), radius)


def mark(case, x, score):
    return Mark(case, (x, 0.0, 0.0), score)


CASES = [str(number) for number in range(8)]


def test_the_curve_is_the_hand_calculation():
    # 8 cases, 4 lesions. By score: hit .9, false .8, hit .7, false .6, false .5, hit .4; the fourth lesion is missed.
    # False positives per case 0 -> 1/4, 1/8 -> 2/4, 2/8 -> 2/4, 3/8 -> 3/4 and level from there.
    marks = [mark("0", 0, 0.9), mark("0", 9, 0.8), mark("1", 1, 0.7), mark("1", 9, 0.6), mark("7", 0, 0.5),
             mark("2", 2, 0.4)]  # fmt: skip

    found = froc(match(CASES, [lesion(case) for case in "0123"], marks))

    assert found.sensitivities == pytest.approx((2 / 4, 2 / 4, 3 / 4, 3 / 4, 3 / 4, 3 / 4, 3 / 4))
    assert found.cpm == pytest.approx((2 * 2 / 4 + 5 * 3 / 4) / 7)
    # Precision at the hits: 1, 2/3, 3/6; each adds a quarter of the lesions.
    assert found.ap == pytest.approx((1 + 2 / 3 + 1 / 2) / 4)
    assert (found.n_cases, found.n_lesions, found.n_hit, found.n_false_positives) == (8, 4, 3, 3)


def test_the_border_of_a_lesion_belongs_to_it():
    assert froc(match(["0"], [lesion("0")], [mark("0", 2.0, 1)])).n_hit == 1
    assert froc(match(["0"], [lesion("0")], [mark("0", 2.0001, 1)])).n_hit == 0


def test_a_mark_in_another_case_is_no_hit():
    found = froc(match(["0", "1"], [lesion("0")], [mark("1", 0, 1)]))

    assert (found.n_hit, found.n_false_positives) == (0, 1)


def test_further_hits_on_a_lesion_count_as_neither():
    once = froc(match(["0"], [lesion("0")], [mark("0", 0, 0.5)]))
    often = froc(match(["0"], [lesion("0")], [mark("0", 1, 0.3), mark("0", 0, 0.5), mark("0", -1, 0.4)]))

    assert often == once


def test_a_mark_between_two_lesions_finds_both():
    found = froc(match(["0"], [lesion("0", 0), lesion("0", 3)], [mark("0", 1.5, 0.5)]))

    assert (found.n_hit, found.n_false_positives, found.cpm) == (2, 0, 1.0)


def test_a_tie_of_hit_and_false_positive_is_a_straight_line():
    # One case: from (0, 0) to (1, 1) at one score: at a rate below 1 the sensitivity is the rate.
    found = froc(match(["0"], [lesion("0")], [mark("0", 0, 0.5), mark("0", 9, 0.5)]))

    assert found.sensitivities == pytest.approx((0.125, 0.25, 0.5, 1, 1, 1, 1))


def test_without_marks_nothing_is_found():
    found = froc(match(CASES, [lesion("0")], []))

    assert (found.cpm, found.ap, found.sensitivities) == (0.0, 0.0, (0.0,) * 7)
    assert cpm_interval(match(CASES, [lesion("0")], []), 1, 50) == (0.0, 0.0)


def test_without_lesions_there_is_no_sensitivity():
    matched = match(CASES, [], [mark("0", 0, 0.5)])

    assert (froc(matched).cpm, froc(matched).ap, froc(matched).n_false_positives) == (None, None, 1)
    assert cpm_interval(matched, 1, 50) is None


def test_a_case_without_anything_makes_false_positives_rarer():
    marks = [mark("0", 9, 0.9), mark("0", 0, 0.5)]

    few, many = (froc(match(CASES[:n], [lesion("0")], marks)) for n in (1, 8))

    assert few.sensitivities[:3] == (0.0, 0.0, 0.0)
    assert many.sensitivities[0] == 1.0


def test_the_bootstrap_is_reproducible_and_holds_the_figure():
    random = np.random.default_rng(1)
    lesions = [lesion(case, 10.0 * number) for case in CASES for number in range(3)]
    marks = [mark(case, 10.0 * int(random.integers(0, 6)), float(random.random())) for case in CASES for _ in range(4)]
    matched = match(CASES, lesions, marks)

    low, high = cpm_interval(matched, 5, 500)

    assert (low, high) == cpm_interval(matched, 5, 500)
    assert low <= froc(matched).cpm <= high


spots = st.lists(st.tuples(st.sampled_from(CASES), st.integers(0, 12), st.integers(0, 5)), max_size=25)


@settings(deadline=None)
@given(spots)
def test_only_the_order_of_scores_and_not_that_of_rows_matters(found):
    lesions = [lesion(case, 4.0 * number) for case in "012" for number in range(2)]
    marks = [mark(case, x, score) for case, x, score in found]
    bent = [mark(case, x, float(np.exp(score) - 9)) for case, x, score in reversed(found)]

    assert froc(match(CASES, lesions, bent)) == froc(match(CASES, lesions, marks))


@settings(deadline=None)
@given(spots)
def test_the_curve_rises_and_is_that_of_every_threshold(found):
    lesions = [lesion(case, 4.0 * number) for case in "012" for number in range(2)]
    marks = [mark(case, x, score) for case, x, score in found]

    sensitivities = froc(match(CASES, lesions, marks)).sensitivities

    assert list(sensitivities) == sorted(sensitivities)
    for threshold in range(6):
        kept = [one for one in marks if one.score >= threshold]
        hit = {one for one in lesions for m in kept if m.case == one.case and abs(m.place[0] - one.centre[0]) <= 2}
        false = [m for m in kept if not any(m.case == o.case and abs(m.place[0] - o.centre[0]) <= 2 for o in lesions)]
        for rate, sensitivity in zip(RATES, sensitivities, strict=True):
            if len(false) / len(CASES) <= rate:
                assert sensitivity >= len(hit) / len(lesions) - 1e-12
