"""The partial AUC against hand calculations and the whole AUC."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.discrimination import roc_area
from validation.statistics.partial_area import partial_area

TRUTH = [True, False, True, False, False, True, False]
SCORES = [7, 6, 5, 4, 3, 2, 1]


def test_the_area_between_two_specificities_is_the_hand_calculation():
    # Four negatives, so steps of 1/4 across: height 1/3 up to 1/4, 2/3 up to 3/4, then 1.
    # Specificity 0.5 to 1 is 1 - specificity 0 to 0.5: 1/4 * 1/3 + 1/4 * 2/3 = 1/4. By chance 1/8, at best 1/2:
    # corrected (1 + (1/4 - 1/8) / (1/2 - 1/8)) / 2 = 2/3.
    found = partial_area(TRUTH, SCORES, 0.5, 1.0)

    assert found.raw == pytest.approx(1 / 4)
    assert found.corrected == pytest.approx(2 / 3)


def test_a_border_inside_a_step_cuts_it():
    # 1 - specificity from 0.1 to 0.3: 0.15 * 1/3 + 0.05 * 2/3.
    assert partial_area(TRUTH, SCORES, 0.7, 0.9).raw == pytest.approx(0.15 / 3 + 0.1 / 3)


def test_a_tie_of_both_kinds_is_a_straight_line():
    assert partial_area([True, False], [1, 1], 0.5, 1.0).raw == pytest.approx(1 / 8)
    assert partial_area([True, False], [1, 1], 0.5, 1.0).corrected == pytest.approx(1 / 2)


def test_perfect_separation_fills_the_range():
    found = partial_area([True, True, False], [3, 2, 1], 0.9, 1.0)

    assert (found.raw, found.corrected) == (pytest.approx(0.1), pytest.approx(1.0))


@pytest.mark.parametrize("truth", [[True], [False], []])
def test_one_kind_of_case_gives_none(truth):
    assert partial_area(truth, [1.0] * len(truth), 0.5, 1.0).raw is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=15, max_size=15), st.integers(1, 9))
def test_parts_add_up_to_the_whole(scores, tenths):
    truth = [number % 3 == 0 for number in range(15)]
    border = tenths / 10

    parts = partial_area(truth, scores, 0.0, border).raw + partial_area(truth, scores, border, 1.0).raw

    assert parts == pytest.approx(roc_area(truth, scores).estimate.value)


def test_the_part_is_what_simulation_of_its_definition_gives():
    # The mean height of the curve over a fine grid of false positive rates, each found by sorting.
    random = np.random.default_rng(8)
    truth = random.random(300) < 0.4
    scores = random.normal(size=300) + truth
    negatives = np.sort(scores[~truth])[::-1]
    rates = (np.arange(20000) + 0.5) / 20000 * 0.2
    # At rate f the threshold lies just at the negative of rank floor(f * n) + 1.
    heights = [(scores[truth] > negatives[int(rate * len(negatives))]).mean() for rate in rates]

    assert partial_area(truth.tolist(), scores.tolist(), 0.8, 1.0).raw == pytest.approx(
        np.mean(heights) * 0.2, abs=1e-5
    )
