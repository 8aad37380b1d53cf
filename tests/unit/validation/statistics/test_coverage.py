"""Every interval holds the truth about as often as it says: 2,000 data sets each, nominal 95 % ± 1.5 points.

Where the cases are so few that coverage moves in steps (exact intervals, small counts), the bound that holds is tested:
Clopper-Pearson never covers less than it says.
"""

from math import sqrt

import numpy as np
import pytest
from scipy import special, stats

from tests.unit.validation.statistics.scored import drawn, scored
from validation.discrimination import roc_area
from validation.intervals import clopper_pearson, clustered_proportion, wilson
from validation.statistics.at_threshold import predictive_values, share
from validation.statistics.bootstrap import area_of_samples, bootstrap
from validation.statistics.comparison import paired_difference, unpaired_difference
from validation.statistics.froc import Lesion, Mark, cpm_interval, match
from validation.statistics.mrmc import (
    error_covariances,
    fixed_readers,
    jackknife_covariance,
    random_readers_random_cases,
    reader_areas,
)
from validation.statistics.proportion_differences import PairedCounts, newcombe_independent, newcombe_paired

DRAWS = 2000
NOMINAL, TOLERANCE = 0.95, 0.015


def covered(intervals, truth):
    """Return the share of intervals that hold `truth`."""
    ends = np.array(intervals)
    assert ends.shape == (DRAWS, 2)
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def close_to_nominal(coverage):
    return abs(coverage - NOMINAL) <= TOLERANCE


def test_wilson():
    hits = np.random.default_rng(1).binomial(120, 0.83, DRAWS)

    assert close_to_nominal(covered([wilson(int(x), 120) for x in hits], 0.83))


@pytest.mark.parametrize(("n", "rate"), [(50, 0.9), (120, 0.83), (400, 0.5)])
def test_clopper_pearson_never_covers_less_than_it_says(n, rate):
    # No simulation needed: the coverage is the probability of the counts whose interval holds the rate.
    inside = [x for x in range(n + 1) if clopper_pearson(x, n)[0] <= rate <= clopper_pearson(x, n)[1]]

    assert NOMINAL <= stats.binom.pmf(inside, n, rate).sum() <= 0.98


def test_clustered_proportion():
    # 150 patients with 1 to 4 cases; a patient's share is Beta(4, 2), mean 2/3.
    random = np.random.default_rng(2)
    members = np.repeat(np.arange(150), np.arange(150) % 4 + 1)
    names = members.astype(str).tolist()
    shares = random.beta(4, 2, (DRAWS, 150))
    successes = random.random((DRAWS, len(members))) < shares[:, members]

    found = [clustered_proportion(row.tolist(), names).estimate.interval for row in successes]

    assert close_to_nominal(covered(found, 2 / 3))


def test_predictive_values_elsewhere():
    # Se 0.85 of 120, Sp 0.8 of 200, at prevalence 0.05.
    random = np.random.default_rng(3)
    hits, passes = random.binomial(120, 0.85, DRAWS), random.binomial(200, 0.8, DRAWS)

    found = [predictive_values(share(int(x), 120), share(int(y), 200), 0.05) for x, y in zip(hits, passes, strict=True)]

    assert close_to_nominal(covered([ppv.interval for ppv, _ in found], 0.85 * 0.05 / (0.85 * 0.05 + 0.2 * 0.95)))
    assert close_to_nominal(covered([npv.interval for _, npv in found], 0.8 * 0.95 / (0.8 * 0.95 + 0.15 * 0.05)))


def test_newcombe_independent():
    random = np.random.default_rng(4)
    xs, ys = random.binomial(90, 0.8, DRAWS), random.binomial(110, 0.7, DRAWS)

    found = [newcombe_independent(int(x), 90, int(y), 110) for x, y in zip(xs, ys, strict=True)]

    assert close_to_nominal(covered(found, -0.1))


def test_newcombe_paired():
    # Both right 0.7, A alone 0.05, B alone 0.13, neither 0.12: B better by 0.08.
    tables = np.random.default_rng(5).multinomial(150, [0.7, 0.05, 0.13, 0.12], DRAWS)

    found = [newcombe_paired(PairedCounts(*map(int, row))) for row in tables]

    assert close_to_nominal(covered(found, 0.08))


def areas_found(shift, clusters=None):
    random = np.random.default_rng(6)
    return [
        roc_area(one.truth.tolist(), one.scores.tolist(), one.clusters)
        for one in (drawn(random, 100, shift, clusters) for _ in range(DRAWS))
    ]


def test_delong_plain_and_logit():
    # Unit normal scores apart by 1: AUC Phi(1/sqrt 2).
    found = areas_found(1.0)
    truth = stats.norm.cdf(1 / sqrt(2))

    plain = [(one.estimate.value - 1.959964 * one.standard_error, one.estimate.value + 1.959964 * one.standard_error)
             for one in found]  # fmt: skip
    assert close_to_nominal(covered(plain, truth))
    assert close_to_nominal(covered([one.estimate.interval for one in found], truth))


