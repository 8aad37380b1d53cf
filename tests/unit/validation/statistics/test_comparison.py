"""Differences of AUCs against a definition written out, hand calculations, and what must not matter.

The published data set of the field (aSAH) belongs to a package under another licence and is not here; DeLong's variance
is therefore held against his own double sums over pairs of cases.
"""

from itertools import product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.validation.statistics.scored import drawn, scored
from validation.statistics.comparison import (
    NonInferiority,
    areas_with_covariance,
    non_inferiority,
    paired_difference,
    unpaired_difference,
)

Z = 1.959963984540054


def kernel(positive, negative):
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def by_definition(truth, scores):
    """Return AUCs and covariance matrix by the sums of DeLong et al. (1988), equations 4 to 6, pair by pair."""
    m, n = sum(truth), len(truth) - sum(truth)
    split = [([s for s, t in zip(row, truth, strict=True) if t], [s for s, t in zip(row, truth, strict=True) if not t])
             for row in scores]  # fmt: skip
    v10 = [[sum(kernel(x, y) for y in ys) / n for x in xs] for xs, ys in split]
    v01 = [[sum(kernel(x, y) for x in xs) / m for y in ys] for xs, ys in split]
    areas = [sum(row) / m for row in v10]
    k = range(len(scores))
    s10 = {(r, s): sum((a - areas[r]) * (b - areas[s]) for a, b in zip(v10[r], v10[s], strict=True)) / (m - 1)
           for r, s in product(k, k)}  # fmt: skip
    s01 = {(r, s): sum((a - areas[r]) * (b - areas[s]) for a, b in zip(v01[r], v01[s], strict=True)) / (n - 1)
           for r, s in product(k, k)}  # fmt: skip
    return areas, [[s10[r, s] / m + s01[r, s] / n for s in k] for r in k]


@pytest.mark.parametrize("levels", [4, 1000])
def test_areas_and_covariances_are_those_of_the_definition(levels):
    random = np.random.default_rng(levels)
    truth = (np.arange(60) % 3 == 0).tolist()
    scores = random.integers(0, levels, (3, 60)).astype(float) + np.array(truth)

    areas, covariance = areas_with_covariance(scored(truth, scores[0]), scores)

    expected_areas, expected = by_definition(truth, scores.tolist())
    assert areas == pytest.approx(expected_areas)
    assert covariance == pytest.approx(np.array(expected))


def test_the_paired_difference_is_the_hand_calculation():
    # Positives 3, 2 and negatives 1, 0 by A: AUC 1. B: positives 3, 0.5, negatives 1, 0: AUC 3/4.
    # B: shares of negatives below 1, 1/2 (variance 1/8); shares of positives above 1/2, 1 (variance 1/8); A has none.
    # Variance of the difference 1/8/2 + 1/8/2 = 1/8.
    truth = [True, True, False, False]

    found = paired_difference(scored(truth, [3, 2, 1, 0]), scored(truth, [3, 0.5, 1, 0]))

    assert (found.auc_a, found.auc_b, found.difference) == (1.0, 0.75, -0.25)
    assert found.standard_error == pytest.approx(sqrt(1 / 8))
    assert found.interval == pytest.approx((-0.25 - Z * sqrt(1 / 8), -0.25 + Z * sqrt(1 / 8)))
    assert found.z == pytest.approx(-0.25 / sqrt(1 / 8))


def test_the_variances_of_independent_sets_add():
    random = np.random.default_rng(1)
    a, b = drawn(random, 50, 1.0), drawn(random, 80, 1.5)

    found = unpaired_difference(a, b)

    expected = sum(by_definition(one.truth.tolist(), [one.scores.tolist()])[1][0][0] for one in (a, b))
    assert found.standard_error == pytest.approx(sqrt(expected))


def test_copies_within_clusters_add_no_certainty():
    random = np.random.default_rng(2)
    a, b = drawn(random, 40, 1.0), drawn(random, 40, 1.4)
    names = [f"p{number}" for number in range(40)]

    once = paired_difference(scored(a.truth, a.scores, names), scored(a.truth, b.scores, names))
    twice = paired_difference(
        scored(np.tile(a.truth, 2), np.tile(a.scores, 2), names * 2),
        scored(np.tile(a.truth, 2), np.tile(b.scores, 2), names * 2),
    )

    assert twice.standard_error == pytest.approx(once.standard_error)


def test_identical_scores_do_not_differ_and_prove_nothing():
    cases = drawn(np.random.default_rng(3), 30, 1.0)

    found = paired_difference(cases, cases)

    assert (found.difference, found.standard_error, found.z, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert non_inferiority(found, 0.05).met is False


def test_perfect_separation_by_both_shows_no_non_inferiority():
    truth = [True, True, False, False]

    found = paired_difference(scored(truth, [4, 3, 1, 0]), scored(truth, [3, 4, 0, 1]))

    assert (found.auc_a, found.auc_b, found.p) == (1.0, 1.0, 1.0)
    assert non_inferiority(found, 0.1) == NonInferiority(0.1, None, None, met=False)


@pytest.mark.parametrize("truth", [[True, True], [False, False]])
def test_one_kind_of_case_gives_no_difference(truth):
    found = paired_difference(scored(truth, [1, 2]), scored(truth, [2, 1]))

    assert (found.auc_a, found.difference, found.p) == (None, None, None)
    assert non_inferiority(found, 0.1).met is False


def test_a_single_positive_gives_a_difference_without_interval():
    truth = [True, False, False]

    found = paired_difference(scored(truth, [2, 1, 3]), scored(truth, [4, 1, 3]))

    assert (found.difference, found.interval, found.p) == (0.5, None, None)


def test_non_inferiority_holds_where_the_lower_limit_lies_above_minus_the_margin():
    random = np.random.default_rng(4)
    a = drawn(random, 200, 1.2)
    b = scored(a.truth, a.scores + random.normal(size=200) * 0.3)
    found = paired_difference(a, b)

    for margin in np.linspace(0.001, 0.2, 40):
        tested = non_inferiority(found, float(margin))
        assert tested.met == (found.interval[0] > -margin)
        assert tested.z == pytest.approx((found.difference + margin) / found.standard_error)


scores = st.lists(st.integers(-20, 20), min_size=12, max_size=12)


@settings(deadline=None)
@given(scores, scores)
def test_a_rising_transform_changes_nothing(first, second):
    truth = [number % 3 == 0 for number in range(12)]

    plain = paired_difference(scored(truth, first), scored(truth, second))
    bent = paired_difference(scored(truth, np.exp(np.array(first) / 7.0)), scored(truth, np.array(second) ** 3))

    assert bent.difference == pytest.approx(plain.difference)
    assert bent.standard_error == pytest.approx(plain.standard_error)


@settings(deadline=None)
@given(scores, scores)
def test_swapping_the_two_changes_the_sign_alone(first, second):
    truth = [number % 3 == 0 for number in range(12)]
    a, b = scored(truth, first), scored(truth, second)

    one, other = paired_difference(a, b), paired_difference(b, a)

    assert other.difference == pytest.approx(-one.difference)
    assert other.standard_error == pytest.approx(one.standard_error)
    assert other.p == pytest.approx(one.p) if one.p is not None else other.p is None
