"""Parts of a suite on cases worked out by hand."""

import hashlib
import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.unit.validation.test_figures import a_study, answered
from validation.suites.chosen_cases import cases_of
from validation.suites.criteria import judged
from validation.suites.shortcuts import FOLDS, PENALTY, out_of_fold
from validation.suites.suite_file import SHIPPED, Criterion, read_suite


def test_a_criterion_is_met_only_by_a_figure_that_was_measured_and_within_its_limits():
    part = {"auc": {"ci95": [0.81, 0.9]}, "n": 3, "flag": True, "none": None}
    criteria = [
        Criterion(part="p", figure="auc.ci95.0", at_least=0.81),
        Criterion(part="p", figure="auc.ci95.1", at_least=0.8, at_most=0.89),
        *(Criterion(part="p", figure=one, at_least=0) for one in ("auc.ci95.2", "none", "flag", "absent.x")),
    ]

    found = judged(criteria, {"p": part})

    assert [one["met"] for one in found] == [True, False, False, False, False, False]
    assert [one["value"] for one in found] == [0.81, 0.9, None, None, None, None]


def test_cases_are_studies_or_their_labelled_images_with_their_patient():
    answers = [answered(a_study("a", True, [True, False], "p"), 0.9, [0.9, 0.2])]

    assert cases_of(answers, "study").scores.tolist() == [0.9]
    images = cases_of(answers, "image")
    assert (images.truth.tolist(), images.scores.tolist(), images.clusters) == ([True, False], [0.9, 0.2], ("p", "p"))


def test_no_patient_is_scored_by_a_regression_that_saw_it_and_the_regression_is_that_of_scikit_learn():
    random = np.random.default_rng(3)
    features = random.normal(size=(120, 5))
    truth = features[:, 0] + random.normal(size=120) > 0
    patients = [f"p{number // 2}" for number in range(120)]

    scores = out_of_fold(features, truth, patients)

    folds = np.array([int(hashlib.sha256(one.encode()).hexdigest()[:8], 16) % FOLDS for one in patients])
    seen = folds != folds[0]
    standard = (features - features[seen].mean(axis=0)) / features[seen].std(axis=0)
    peer = LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=1000).fit(standard[seen], truth[seen])
    np.testing.assert_allclose(scores[~seen], peer.decision_function(standard[~seen]), atol=1e-3)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_suite_names_its_bundle_and_every_part_decides(path):
    suite, found = read_suite(path.stem)

    assert (suite.name, suite.bundle, found) == (path.stem, path.stem, path)
    assert {one.part for one in suite.criteria} == set(suite.parts)
    assert json.loads(suite.model_dump_json())["gate"]["sets"]