def test_the_logit_interval_at_a_high_area():
    # AUC Phi(2.5/sqrt 2) = 0.961, where the plain interval covers too little.
    found = areas_found(2.5)

    assert close_to_nominal(covered([one.estimate.interval for one in found], stats.norm.cdf(2.5 / sqrt(2))))


def test_obuchowski_by_patient():
    # 120 patients of 3 images; score = patient effect + noise, both of variance 1/2, + 1 in the positive image.
    random = np.random.default_rng(7)
    patients = np.repeat(np.arange(120), 3)
    names = patients.astype(str).tolist()
    truth = np.tile([True, False, False], 120)
    effects, noise = random.normal(size=(DRAWS, 120)), random.normal(size=(DRAWS, 360))
    scores = (effects[:, patients] + noise) * sqrt(0.5) + truth

    found = [roc_area(truth.tolist(), row.tolist(), names).estimate.interval for row in scores]

    # Of 120 * 240 pairs, 120 * 2 share their patient: their difference has variance 1, that of others 2.
    within, between = stats.norm.cdf(1), stats.norm.cdf(1 / sqrt(2))
    assert close_to_nominal(covered(found, (within + 119 * between) / 120))


def test_paired_and_unpaired_differences():
    # Scores that share half their variance; AUC Phi(1/sqrt 2) against Phi(1.3/sqrt 2).
    random = np.random.default_rng(8)
    paired, unpaired = [], []
    for _ in range(DRAWS):
        a, other = drawn(random, 120, 1.0), drawn(random, 120, 1.3)
        noise = random.normal(size=120)
        b = scored(a.truth, ((a.scores - a.truth) + noise) * sqrt(0.5) + 1.3 * a.truth)
        paired.append(paired_difference(a, b).interval)
        unpaired.append(unpaired_difference(a, other).interval)

    expected = stats.norm.cdf(1.3 / sqrt(2)) - stats.norm.cdf(1 / sqrt(2))
    assert close_to_nominal(covered(paired, expected))
    assert close_to_nominal(covered(unpaired, expected))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bootstrap_of_the_area():
    random = np.random.default_rng(9)

    found = []
    for seed in range(DRAWS):
        cases = drawn(random, 150, 1.0)
        found.append(bootstrap(cases, area_of_samples(cases), seed, draws=400).interval)

    assert close_to_nominal(covered(found, stats.norm.cdf(1 / sqrt(2))))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bootstrap_of_the_cpm():
    # One lesion in every case, found with probability 1 - Phi(t - 1.5) above t; two false marks in every case, each
    # above t with probability 1 - Phi(t). At a rate r < 2 the threshold is Phi^-1(1 - r/2); from 2 on all is found.
    random = np.random.default_rng(10)
    cases = [str(number) for number in range(60)]
    lesions = [Lesion(case, (0.0, 0.0, 0.0), 1.0) for case in cases]
    found = []
    for seed in range(DRAWS):
        hits, false = random.normal(size=60) + 1.5, random.normal(size=(60, 2))
        marks = [Mark(case, (0.0, 0.0, 0.0), float(score)) for case, score in zip(cases, hits, strict=True)]
        marks += [Mark(case, (9.0, 0.0, 0.0), float(score)) for case, row in zip(cases, false, strict=True)
                  for score in row]  # fmt: skip
        found.append(cpm_interval(match(cases, lesions, marks), seed, draws=200))

    rates = np.array([0.125, 0.25, 0.5, 1])
    truth = (float(special.ndtr(1.5 - special.ndtri(1 - rates / 2)).sum()) + 3) / 7
    assert close_to_nominal(covered(found, truth))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mrmc_random_and_fixed_readers():
    # Rating = 1.5 * truth * (modality 1: +0.3) + case + reader by modality effect on positives + noise.
    random = np.random.default_rng(11)
    truth = np.arange(80) % 5 < 2
    shifts = np.array([1.2, 1.5])
    spread = 0.3
    random_readers, fixed = [], []
    skill_of_fixed = np.array([[0.2, -0.1, 0.0, 0.1, -0.2]] * 2)
    for _ in range(DRAWS):
        skill = random.normal(size=(2, 5)) * spread
        noise = (random.normal(size=80) + random.normal(size=(2, 5, 80))) * sqrt(0.5)
        for effects, found in ((skill, random_readers), (skill_of_fixed, fixed)):
            ratings = noise + (shifts[:, None] + effects)[:, :, None] * truth
            areas, errors = reader_areas(truth, ratings), error_covariances(jackknife_covariance(truth, ratings), 2, 5)
            test = random_readers_random_cases if found is random_readers else fixed_readers
            found.append(test(areas, errors).differences[0].interval)

    # Random readers: the difference of positive and negative has variance 2 + spread².
    of_all = stats.norm.cdf(shifts / sqrt(2 + spread**2))
    of_these = stats.norm.cdf((shifts[:, None] + skill_of_fixed) / sqrt(2)).mean(axis=1)
    assert close_to_nominal(covered(random_readers, of_all[0] - of_all[1]))
    assert close_to_nominal(covered(fixed, of_these[0] - of_these[1]))
