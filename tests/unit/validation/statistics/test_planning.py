"""Sample sizes against hand calculations and against the power that simulation finds."""

from math import exp, sqrt

import numpy as np
import pytest
from scipy import stats

from triage.errors import InvalidSetting
from validation.intervals import clopper_pearson
from validation.statistics.planning import (
    auc_variance,
    cases_for_exact_half_width,
    cases_for_half_width,
    cases_for_rate_non_inferiority,
    expected_half_width,
    positives_for_auc,
    positives_for_auc_half_width,
    positives_for_auc_non_inferiority,
)
from validation.statistics.sample_size_document import Plan, sample_size_document

Z975, Z90, Z80 = 1.959964, 1.281552, 0.841621


def test_the_half_width_of_a_sensitivity_is_the_hand_calculation():
    assert cases_for_half_width(0.9, 0.05) == pytest.approx(Z975**2 * 0.09 / 0.0025, rel=1e-6)


def test_the_exact_number_is_the_least_whose_expected_interval_is_narrow_enough():
    n = cases_for_exact_half_width(0.9, 0.05)

    assert expected_half_width(0.9, n) <= 0.05 < expected_half_width(0.9, n - 1)


def test_the_expected_half_width_is_the_mean_over_all_outcomes():
    by_hand = sum(
        stats.binom.pmf(x, 12, 0.7) * (clopper_pearson(x, 12)[1] - clopper_pearson(x, 12)[0]) / 2 for x in range(13)
    )

    assert expected_half_width(0.7, 12) == pytest.approx(by_hand)


def test_the_variance_of_an_auc_is_the_hand_calculation():
    # AUC 0.5: a = 0, 0.0099 * (8 + 8) with as many negatives; 0.0792 * (1 + 1/2) with twice as many.
    assert auc_variance(0.5, 1) == pytest.approx(0.1584)
    assert auc_variance(0.5, 2) == pytest.approx(0.1188)
    a = sqrt(2) * 0.8416212
    assert auc_variance(0.8, 1) == pytest.approx(0.0099 * exp(-a * a / 2) * (5 * a * a + 8 + a * a + 8), rel=1e-6)


def test_positives_for_an_auc_are_the_hand_calculation():
    expected = (Z975 * sqrt(0.1584) + Z90 * sqrt(auc_variance(0.8, 1))) ** 2 / 0.3**2

    assert positives_for_auc(0.8, 0.5, 0.9, 1) == pytest.approx(expected, rel=1e-5)


def test_the_half_width_of_an_auc_is_the_hand_calculation():
    expected = Z975**2 * auc_variance(0.85, 3) / 0.04**2

    assert positives_for_auc_half_width(0.85, 0.04, 3) == pytest.approx(expected, rel=1e-5)


def test_non_inferiority_of_a_rate_is_the_hand_calculation():
    assert cases_for_rate_non_inferiority(0.9, 0.05, 0.8, None) == pytest.approx(
        (Z975 + Z80) ** 2 * 2 * 0.09 / 0.0025, rel=1e-5
    )
    assert cases_for_rate_non_inferiority(0.9, 0.05, 0.8, 0.1) == pytest.approx(
        (Z975 + Z80) ** 2 * 0.1 / 0.0025, rel=1e-5
    )


def test_correlated_areas_need_fewer_cases():
    alone, paired = (positives_for_auc_non_inferiority(0.85, 0.05, 0.8, 1, r) for r in (0.0, 0.6))

    assert alone == pytest.approx((Z975 + Z80) ** 2 * 2 * auc_variance(0.85, 1) / 0.0025, rel=1e-5)
    assert paired == pytest.approx(0.4 * alone)


def test_the_planned_non_inferiority_of_an_auc_has_at_least_the_power_that_was_planned():
    # Normal scores of AUC 0.85 in two independent groups: how often the lower limit by DeLong lies above -0.08. The
    # variance is that of rating scales, so that continuous scores have some power to spare.
    n = round(positives_for_auc_non_inferiority(0.85, 0.08, 0.8, 1.0, 0.0))
    random = np.random.default_rng(1)
    shift = sqrt(2) * stats.norm.ppf(0.85)
    (areas_a, variances_a), (areas_b, variances_b) = (_areas(random, n, shift, 2000) for _ in range(2))

    power = np.mean(areas_b - areas_a + 0.08 > Z975 * np.sqrt(variances_a + variances_b))

    assert 0.8 < power < 0.95


def test_the_planned_non_inferiority_of_a_rate_has_the_power_that_was_planned():
    n = round(cases_for_rate_non_inferiority(0.8, 0.05, 0.9, None))
    random = np.random.default_rng(2)
    a, b = random.binomial(n, 0.8, 20_000) / n, random.binomial(n, 0.8, 20_000) / n

    power = np.mean(b - a + 0.05 > Z975 * np.sqrt((a * (1 - a) + b * (1 - b)) / n))

    assert power == pytest.approx(0.9, abs=0.01)


def _areas(random, n, shift, draws):
    positives, negatives = random.normal(size=(draws, n)) + shift, random.normal(size=(draws, n))
    ranks = stats.rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    v10 = (ranks[:, :n] - stats.rankdata(positives, axis=1)) / n
    v01 = 1 - (ranks[:, n:] - stats.rankdata(negatives, axis=1)) / n
    return v10.mean(axis=1), (v10.var(axis=1, ddof=1) + v01.var(axis=1, ddof=1)) / n


def test_the_document_rounds_up_and_counts_all_cases_that_must_come():
    document = sample_size_document(Plan(sensitivity=0.9, half_width=0.05, prevalence=0.1))

    assert (document["n_positive"], document["n"]) == (139, 1390)
    assert document["n_positive_exact"] > 139


def test_a_specificity_counts_negatives():
    document = sample_size_document(Plan(specificity=0.8, half_width=0.05, prevalence=0.2))

    assert (document["n_negative"], document["n"]) == (246, 308)


def test_an_auc_counts_both_kinds():
    document = sample_size_document(Plan(auc=0.8, power=0.9, ratio=4.0))

    exact = document["n_positive_before_rounding"]
    assert document["n_positive"] == int(exact) + 1
    assert document["n_negative"] == int(4 * exact) + 1


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan(), "found nothing"),
        (Plan(auc=0.8, sensitivity=0.9), "--sensitivity and --auc"),
        (Plan(sensitivity=0.9), "needed --half-width"),
        (Plan(auc=0.8), "needed --power"),
        (Plan(sensitivity=1.0, half_width=0.05), "sensitivity: found 1"),
        (Plan(sensitivity=0.9, half_width=0.0), "half-width: found 0"),
        (Plan(auc=0.5, power=0.9), "needed more than --null-auc"),
        (Plan(auc=0.8, power=1.0), "power: found 1"),
        (Plan(auc=0.8, margin=0.05, correlation=1.0), "correlation: found 1"),
        (Plan(auc=0.8, power=0.9, ratio=0.0), "ratio: found 0"),
        (Plan(auc=0.8, power=0.9, half_width=0.05), "needed one aim"),
    ],
)
def test_a_plan_that_asks_for_nothing_sensible_is_refused(plan, told):
    with pytest.raises(InvalidSetting) as raised:
        sample_size_document(plan)

    assert told in str(raised.value)
