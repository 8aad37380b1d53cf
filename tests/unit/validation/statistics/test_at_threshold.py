"""Counts, rates, predictive values elsewhere and net benefit by hand."""

from math import log, sqrt

import numpy as np
import pytest
from scipy import special

from tests.unit.validation.statistics.scored import scored
from validation.intervals import clopper_pearson, wilson
from validation.statistics.at_threshold import net_benefit, predictive_values, rates, share
from validation.statistics.conformal import conformal_quantiles, conformal_sets

Z = 1.959963984540054


def test_a_score_that_reaches_the_threshold_flags():
    found = rates(scored([1, 1, 1, 0, 0], [0.9, 0.5, 0.4, 0.5, 0.1]), 0.5)

    assert [(one.successes, one.trials) for one in found.values()] == [(2, 3), (1, 2), (2, 3), (1, 2)]
    assert found["sensitivity"].clopper_pearson == clopper_pearson(2, 3)
    assert found["sensitivity"].wilson == wilson(2, 3)
    assert found["sensitivity"].clustered is None


def test_what_has_no_cases_has_no_value():
    found = rates(scored([1, 1], [0.1, 0.2]), 0.5)

    assert found["specificity"].value is None
    assert found["ppv"].value is None
    assert found["sensitivity"].value == 0.0
    assert found["npv"].clopper_pearson == clopper_pearson(0, 2)


def test_clusters_add_an_interval_of_their_own():
    # Both cases of each of 5 patients agree: as many independent cases as patients.
    cases = scored([1] * 10, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [str(number // 2) for number in range(10)])

    found = rates(cases, 1)["sensitivity"]

    assert found.clopper_pearson == clopper_pearson(6, 10)
    assert found.clustered == pytest.approx(clopper_pearson(3, 5))


def test_predictive_values_elsewhere_are_the_hand_calculation():
    # Se 45/50, Sp 80/100, prevalence 0.1: PPV 0.09 / (0.09 + 0.18) = 1/3, NPV 0.72 / (0.72 + 0.01).
    ppv, npv = predictive_values(share(45, 50), share(80, 100), 0.1)

    assert (ppv.value, npv.value) == pytest.approx((1 / 3, 0.72 / 0.73))
    # logit 1/3 = -ln 2; variance (0.1/0.9)/50 + (0.8/0.2)/100.
    half = Z * sqrt(0.1 / 0.9 / 50 + 0.8 / 0.2 / 100)
    assert ppv.interval == pytest.approx(tuple(special.expit([-log(2) - half, -log(2) + half])))


def test_at_their_own_prevalence_predictive_values_are_the_shares():
    ppv, npv = predictive_values(share(45, 50), share(80, 100), 50 / 150)

    assert (ppv.value, npv.value) == pytest.approx((45 / 65, 80 / 85))


def test_a_perfect_sensitivity_does_not_make_a_certain_npv():
    _, npv = predictive_values(share(50, 50), share(80, 100), 0.1)

    assert npv.value == 1.0
    assert 0.98 < npv.interval[0] < npv.interval[1] < 1


def test_predictive_values_need_both_rates():
    ppv, npv = predictive_values(share(0, 0), share(80, 100), 0.1)
    nobody, _ = predictive_values(share(0, 50), share(100, 100), 0.1)

    assert (ppv.value, npv.value, nobody.value, nobody.interval) == (None, None, None, None)


def test_net_benefit_is_the_hand_calculation():
    # At 0.2 the weight is 1/4: two of three positives and one of two negatives flagged of five: 2/5 - 1/5/4.
    truth, probabilities = np.array([1, 1, 1, 0, 0], bool), np.array([0.9, 0.2, 0.1, 0.3, 0.1])

    found = net_benefit(truth, probabilities, 0.2)

    assert found.model == pytest.approx(2 / 5 - 1 / 20)
    assert found.treat_all == pytest.approx(3 / 5 - 2 / 5 / 4)


def test_conformal_quantiles_are_the_ranks_by_kind():
    # Negatives at distance 0.1, 0.2, 0.3, 0.4: rank ceil(5 * 0.8) = 4. Positives 0.1, 0.5, 0.3: ceil(4 * 0.8) = 4 of 3.
    truth = np.array([0, 0, 0, 0, 1, 1, 1], bool)
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.5, 0.7])

    assert conformal_quantiles(truth, probabilities, 0.2) == (0.4, float("inf"))


def test_conformal_sets_hold_the_truth_of_each_kind_as_often_as_promised():
    # With 99 calibration cases of a kind the promise is met exactly on average: rank ceil(100 * 0.9) = 90 of 99.
    random = np.random.default_rng(5)
    held = {True: 0.0, False: 0.0}
    for _ in range(400):
        truth = np.arange(198) % 2 == 0
        calibration, new = (special.expit(random.normal(size=198) + truth) for _ in range(2))
        negative, positive = conformal_sets(new, conformal_quantiles(truth, calibration, 0.1))
        held[True] += positive[truth].mean() / 400
        held[False] += negative[~truth].mean() / 400

    assert held == {True: pytest.approx(0.9, abs=0.01), False: pytest.approx(0.9, abs=0.01)}
