"""Two windows of a stream: level, power, and effect sizes."""

import numpy as np
import pytest
from scipy import stats

from triage.errors import InvalidDataset
from validation.drift.streams import (
    categories,
    energy_distance,
    jensen_shannon,
    mmd,
    population_stability_index,
)


@pytest.mark.parametrize("test", [mmd, energy_distance])
def test_windows_without_drift_are_rejected_as_often_as_the_level_says(test):
    random = np.random.default_rng(1)
    rejected = sum(
        test(random.normal(size=(30, 4)), random.normal(size=(30, 4)), permutations=99, seed=run).p <= 0.05
        for run in range(400)
    )

    # Binomial(400, 0.05) lies in [8, 33] with probability 0.998.
    assert 8 <= rejected <= 33


@pytest.mark.parametrize("test", [mmd, energy_distance])
def test_a_shift_of_one_standard_deviation_in_one_feature_is_found(test):
    random = np.random.default_rng(2)
    shift = np.array([1.0, 0, 0, 0])
    found = sum(
        test(random.normal(size=(60, 4)), random.normal(size=(60, 4)) + shift, permutations=99, seed=run).p <= 0.05
        for run in range(50)
    )

    assert found >= 45


def test_a_change_of_spread_alone_is_found():
    random = np.random.default_rng(3)

    assert mmd(random.normal(size=(150, 2)), 2 * random.normal(size=(150, 2))).p <= 0.01


def test_cases_of_one_patient_do_not_count_as_independent():
    # Ten patients a window with twenty like cases each: permuting cases rejects nearly always, patients at the level.
    random, by_case, by_patient = np.random.default_rng(4), 0, 0
    for run in range(60):
        values = np.repeat(random.normal(size=20), 20) + 0.1 * random.normal(size=400)
        groups = np.repeat(np.arange(20), 20).tolist()
        by_case += energy_distance(values[:200], values[200:], None, 39, run).p <= 0.05
        by_patient += energy_distance(values[:200], values[200:], groups, 39, run).p <= 0.05

    assert by_case > 45
    assert by_patient <= 9


def test_the_energy_distance_is_the_hand_calculation():
    # 0, 1 against 3: 2 * (3 + 2)/2 - (0 + 1 + 1 + 0)/4 - 0 = 4.5 with 3 twice.
    found = energy_distance(np.array([0.0, 1.0]), np.array([3.0, 3.0]))

    assert found.statistic == pytest.approx(4.5)
    assert found.statistic == pytest.approx(2 * stats.energy_distance([0, 1], [3, 3]) ** 2 / 2)


def test_constant_windows_do_not_differ():
    assert mmd(np.ones(20), np.ones(20)).p == 1.0
    assert energy_distance(np.ones(20), np.ones(20)).p == 1.0
    assert population_stability_index(np.ones(20), np.ones(20)) == 0.0


def test_categories_are_tested_by_what_their_counts_allow():
    many = categories(["GE"] * 30 + ["Philips"] * 30, ["GE"] * 45 + ["Philips"] * 15)
    few = categories(["a"] * 3, ["b"] * 3)
    several = categories(["a"] * 3 + ["b"], ["b", "c", "c", "c"])

    # (30 * 15 - 30 * 45)^2 * 120 / (60 * 60 * 75 * 45) = 8.
    assert many.statistic == pytest.approx(8.0)
    assert (many.method, many.p) == ("chi-square", pytest.approx(stats.chi2.sf(8, 1)))
    # Two of the 20 ways to place three of six are as extreme.
    assert (few.method, few.p) == ("fisher", pytest.approx(0.1))
    assert several.method == "chi-square, permutation"
    assert 0.05 < several.p < 0.5
    assert categories(["a"], ["a"]).p == 1.0


def test_categories_keep_their_level():
    random = np.random.default_rng(5)
    rejected = sum(
        categories(random.choice(4, 25).tolist(), random.choice(4, 25).tolist()).p <= 0.05 for _ in range(400)
    )

    assert rejected <= 33


def test_effect_sizes_are_the_hand_calculation():
    # Two bins at the median 2.5: shares (1/2, 1/2) and (1/4, 3/4).
    before, after = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 3, 4])

    assert population_stability_index(before, after, bins=2) == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5))
    half = 0.5 * (0.5 * np.log2(0.5 / 0.375) + 0.5 * np.log2(0.5 / 0.625))
    other = 0.5 * (0.25 * np.log2(0.25 / 0.375) + 0.75 * np.log2(0.75 / 0.625))
    assert jensen_shannon(before, after, bins=2) == pytest.approx(half + other)


def test_windows_apart_are_one_bit_apart():
    assert jensen_shannon(np.array([0.0, 0, 1, 1]), np.array([9.0, 9, 9, 9]), bins=1) == 0.0
    assert jensen_shannon(np.arange(10.0), np.arange(10.0)) == 0.0


@pytest.mark.parametrize(
    "call",
    [lambda: mmd(np.array([1.0]), np.array([1.0, 2.0])), lambda: mmd(np.array([1.0, np.nan]), np.array([1.0, 2.0])),
     lambda: categories([], ["a"]), lambda: energy_distance(np.zeros(2), np.ones(2), ["p", "q", "q", "r"])],
)  # fmt: skip
def test_windows_that_cannot_be_compared_are_refused(call):
    with pytest.raises(InvalidDataset, match="needed"):
        call()
