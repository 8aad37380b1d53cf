"""Intervals of proportions against published values and hand calculations."""

import numpy as np
import pytest

from validation.intervals import clopper_pearson, clustered_proportion, wilson


def test_clopper_pearson_of_45_in_50_is_the_published_one():
    low, high = clopper_pearson(45, 50)

    assert (round(low, 4), round(high, 4)) == (0.7819, 0.9667)


def test_clopper_pearson_at_the_borders_is_the_closed_form():
    # No success in n: the upper end solves (1 - p)^n = 0.025; all of n: the lower end solves p^n = 0.025.
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_wilson_of_one_half_is_the_hand_calculation():
    # p = 1/2, n = 16, z = 1.959964: z²/n = 0.240091; middle (0.5 + 0.120046) / 1.240091 = 0.5;
    # half z * sqrt(0.25/16 + 0.240091/64) / 1.240091 = 1.959964 * 0.139200 / 1.240091 = 0.220006.
    assert wilson(8, 16) == pytest.approx((0.5 - 0.220006, 0.5 + 0.220006), abs=1e-5)


def test_wilson_stays_inside_zero_and_one():
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0


def test_one_case_per_patient_gives_the_exact_interval():
    found = clustered_proportion([True] * 45 + [False] * 5, [str(number) for number in range(50)])

    assert (found.successes, found.trials, found.estimate.value) == (45, 50, 0.9)
    assert found.estimate.interval == pytest.approx(clopper_pearson(45, 50))


def test_cases_that_repeat_their_patient_count_once():
    # 5 of 10 patients, each seen twice with the same answer. Ratio estimator: residual sums ±2 * 0.5 = ±1, so
    # variance 10/9 * 10 / 20² = 1/36; effective cases 1 + 0.25 * 36 = 10: as if each patient had been seen once.
    successes = [number < 10 for number in range(20)]

    found = clustered_proportion(successes, [str(number // 2) for number in range(20)])

    assert found.estimate.value == 0.5
    assert found.estimate.interval == pytest.approx(clopper_pearson(5, 10))


def test_where_all_cases_agree_each_patient_counts_as_one_case():
    found = clustered_proportion([True] * 30, [str(number // 3) for number in range(30)])

    assert found.estimate.interval == pytest.approx(clopper_pearson(10, 10))


def test_dissimilar_cases_of_a_patient_never_count_as_more_than_there_are():
    found = clustered_proportion([True, False] * 10, [str(number // 2) for number in range(20)])

    assert found.estimate.interval == pytest.approx(clopper_pearson(10, 20))


def test_no_case_gives_no_figure():
    found = clustered_proportion([], [])

    assert (found.trials, found.estimate.value, found.estimate.interval) == (0, None, None)


def test_the_clustered_interval_covers_the_truth_about_as_often_as_it_says():
    # 40 patients with 5 cases each; a patient's own share is Beta(4, 1), so the mean is 0.8 and the cases of one
    # patient correlate by 1 / (4 + 1 + 1) = 1/6. Treated as independent the interval covers clearly less.
    random = np.random.default_rng(20260301)
    clusters = [str(number // 5) for number in range(200)]
    clustered, independent = 0, 0
    for _ in range(600):
        shares = random.beta(4, 1, 40)
        successes = [bool(one) for one in random.random(200) < np.repeat(shares, 5)]
        interval = clustered_proportion(successes, clusters).estimate.interval
        assert interval is not None
        clustered += interval[0] <= 0.8 <= interval[1]
        low, high = clopper_pearson(sum(successes), 200)
        independent += low <= 0.8 <= high

    assert 0.925 <= clustered / 600 <= 0.985
    assert independent < clustered
