"""Two windows of a stream compared: p-values that keep their level, and effect sizes that are no alarm.

Windows must not overlap. Where cases come in groups (patients, days), whole groups change windows under permutation.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from triage.errors import InvalidDataset

Numbers = NDArray[np.float64]

PERMUTATIONS = 499
AT_ONCE = 100
"""Permutations in one product of matrices."""

FEWEST = 2
SMALLEST_EXPECTED = 5.0
"""Of a cell, for the chi-square distribution to hold (Cochran 1954)."""

FLOOR = 1e-4
"""Share that an empty bin counts as in PSI, whose logarithm has no zero."""


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A statistic, larger for windows that differ more, and the p-value of no difference."""

    statistic: float
    p: float
    method: str


def mmd(
    before: Numbers,
    after: Numbers,
    groups: Sequence[Hashable] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 1,
) -> TwoSample:
    """Return the squared maximum mean discrepancy with a Gaussian kernel as wide as the median distance.

    Args:
        before: shape (cases, features) or (cases,).
        after: of the same features.
        groups: of the cases before and after, together; None when every case stands for itself.
        permutations: of cases or groups among the windows.
        seed: of the permutations.

    Raises:
        InvalidDataset: a window has fewer than two cases or values that are not finite.

    Source: A. Gretton et al., JMLR 13 (2012) 723-773, equation 5 (biased), section 8 (median heuristic).
    """
    distances = _distances(before, after)
    middle = float(np.median(distances[np.triu_indices(len(distances), 1)]))
    # Mostly equal values have a median distance of zero; the mean is zero only if all are equal.
    width = middle or float(distances.mean()) or 1.0
    return _permuted(np.exp(-(distances**2) / (2 * width**2)), len(before), groups, permutations, seed, "mmd")


def energy_distance(
    before: Numbers,
    after: Numbers,
    groups: Sequence[Hashable] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 1,
) -> TwoSample:
    """Return 2 E|X - Y| - E|X - X'| - E|Y - Y'|; arguments and errors are those of `mmd`.

    Source: G. Székely, M. Rizzo, Journal of Statistical Planning and Inference 143 (2013) 1249-1272.
    """
    return _permuted(-_distances(before, after), len(before), groups, permutations, seed, "energy distance")


def categories(before: Sequence[Hashable], after: Sequence[Hashable]) -> TwoSample:
    """Return the test of equal shares: chi-square, Fisher's exact for 2 x 2, permutation where cells are too small.

    The statistic is chi-square without continuity correction; one category alone gives p = 1.

    Raises:
        InvalidDataset: a window is empty.
    """
    table = _counts(before, after)
    if table.shape[1] == 1:
        return TwoSample(0.0, 1.0, "one category")
    found = stats.chi2_contingency(table, correction=False)
    statistic = float(found.statistic)
    if float(found.expected_freq.min()) >= SMALLEST_EXPECTED:
        return TwoSample(statistic, float(found.pvalue), "chi-square")
    if table.shape == (2, 2):
        return TwoSample(statistic, float(stats.fisher_exact(table).pvalue), "fisher")
    return TwoSample(statistic, _permuted_table(table, statistic), "chi-square, permutation")


def population_stability_index(before: Numbers, after: Numbers, bins: int = 10) -> float:
    """Return PSI over bins of equal share of `before`: an effect size; its customary 0.1 and 0.25 are no test.

    Raises:
        InvalidDataset: a window has fewer than two cases or values that are not finite.
    """
    shares_before, shares_after = (np.maximum(one, FLOOR) for one in _binned(before, after, bins))
    return float(np.sum((shares_after - shares_before) * np.log(shares_after / shares_before)))


def jensen_shannon(before: Numbers, after: Numbers, bins: int = 10) -> float:
    """Return the Jensen-Shannon divergence over the same bins, in bits: 0 equal, 1 apart; an effect size, no test."""
    first, second = _binned(before, after, bins)
    middle = (first + second) / 2
    return float(sum(stats.entropy(one, middle, base=2) for one in (first, second)) / 2)


def _distances(before: Numbers, after: Numbers) -> Numbers:
    together = np.concatenate([_cases(before), _cases(after)])
    distances: Numbers = cdist(together, together)
    return distances


def _cases(window: Numbers) -> Numbers:
    values = np.asarray(window, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if len(values) < FEWEST or not np.isfinite(values).all():
        raise InvalidDataset(f"window: {len(values)} cases, needed {FEWEST} or more, all of them finite numbers")
    return values


def _permuted(
    kernel: Numbers, count: int, groups: Sequence[Hashable] | None, permutations: int, seed: int, method: str
) -> TwoSample:
    """Return the quadratic form of the window weights in `kernel`, and its rank among those of permuted windows."""
    total = len(kernel)
    in_first = np.arange(total) < count
    names = range(total) if groups is None else [str(one) for one in groups]
    members = np.unique(np.array(names), return_inverse=True)[1]
    first_groups = np.zeros(int(members.max()) + 1, dtype=np.bool_)
    first_groups[members[in_first]] = True
    if groups is not None and first_groups[members[~in_first]].any():
        raise InvalidDataset("groups: one lies in both windows, needed windows that share none")
    random = np.random.default_rng(seed)
    observed = float(_discrepancies(kernel, in_first[None, :])[0])
    beyond, left = 0, permutations
    while left:
        batch = min(left, AT_ONCE)
        chosen = random.permuted(np.tile(first_groups, (batch, 1)), axis=1)[:, members]
        # The smallest difference of rounding must not make the same partition look more extreme.
        beyond += int((_discrepancies(kernel, chosen) >= observed - 1e-12).sum())
        left -= batch
    return TwoSample(observed, (1 + beyond) / (1 + permutations), f"{method}, {permutations} permutations")


def _discrepancies(kernel: Numbers, in_first: NDArray[np.bool_]) -> Numbers:
    sizes = in_first.sum(axis=1, keepdims=True)
    weights = np.where(in_first, 1 / sizes, -1 / (in_first.shape[1] - sizes))
    found: Numbers = np.einsum("ij,ij->i", weights @ kernel, weights)
    return found


def _counts(before: Sequence[Hashable], after: Sequence[Hashable]) -> NDArray[np.int64]:
    if not before or not after:
        raise InvalidDataset("window: no cases, needed one or more")
    names = sorted({str(one) for one in (*before, *after)})
    return np.array([[sum(str(one) == name for one in window) for name in names] for window in (before, after)])


def _permuted_table(table: NDArray[np.int64], statistic: float) -> float:
    """Return the p-value among tables with the same margins (Patefield), PERMUTATIONS of them."""
    tables = stats.random_table(table.sum(axis=1), table.sum(axis=0)).rvs(PERMUTATIONS, random_state=1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    drawn = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    return (1 + int((drawn >= statistic - 1e-9).sum())) / (1 + PERMUTATIONS)


def _binned(before: Numbers, after: Numbers, bins: int) -> tuple[Numbers, Numbers]:
    first, second = _cases(before)[:, 0], _cases(after)[:, 0]
    inner = np.unique(np.quantile(first, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(inner, one, side="right"), minlength=len(inner) + 1) / len(one)
        for one in (first, second)
    ]
    return shares[0], shares[1]
