"""Paired and independent proportions against published examples."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from validation.statistics.proportion_differences import (
    PairedCounts,
    mcnemar,
    newcombe_independent,
    newcombe_paired,
)

few = st.integers(0, 30)


def test_mcnemar_is_the_published_example():
    # M. Fagerland et al. (2013), table 1: 1 against 7; exact P = 2 * (1 + 8) / 2^8, mid-p less by 8 / 2^8.
    found = mcnemar(1, 7)

    assert found.p_exact == pytest.approx(18 / 256)
    assert found.p_midp == pytest.approx(10 / 256)


def test_as_many_on_both_sides_is_the_special_case_of_the_paper():
    # b = c = 2: exact 1, mid-p 1 - P(2 of 4) / 2 = 1 - 6/16/2.
    assert (mcnemar(2, 2).p_exact, mcnemar(2, 2).p_midp) == (1.0, pytest.approx(1 - 3 / 16))


def test_no_discordant_case_shows_nothing():
    assert (mcnemar(0, 0).p_exact, mcnemar(0, 0).p_midp) == (1.0, 1.0)


@settings(deadline=None)
@given(few, few)
def test_mcnemar_is_symmetric_and_mid_p_is_the_smaller(b, c):
    found, swapped = mcnemar(b, c), mcnemar(c, b)

    assert (found.p_exact, found.p_midp) == (swapped.p_exact, swapped.p_midp)
    assert 0 <= found.p_midp <= found.p_exact <= 1


def test_the_independent_interval_is_the_published_example():
    # The example of R. Newcombe (1998) 873-890: 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    assert newcombe_independent(48, 80, 56, 70) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_paired_interval_is_the_published_example():
    # An example of R. Newcombe (1998) 2635-2650: 36, 12, 2, 0, method 10: 0.0569 to 0.3404.
    counts = PairedCounts(both=36, only_a=2, only_b=12, neither=0)

    assert newcombe_paired(counts) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_agreement_on_every_case_still_has_an_interval():
    # Both right on all of 10: phi is 0, Wilson (0.7225, 1): the difference may be 0.2775 either way.
    low, high = newcombe_paired(PairedCounts(both=10, only_a=0, only_b=0, neither=0))

    assert (low, high) == pytest.approx((-0.2775, 0.2775), abs=1e-4)


@settings(deadline=None)
@given(few, few, few, few)
@example(0, 0, 25, 0)
def test_swapping_the_readings_mirrors_the_paired_interval(both, only_a, only_b, neither):
    if both + only_a + only_b + neither == 0:
        return

    low, high = newcombe_paired(PairedCounts(both, only_a, only_b, neither))

    mirrored = newcombe_paired(PairedCounts(both, only_b, only_a, neither))
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)
    assert -1 <= low <= high <= 1


@settings(deadline=None)
@given(few, few, few, few)
def test_swapping_the_groups_mirrors_the_independent_interval(x, extra_x, y, extra_y):
    m, n = x + extra_x + 1, y + extra_y + 1

    low, high = newcombe_independent(x, m, y, n)

    assert newcombe_independent(y, n, x, m) == pytest.approx((-high, -low))
    assert -1 <= low <= y / n - x / m <= high <= 1
