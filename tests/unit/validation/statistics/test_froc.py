"""FROC by hand: what is a hit, how the curve is read, what no mark and no lesion mean."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.statistics.bootstrap import BLOCK
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


def several_patients():
    """Return 9 images of 4 patients, 1 to 4 each, with up to 3 lesions and 6 marks each, many scores tied."""
    random = np.random.default_rng(11)
    owners = [0, 0, 0, 0, 1, 2, 2, 3, 3]
    cases = [f"image {number}" for number in range(len(owners))]
    lesions, marks = [], []
    for case in cases:
        own = [
            Lesion(case, tuple(random.uniform(0, 20, 3)), float(random.uniform(2, 6)))
            for _ in range(random.integers(4))
        ]
        near = [Mark(case, tuple(np.array(one.centre) + random.normal(0, 2, 3)), round(float(random.random()), 1))
                for one in own for _ in range(random.integers(3))]  # fmt: skip
        astray = [Mark(case, tuple(random.uniform(0, 60, 3)), round(float(random.random()), 1)) for _ in range(2)]
        lesions, marks = lesions + own, marks + near + astray
    return cases, np.array(owners), lesions, marks


def cpm_in_loops(cases, lesions, marks):
    """Return CPM, threshold by threshold; the same case may come several times."""
    points = [(0.0, 0.0)]
    for threshold in sorted({one.score for one in marks}, reverse=True):
        found = false = 0
        for case in cases:
            called = [one for one in marks if one.case == case and one.score >= threshold]
            there = [one for one in lesions if one.case == case]
            found += sum(any(math.dist(m.place, one.centre) <= one.radius for m in called) for one in there)
            false += sum(all(math.dist(m.place, one.centre) > one.radius for one in there) for m in called)
        points.append((false / len(cases), found / sum(one.case == case for case in cases for one in lesions)))
    heights = []
    for rate in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8):
        before = [point for point in points if point[0] <= rate][-1]
        after = next((point for point in points if point[0] > rate), None)
        if after is None:
            heights.append(before[1])
        else:
            part = (rate - before[0]) / (after[0] - before[0])
            heights.append(before[1] + part * (after[1] - before[1]))
    return sum(heights) / len(heights)


@pytest.mark.parametrize("by_patient", [True, False])
def test_the_bootstrap_is_that_of_straight_loops_over_samples_of_whole_patients_or_cases(by_patient):
    cases, owners, lesions, marks = several_patients()
    groups = owners if by_patient else np.arange(len(cases))
    size, draws = len(set(groups)), 60
    drawn = np.random.default_rng(5).integers(0, size, (BLOCK, size))
    with_lesion = {one.case for one in lesions}
    samples = [
        [case for group in row for case, own in zip(cases, groups, strict=True) if own == group] for row in drawn
    ]
    samples = [one for one in samples if with_lesion & set(one)][:draws]

    found = sorted(cpm_in_loops(one, lesions, marks) for one in samples)

    matched = match(cases, lesions, marks)
    assert froc(matched).cpm == pytest.approx(cpm_in_loops(cases, lesions, marks), abs=1e-12)
    # Percentiles of 60 values, between neighbours: 59 × 0.025 = 1.475 and 59 × 0.975 = 57.525 values lie below.
    low, high = found[1] + 0.475 * (found[2] - found[1]), found[57] + 0.525 * (found[58] - found[57])
    assert cpm_interval(matched, 5, draws, groups=groups) == pytest.approx((low, high), abs=1e-12)
    assert low < froc(matched).cpm < high


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
