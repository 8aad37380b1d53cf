"""Agreement beyond chance, and what a model in the shadow would have changed."""

from math import sqrt

import numpy as np
import pytest

from validation.shadow_comparison import Pair, Said, shadow_document
from validation.statistics.agreement import agreement


def rated(both: int, only_a: int, only_b: int, neither: int):
    a = np.array([True] * (both + only_a) + [False] * (only_b + neither))
    b = np.array([True] * both + [False] * only_a + [True] * only_b + [False] * neither)
    return a, b


def test_kappa_and_its_interval_worked_by_hand():
    # 20 both, 5 only A, 10 only B, 15 neither: observed 0.7, A says yes in 0.5, B in 0.6, so 0.3 + 0.2 = 0.5 by chance.
    a, b = rated(20, 5, 10, 15)

    found = agreement(a, b, [str(n) for n in range(50)])

    # Fleiss, Cohen and Everitt: the sum of p_ij (delta_ij (1 - p_e) - (p_.i + p_j.)(1 - p_o))^2, less
    # (p_o p_e - 2 p_e + p_o)^2; the margins are crossed: B's share of A's category i, A's share of B's category j.
    cells = [(0.4, 1, 0.6, 0.5), (0.1, 0, 0.6, 0.5), (0.2, 0, 0.4, 0.5), (0.3, 1, 0.4, 0.5)]
    total = sum(p * (same * 0.5 - (of_b + of_a) * 0.3) ** 2 for p, same, of_b, of_a in cells)
    variance = (total - (0.7 * 0.5 - 2 * 0.5 + 0.7) ** 2) / (50 * 0.5**4)
    half = 1.959964 * sqrt(variance * 50 / 49)
    assert found.kappa.value == pytest.approx(0.4)
    assert found.kappa.interval == pytest.approx((0.4 - half, 0.4 + half), abs=1e-6)
    assert (found.both, found.only_a, found.only_b, found.neither) == (20, 5, 10, 15)
    assert found.observed.estimate.value == 0.7


def test_each_case_twice_is_no_more_than_each_case_once():
    a, b = rated(20, 5, 10, 15)
    names = [str(n) for n in range(50)]

    once, twice = agreement(a, b, names), agreement(np.tile(a, 2), np.tile(b, 2), names * 2)

    assert twice.kappa.interval == pytest.approx(once.kappa.interval)


def test_without_disagreement_kappa_has_no_interval_and_without_two_answers_no_value():
    never_differ = agreement(*rated(3, 0, 0, 7), [str(n) for n in range(10)])
    one_answer = agreement(*rated(0, 0, 0, 7), [str(n) for n in range(7)])

    assert (never_differ.kappa.value, never_differ.kappa.interval) == (1.0, None)
    assert "no width" in never_differ.reason
    assert (one_answer.kappa.value, one_answer.reason) == (None, "both always say the same one thing")


def test_the_interval_of_kappa_covers_it():
    random, covered = np.random.default_rng(3), 0
    clusters = [str(n) for n in range(150)]
    # Both say yes in half of the cases and agree in 80 % of them: kappa 0.6.
    for _ in range(2000):
        a = random.uniform(size=150) < 0.5
        interval = agreement(a, a ^ (random.uniform(size=150) < 0.2), clusters).kappa.interval
        covered += interval[0] <= 0.6 <= interval[1]

    assert abs(covered / 2000 - 0.95) <= 0.015


def test_what_would_have_changed_is_told_study_by_study():
    def said(probability):
        return None if probability is None else Said("head 1.0.0", probability, probability >= 0.5)

    answers = [(0.9, 0.8), (0.9, 0.2), (0.1, 0.7), (0.1, None), (None, 0.6), (None, None), (0.2, 0.1)]
    pairs = [Pair(f"s{n}", f"p{n}", said(a), said(b), "" if b else "no skull") for n, (a, b) in enumerate(answers)]

    document = shadow_document(pairs)

    assert [(one["study_instance_uid"], one["change"]) for one in document["would_have_changed"]] == [
        ("s1", "would not flag"),
        ("s2", "would flag"),
        ("s3", "would not answer"),
        ("s4", "would answer"),
    ]
    assert [document[f"{key}_answered"] for key in ("both", "only_served", "only_shadow", "neither")] == [4, 1, 1, 1]
    assert document["score_difference"]["value"] == pytest.approx((-0.1 - 0.7 + 0.6 - 0.1) / 4)
    assert document["score_difference"]["largest"] == 0.7
    assert shadow_document([])["agreement"]["kappa"] is None
