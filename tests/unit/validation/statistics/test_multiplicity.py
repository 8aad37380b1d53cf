"""Adjusted p-values by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.statistics.multiplicity import benjamini_hochberg, bonferroni, holm

P = [0.01, 0.04, 0.03, 0.005]


def test_bonferroni_multiplies_by_the_number_of_tests():
    assert bonferroni(P) == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert bonferroni([0.5, 0.9]) == [1.0, 1.0]


def test_holm_steps_down():
    # In order 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 = 0.02, 0.03, 0.06, 0.04; the last must not be less than 0.06.
    assert holm(P) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_steps_up():
    # In order 0.005 * 4/1, 0.01 * 4/2, 0.03 * 4/3, 0.04 * 4/4 = 0.02, 0.02, 0.04, 0.04.
    assert benjamini_hochberg(P) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_one_test_needs_no_adjustment():
    assert (holm([0.2]), benjamini_hochberg([0.2]), bonferroni([0.2])) == ([0.2], [0.2], [0.2])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_tests_does_not_matter_and_holm_lies_between(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)

    for adjust in (holm, benjamini_hochberg, bonferroni):
        assert adjust([p_values[one] for one in order]) == pytest.approx([adjust(p_values)[one] for one in order])
    for p, fdr, step, strict in zip(
        p_values, benjamini_hochberg(p_values), holm(p_values), bonferroni(p_values), strict=True
    ):
        assert p <= fdr + 1e-12
        assert fdr <= step + 1e-12
        assert step <= strict + 1e-12
        assert strict <= 1
