"""Pooling, calibration and thresholds from out-of-fold scores."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from models.training.calibration import best_aggregation, brier_scores, fitted_curve, operating_points
from models.training.figures import clustered_auc, exact_proportion
from models.triage_spec import Aggregation

TRUTH = np.array([False] * 20 + [True] * 20)


def test_a_single_bright_slice_calls_for_the_highest_slice() -> None:
    """Bleeding studies have one high slice; pooling more of them would drown it in the others' noise."""
    random = np.random.default_rng(0)
    logits = [random.normal(0, 1, 30) for _ in TRUTH]
    for study in np.flatnonzero(TRUTH):
        logits[study][15] = 6.0

    assert best_aggregation(logits, TRUTH) == Aggregation(smooth_slices=1, top_slices=1)


def test_the_curve_gives_the_share_of_bleeds_where_scores_say_nothing() -> None:
    scores = np.zeros(40)

    curve = fitted_curve(scores, TRUTH)

    assert 1 / (1 + np.exp(-curve.intercept)) == pytest.approx(0.5, abs=0.01)


def test_a_score_that_orders_backwards_gets_a_flat_rising_curve() -> None:
    curve = fitted_curve(np.where(TRUTH, -2.0, 2.0), TRUTH)

    assert curve.slope == 0.01


def test_the_way_that_fits_the_scores_has_the_lower_brier_score_on_other_patients() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, 2000)
    patients = np.arange(2000).astype(str)
    shifted = random.random(2000) < 1 / (1 + np.exp(-(logits - 1)))
    stepped = random.random(2000) < np.where(np.abs(logits) < 2, 0.5, np.where(logits < 0, 0.02, 0.98))

    by_curve = brier_scores(logits, shifted, patients, seed=3)
    by_steps = brier_scores(logits, stepped, patients, seed=3)

    assert by_curve.platt < by_curve.isotonic < by_curve.temperature
    assert by_steps.isotonic < by_steps.platt


def test_no_curve_is_fitted_to_the_patient_it_is_judged_on() -> None:
    """Two images of a patient with one logit and one truth: a curve that had seen the other would know the answer."""
    random = np.random.default_rng(2)
    logits, truth = random.normal(0, 1, 300), random.random(300) < 0.5
    twice, both = np.repeat(logits, 2), np.repeat(truth, 2)

    apart = brier_scores(twice, both, np.repeat(np.arange(300), 2).astype(str), seed=1)
    leaking = brier_scores(twice, both, np.arange(600).astype(str), seed=1)

    assert apart.isotonic > 0.24
    assert leaking.isotonic < apart.isotonic


def test_thresholds_lie_between_scores_and_never_fall() -> None:
    # 20 negatives 0.01..0.20 and positives 0.15..0.90 in steps; one positive at 0.005 is the price of 95 %.
    negatives = np.arange(1, 21) / 100
    positives = np.concatenate([[0.005], np.linspace(0.15, 0.9, 19) + 0.003])

    points = {one.name: one.threshold for one in operating_points(np.concatenate([negatives, positives]), TRUTH)}

    # High sensitivity: 19 of 20 positives are at 0.153 or more, and 0.15 is the score below.
    assert points["high_sensitivity"] == pytest.approx((0.15 + 0.153) / 2)
    # High specificity: 19 of 20 negatives are at 0.19 or less, and the next score is a positive at 0.194667.
    assert points["high_specificity"] == pytest.approx((0.19 + 0.194667) / 2, abs=1e-5)
    assert points["high_sensitivity"] <= points["balanced"] <= points["high_specificity"]


def test_perfect_scores_give_one_threshold_for_all_points() -> None:
    points = operating_points(np.where(TRUTH, 0.9, 0.1), TRUTH)

    assert [one.threshold for one in points] == [0.5, 0.5, 0.5]


def test_an_exact_interval_is_that_of_clopper_and_pearson() -> None:
    estimate = exact_proportion(10, 10)

    # With all of n successes the lower limit is the n-th root of 0.025: 0.025 ** 0.1 = 0.6915.
    assert (estimate.value, estimate.ci95) == (1.0, (0.6915, 1.0))


def test_an_interval_clustered_by_patient_is_wider_than_slices_would_make_it() -> None:
    random = np.random.default_rng(1)
    truth = [np.full(30, patient % 2 == 0) for patient in range(12)]
    scores = [random.normal(0.7 * one[0], 0.2, 30) + random.normal(0, 0.8) for one in truth]

    by_patient = clustered_auc(truth, scores, seed=0)
    by_slice = clustered_auc(
        [np.array([one]) for one in np.concatenate(truth)], [np.array([one]) for one in np.concatenate(scores)], seed=0
    )

    assert by_patient.value == by_slice.value
    assert by_patient.ci95[1] - by_patient.ci95[0] > 2 * (by_slice.ci95[1] - by_slice.ci95[0])
