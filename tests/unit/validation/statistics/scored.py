"""Builders of scored cases for the tests of this folder."""

import numpy as np

from validation.statistics.scored_cases import ScoredCases


def scored(truth, scores, clusters=None):
    """Return scored cases named by their number."""
    names = tuple(str(number) for number in range(len(truth)))
    members = None if clusters is None else tuple(clusters)
    return ScoredCases(names, np.array(truth, dtype=bool), np.array(scores, dtype=float), members)


def drawn(random, n, shift, clusters=None):
    """Return `n` cases, two in five positive, whose scores are normal and `shift` higher for positives."""
    truth = np.arange(n) % 5 < 2
    return scored(truth, random.normal(size=n) + shift * truth, clusters)
