"""Curves from scores to probabilities: solutions in closed form, what they leave alone, what they refuse."""

from math import log

import numpy as np
import pytest
from scipy import special

from tests.unit.validation.statistics.scored import scored
from triage.errors import InvalidDataset
from validation.statistics.calibrate_document import calibrate_document
from validation.statistics.calibration import log_loss
from validation.statistics.recalibration import Method, cross_validated, fit_curve


def arrays(truth, scores):
    return np.array(truth, dtype=bool), np.array(scores, dtype=float)


def test_temperature_brings_symmetric_probabilities_to_the_observed_share():
    # 10 cases at 0.9 with 7 positives and 10 at 0.1 with 3: after it they lie at 0.7 and 0.3, so T = logit .9/logit .7.
    truth, scores = arrays([1] * 7 + [0] * 3 + [1] * 3 + [0] * 7, [0.9] * 10 + [0.1] * 10)

    curve = fit_curve(Method.TEMPERATURE, truth, scores)

    assert curve.parameters["temperature"] == pytest.approx(log(9) / log(7 / 3))
    assert curve.apply(np.array([0.9, 0.1, 0.5])) == pytest.approx([0.7, 0.3, 0.5])


def test_temperature_has_the_least_loss_of_all():
    random = np.random.default_rng(1)
    logits = random.normal(size=500) * 3
    truth = random.random(500) < special.expit(logits / 2.5)

    curve = fit_curve(Method.TEMPERATURE, truth, special.expit(logits))

    best = log_loss(truth, curve.apply(special.expit(logits)))
    others = [log_loss(truth, special.expit(logits / t)) for t in np.linspace(1, 5, 400)]
    assert best <= min(others) + 1e-9
    assert best == pytest.approx(min(others), abs=1e-4)


def test_platt_on_two_scores_meets_the_smoothed_shares():
    # 4 positives and 6 negatives: targets 5/6 and 1/8. At score 0: 1 positive, 5 negatives; at 2: 3 and 1.
    truth, scores = arrays([1, 0, 0, 0, 0, 0, 1, 1, 1, 0], [0] * 6 + [2] * 4)
    shares = ((5 / 6 + 5 / 8) / 6, (3 * 5 / 6 + 1 / 8) / 4)

    curve = fit_curve(Method.PLATT, truth, scores)

    assert curve.apply(np.array([0.0, 2.0])) == pytest.approx(shares)
    assert curve.parameters["intercept"] == pytest.approx(special.logit(shares[0]))
    assert curve.parameters["slope"] == pytest.approx((special.logit(shares[1]) - special.logit(shares[0])) / 2)


def test_platt_is_finite_where_the_kinds_are_parted_and_whatever_the_scale():
    truth, scores = arrays([0, 0, 1, 1], [-1e6, -2e6, 1e6, 2e6])

    fitted = fit_curve(Method.PLATT, truth, scores).apply(scores)

    assert np.all(np.diff(fitted[[1, 0, 2, 3]]) > 0)
    assert fitted.mean() == pytest.approx(0.5)


def test_isotonic_pools_what_falls():
    # Shares by score 1, 2 (twice: 1/2), 3, 4 (0), 5: 0, 1/2, 1, 0, 1; 3 and 4 are pooled with each other: 1/2.
    truth, scores = arrays([0, 1, 0, 1, 0, 1], [1, 2, 2, 3, 4, 5])

    curve = fit_curve(Method.ISOTONIC, truth, scores)

    assert curve.apply(np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 9.0])) == pytest.approx(
        [0, 0, 0.25, 0.5, 0.5, 0.5, 1, 1]
    )
    assert curve.parameters["scores"] == [1, 2, 4, 5]


@pytest.mark.parametrize("method", list(Method))
def test_one_kind_of_case_determines_no_curve(method):
    with pytest.raises(InvalidDataset, match="needed both 0 and 1"):
        fit_curve(method, *arrays([1, 1], [0.2, 0.7]))


@pytest.mark.parametrize(
    ("truth", "scores", "told"),
    [
        ([1, 0], [0.7, 1.2], "above 0 and below 1"),
        ([1, 0], [0.7, 0.0], "above 0 and below 1"),
        ([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], "no finite temperature"),
        ([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1], "no finite temperature"),
        ([1, 0], [0.5, 0.5], "no finite temperature"),
    ],
)
def test_temperature_says_what_it_cannot_do(truth, scores, told):
    with pytest.raises(InvalidDataset, match=told):
        fit_curve(Method.TEMPERATURE, *arrays(truth, scores))


def test_a_cluster_never_judges_a_curve_that_it_fitted():
    # Each cluster has one score of its own; isotonic in sample is perfect, left out it knows nothing of the cluster.
    truth = [number % 2 == 0 for number in range(40) for _ in range(3)]
    cases = scored(
        truth, [number for number in range(40) for _ in range(3)], [str(n) for n in range(40) for _ in "abc"]
    )

    left_out = cross_validated(Method.ISOTONIC, cases, seed=1)

    by_cluster = left_out.reshape(40, 3)
    assert np.all(by_cluster == by_cluster[:, :1])
    assert np.mean((left_out - cases.truth) ** 2) > 0.2


def test_the_document_is_the_same_for_the_same_seed_and_says_what_a_fold_lacked():
    cases = scored([1, 0, 0, 0, 1, 0, 1, 0], [0.9, 0.2, 0.4, 0.1, 0.3, 0.6, 0.7, 0.5])
    one_positive = scored([1, 0, 0, 0], [0.3, 0.2, 0.4, 0.1])

    assert calibrate_document(cases, Method.PLATT, 3) == calibrate_document(cases, Method.PLATT, 3)
    assert calibrate_document(one_positive, Method.PLATT, 3)["cross_validated"] is None
    assert "cross_validated" in calibrate_document(one_positive, Method.PLATT, 3)["reasons"]
