"""The bootstrap draws what it says, and the same for the same seed."""

import numpy as np
import pytest

from tests.unit.validation.statistics.scored import drawn, scored
from validation.discrimination import placements, roc_area
from validation.statistics.bootstrap import area_of_samples, bootstrap, of_samples


def area(truth, scores):
    return float(placements(scores[truth], scores[~truth])[0].mean())


def interval(cases, seed, draws=2000):
    return bootstrap(cases, area_of_samples(cases), seed, draws)


def test_the_area_of_a_sample_is_that_of_its_cases():
    random = np.random.default_rng(5)
    cases = scored(np.arange(30) % 3 == 0, random.integers(0, 8, 30))
    weights = random.multinomial(30, [1 / 30] * 30, size=20)

    assert area_of_samples(cases)(weights) == pytest.approx(of_samples(cases, area)(weights))


def test_the_same_seed_gives_the_same_interval_and_another_another():
    cases = drawn(np.random.default_rng(1), 60, 1.0)

    assert interval(cases, 7, 200) == interval(cases, 7, 200)
    assert interval(cases, 8, 200) != interval(cases, 7, 200)


def test_it_agrees_with_delong():
    cases = drawn(np.random.default_rng(2), 300, 1.0)
    error = roc_area(cases.truth.tolist(), cases.scores.tolist()).standard_error

    low, high = interval(cases, 1).interval

    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.1)


def test_copies_within_clusters_make_it_no_narrower():
    once = drawn(np.random.default_rng(3), 100, 1.0, [str(number) for number in range(100)])
    four = scored(np.tile(once.truth, 4), np.tile(once.scores, 4), list(once.clusters) * 4)

    widths = [float(np.subtract(*interval(cases, 1).interval)) for cases in (once, four)]

    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_every_sample_has_as_many_of_each_kind():
    seen = set()

    def counted(truth, scores):
        seen.add((int(truth.sum()), int((~truth).sum())))
        return area(truth, scores)

    cases = drawn(np.random.default_rng(4), 50, 1.0)
    bootstrap(cases, of_samples(cases, counted), 1, 50)

    assert seen == {(20, 30)}


@pytest.mark.parametrize("truth", [[1, 1, 1], [1, 0, 0]])
def test_too_few_of_a_kind_give_no_interval(truth):
    assert interval(scored(truth, [3, 2, 1]), 1, 10).interval is None
