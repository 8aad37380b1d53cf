"""The AUC, its variance with and without clusters, and its intervals."""

from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import stats

from validation.discrimination import placements, roc_area, roc_points, score_interval

Z = 1.959963984540054


def test_auc_and_delong_variance_are_the_hand_calculation():
    # Positives 3, 2, 5 against negatives 1, 2, 0. Shares of negatives below: 3 -> 1, 2 -> (1 + 1 + 1/2)/3 = 5/6,
    # 5 -> 1; mean 17/18. Shares of positives above: 1 -> 1, 2 -> (1 + 1 + 1/2)/3 = 5/6, 0 -> 1; mean 17/18.
    # Each set deviates by 1/18, -2/18, 1/18: sample variance (6/324)/2 = 1/108.
    # Variance of the AUC 1/108/3 + 1/108/3 = 1/162.
    found = roc_area([True, True, True, False, False, False], [3, 2, 5, 1, 2, 0])

    assert (found.n, found.n_positive) == (6, 3)
    assert found.estimate.value == pytest.approx(17 / 18)
    assert found.standard_error == pytest.approx(sqrt(1 / 162))


def test_the_interval_is_symmetric_on_the_logit_scale():
    # logit(17/18) = ln 17; half width z * SE / (A (1 - A)) with A (1 - A) = 17/324.
    found = roc_area([True, True, True, False, False, False], [3, 2, 5, 1, 2, 0])

    half = Z * sqrt(1 / 162) / (17 / 324)
    expected = tuple(1 / (1 + exp(-(log(17) + sign * half))) for sign in (-1, 1))
    assert found.estimate.interval == pytest.approx(expected)


def test_the_auc_is_the_mann_whitney_statistic_ties_counting_half():
    random = np.random.default_rng(5)
    truth, scores = random.random(80) < 0.4, random.integers(0, 10, 80).astype(float)

    statistic = stats.mannwhitneyu(scores[truth], scores[~truth]).statistic

    expected = statistic / (truth.sum() * (~truth).sum())
    assert roc_area(truth.tolist(), scores.tolist()).estimate.value == pytest.approx(expected)


def test_one_case_per_patient_gives_the_variance_of_delong():
    random = np.random.default_rng(6)
    truth, scores = random.random(50) < 0.5, random.normal(size=50)
    of_positives, of_negatives = placements(scores[truth], scores[~truth])
    delong = of_positives.var(ddof=1) / truth.sum() + of_negatives.var(ddof=1) / (~truth).sum()

    found = roc_area(truth.tolist(), scores.tolist(), [f"p{number}" for number in range(50)])

    assert found.standard_error == pytest.approx(sqrt(delong))


def test_clustered_variance_is_the_hand_calculation():
    # Patient a: positive 3 and negative 1; b: positive 2 and negative 2; c: positive 5; d: negative 0 (the case above).
    # Sums of deviations from 17/18, in 1/18: positives a 1, b -2, c 1; negatives a 1, b -2, d 1.
    # S10 = 3/(2*3) * 6/324 = 1/108, S01 the same. S11 = 4/3 * (1*1 + 4 + 0 + 0)/324 = 20/972 = 5/243.
    # Variance 1/324 + 1/324 + 2 * 5/243 / 9 = 2/324 + 10/2187.
    truth = [True, True, True, False, False, False]

    found = roc_area(truth, [3, 2, 5, 1, 2, 0], ["a", "b", "c", "a", "b", "d"])

    assert found.standard_error == pytest.approx(sqrt(2 / 324 + 10 / 2187))


def test_copies_of_a_patient_s_cases_add_nothing_but_cases():
    # Every case twice in its own patient: AUC as before, and the variance too, since no patient was added.
    truth, scores = [True, True, True, False, False, False], [3.0, 2.0, 5.0, 1.0, 2.0, 0.0]
    patients = list("abcdef")

    once, twice = roc_area(truth, scores, patients), roc_area(truth * 2, scores * 2, patients * 2)

    assert twice.estimate.value == pytest.approx(once.estimate.value)
    assert twice.standard_error == pytest.approx(once.standard_error)


def test_perfect_separation_does_not_claim_certainty():
    found = roc_area([True] * 27 + [False] * 34, [1.0] * 27 + [0.0] * 34)

    assert found.estimate.value == 1.0
    assert found.estimate.interval == (pytest.approx(score_interval(1.0, 27, 34)[0]), 1.0)
    assert found.estimate.interval[0] < 0.95


def test_the_score_interval_ends_where_the_difference_is_z_standard_errors():
    low, high = score_interval(0.9, 27, 34)

    for theta in (low, high):
        spread = 1 + 29.5 * (1 - theta) / (2 - theta) + 29.5 * theta / (1 + theta)
        assert abs(0.9 - theta) == pytest.approx(Z * sqrt(theta * (1 - theta) * spread / (27 * 34)))
    assert low < 0.9 < high


def test_score_interval_of_an_auc_of_zero_mirrors_that_of_one():
    assert score_interval(0.0, 5, 9)[1] == pytest.approx(1 - score_interval(1.0, 5, 9)[0])


@pytest.mark.parametrize("truth", [[True, True], [False, False], []])
def test_one_kind_of_case_gives_no_auc(truth):
    found = roc_area(truth, [0.5] * len(truth))

    assert (found.estimate.value, found.estimate.interval, found.standard_error) == (None, None, None)


def test_a_single_positive_patient_gives_an_auc_without_an_interval():
    found = roc_area([True, True, False, False], [3, 4, 1, 2], ["a", "a", "b", "c"])

    assert (found.estimate.value, found.estimate.interval) == (1.0, None)


def test_roc_points_go_from_no_alarm_to_every_alarm():
    # Thresholds 4, 3, 2 (a tie of both kinds), 1.
    points = roc_points([True, False, True, False, False], [4, 3, 2, 2, 1])

    assert points == ((0.0, 0.0), (0.0, 0.5), (1 / 3, 0.5), (2 / 3, 1.0), (1.0, 1.0))


def test_the_clustered_interval_covers_the_truth_about_as_often_as_it_says():
    # 30 patients, 8 images each; image score = patient effect + noise + 1.5 if positive, both of variance 1, and
    # positives only in patients 0 to 14, where every second image is. Between patients the difference of two scores
    # has variance 4, within one 2. Of 15*4 positives, each meets 4 negatives of its patient and 4*14 + 15*8 = 176 of
    # others: AUC = (4 * Phi(1.5/sqrt 2) + 176 * Phi(1.5/2)) / 180.
    expected = (4 * stats.norm.cdf(1.5 / sqrt(2)) + 176 * stats.norm.cdf(0.75)) / 180
    random = np.random.default_rng(20260302)
    patients = np.repeat(np.arange(30), 8)
    truth = (patients < 15) & (np.tile(np.arange(8), 30) % 2 == 0)
    clustered, independent = 0, 0
    for _ in range(400):
        scores = random.normal(size=30)[patients] + random.normal(size=240) + 1.5 * truth
        by_patient = roc_area(truth.tolist(), scores.tolist(), patients.astype(str).tolist()).estimate.interval
        by_image = roc_area(truth.tolist(), scores.tolist()).estimate.interval
        assert by_patient is not None
        assert by_image is not None
        clustered += by_patient[0] <= expected <= by_patient[1]
        independent += by_image[0] <= expected <= by_image[1]

    assert 0.91 <= clustered / 400 <= 0.98
    assert independent / 400 < 0.85
