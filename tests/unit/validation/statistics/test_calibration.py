"""Calibration figures by hand, and on probabilities that are right or wrong in a known way."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from validation.statistics.calibration import (
    brier_score,
    cox_fit,
    expected_calibration_error,
    log_loss,
    reliability,
    spiegelhalter,
)


def arrays(truth, probabilities):
    return np.array(truth, dtype=bool), np.array(probabilities, dtype=float)


def test_the_brier_score_is_the_mean_square():
    # 0.2², 0.4², 0.3²
    assert brier_score(*arrays([1, 0, 1], [0.8, 0.4, 0.7])) == pytest.approx((0.04 + 0.16 + 0.09) / 3)


def test_the_log_loss_is_the_mean_and_infinite_for_the_impossible():
    assert log_loss(*arrays([1, 0], [0.8, 0.4])) == pytest.approx(-(log(0.8) + log(0.6)) / 2)
    assert log_loss(*arrays([1, 0], [0.0, 0.4])) == float("inf")


def test_the_calibration_error_is_the_hand_calculation():
    # Bin (0, 0.1]: 0 and 0.1, one of two positive: |0.05 - 0.5| = 0.45. Bin (0.1, 0.2]: 0.15, none: 0.15.
    # Bin (0.9, 1]: 1, positive: 0. Weighted by 2, 1, 1 of 4.
    truth, probabilities = arrays([0, 1, 0, 1], [0.0, 0.1, 0.15, 1.0])

    assert expected_calibration_error(truth, probabilities) == pytest.approx((2 * 0.45 + 0.15) / 4)
    assert [(one.low, one.high, one.n) for one in reliability(truth, probabilities)] == [
        (0.0, 0.1, 2), (0.1, 0.2, 1), (0.9, 1.0, 1)
    ]  # fmt: skip


def test_spiegelhalter_is_the_hand_calculation():
    # Sum of (y - p)(1 - 2p): (1 - 0.8)(-0.6) + (0 - 0.4)(0.2) + (1 - 0.7)(-0.4) = -0.12 - 0.08 - 0.12 = -0.32.
    # Variance: 0.36 * 0.16 + 0.04 * 0.24 + 0.16 * 0.21 = 0.0576 + 0.0096 + 0.0336 = 0.1008.
    found = spiegelhalter(*arrays([1, 0, 1], [0.8, 0.4, 0.7]))

    assert found.z == pytest.approx(-0.32 / sqrt(0.1008))
    assert found.p == pytest.approx(2 * stats.norm.cdf(-0.32 / sqrt(0.1008)))


def test_spiegelhalter_is_two_sided():
    # Too sure and too unsure give opposite signs and small p-values both.
    random = np.random.default_rng(1)
    logits = random.normal(size=4000) * 1.5
    truth = random.random(4000) < special.expit(logits)

    sure, unsure = (spiegelhalter(truth, special.expit(logits * factor)) for factor in (1.6, 0.6))

    assert sure.z > 3
    assert unsure.z < -3
    assert max(sure.p, unsure.p) < 0.01


def test_spiegelhalter_needs_a_variance():
    assert spiegelhalter(*arrays([1, 0, 1], [0.5, 0.0, 1.0])) is None


def test_right_probabilities_are_rejected_as_often_as_promised():
    random = np.random.default_rng(2)
    probabilities = random.beta(2, 3, (2000, 200))
    truths = random.random((2000, 200)) < probabilities

    rejected = np.mean([spiegelhalter(t, p).p < 0.05 for t, p in zip(truths, probabilities, strict=True)])

    assert abs(rejected - 0.05) < 0.015


def test_cox_on_two_probabilities_is_the_line_through_both_shares():
    # 10 cases at 0.2 with 3 positives, 10 at 0.6 with 8: the line meets logit 3/7 at logit 1/4 and logit 4 at 3/2.
    truth = [1] * 3 + [0] * 7 + [1] * 8 + [0] * 2
    slope = (log(4) - log(3 / 7)) / (log(3 / 2) - log(1 / 4))

    found = cox_fit(*arrays(truth, [0.2] * 10 + [0.6] * 10))

    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(log(4) - slope * log(3 / 2))
    shift = found.in_the_large
    assert 10 * special.expit(log(1 / 4) + shift) + 10 * special.expit(log(3 / 2) + shift) == pytest.approx(11)


def test_cox_undoes_a_known_distortion():
    # logit q = 2 logit p + 1 for right p, so that logit p = 0.5 logit q - 0.5.
    random = np.random.default_rng(3)
    logits = random.normal(size=200_000)
    truth = random.random(200_000) < special.expit(logits)

    found = cox_fit(truth, special.expit(2 * logits + 1))

    assert (found.slope, found.intercept) == pytest.approx((0.5, -0.5), abs=0.02)


@pytest.mark.parametrize(
    ("truth", "probabilities", "reason"),
    [
        ([1, 1], [0.2, 0.3], "one kind"),
        ([1, 0, 0], [0.5, 0.0, 0.2], "exactly 0 or 1"),
        ([1, 0, 0], [0.5, 0.5, 0.5], "the same"),
        ([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], "separates"),
        ([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1], "separates"),
        ([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1], "separates"),
    ],
)
def test_cox_says_why_there_is_no_slope(truth, probabilities, reason):
    found = cox_fit(*arrays(truth, probabilities))

    assert (found.slope, found.intercept) == (None, None)
    assert reason in found.reason


# Six decimals: of 1 - 1e-15 too few digits are left for the mirrored figures to agree.
cases = st.lists(st.tuples(st.booleans(), st.floats(0, 1).map(lambda one: round(one, 6))), min_size=1, max_size=40)


@settings(deadline=None)
@given(cases)
def test_exchanging_the_kinds_leaves_brier_and_spiegelhalter(found):
    truth, probabilities = arrays([t for t, _ in found], [p for _, p in found])

    assert brier_score(~truth, 1 - probabilities) == pytest.approx(brier_score(truth, probabilities))
    assert 0 <= expected_calibration_error(truth, probabilities) <= 1
    one, other = spiegelhalter(truth, probabilities), spiegelhalter(~truth, 1 - probabilities)
    if one is not None and other is not None:
        assert other.z == pytest.approx(one.z, rel=1e-6, abs=1e-6)
