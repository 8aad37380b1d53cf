"""Average run lengths of charts of normal values, by Gauss-Legendre quadrature of their integral equation.

The run length is the number of observations up to and with the one that alarms, from a chart that starts at zero.
"""

from collections.abc import Callable
from functools import cache
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import ndtr

from triage.errors import InvalidDesign

LONGEST = 1e9
"""Observations; what is longer than this cannot be told from never, and the equations lose their digits."""

NODES_PER_SD = 5
"""Nodes of the quadrature for each standard deviation that the kernel is wide; gives 8 digits and more."""

REACH_SD = 8.0
"""How far below its mean a one-sided EWMA is followed; it goes lower once in 10^15 observations."""


def cusum_run_length(k: float, h: float, shift: float) -> float:
    """Return the average run length of S = max(0, S + z - k), alarm when S > h, for z normal with mean `shift`, sd 1.

    Source: E. Page, Biometrika 41 (1954) 100-115, equation 4; C. Champ, S. Rigdon, Communications in Statistics -
    Simulation 20 (1991) 191-204 (quadrature with the atom at zero).
    """
    nodes, weights = _legendre(0.0, h, int(NODES_PER_SD * h) + 16)
    starts = np.append(0.0, nodes)
    drop = k - shift
    to_zero = ndtr(drop - starts)
    to_nodes = _density(nodes[None, :] - starts[:, None] + drop) * weights
    return _first_of_solution(np.column_stack([to_zero, to_nodes]))


def ewma_run_length(weight: float, limit: float, shift: float, sides: int) -> float:
    """Return the average run length of z = weight x + (1 - weight) z from zero, for x normal with mean `shift`, sd 1.

    Args:
        weight: in (0, 1].
        limit: multiple of the asymptotic standard deviation sqrt(weight / (2 - weight)) of z; fixed from the start.
        shift: mean of x.
        sides: 2 alarms beyond either limit, 1 above only; below, a one-sided chart is not reflected.

    Source: S. Crowder, Technometrics 29 (1987) 401-407, equation 2.
    """
    spread = sqrt(weight / (2 - weight))
    high = limit * spread
    low = -high if sides == 2 else min(0.0, shift) - REACH_SD * spread
    nodes, weights = _legendre(low, high, int(NODES_PER_SD * (high - low) / weight) + 16)
    starts = np.append(0.0, nodes)
    to_nodes = _density((nodes[None, :] - (1 - weight) * starts[:, None]) / weight - shift) * weights / weight
    return _first_of_solution(np.column_stack([np.zeros(len(starts)), to_nodes]))


def limit_for(run_length: Callable[[float], float], wanted: float, ceiling: float, tolerance: float = 1e-10) -> float:
    """Return the limit, to within `tolerance`, at which `run_length`, which grows with it, is `wanted`.

    Raises:
        InvalidDesign: no limit in (0, ceiling] has it.
    """

    def excess(limit: float) -> float:
        return log(run_length(limit) / wanted)

    low, high = 1e-6, 1.0
    if excess(low) > 0:
        raise InvalidDesign(f"run length {wanted:g}: shorter than that of the tightest limit, {run_length(low):.4g}")
    while excess(high) < 0:
        if high >= ceiling:
            raise InvalidDesign(f"run length {wanted:g}: no limit up to {ceiling:g} reaches it")
        low, high = high, min(2 * high, ceiling)
    return float(optimize.brentq(excess, low, high, xtol=tolerance, rtol=1e-12))


def either_of(*run_lengths: float) -> float:
    """Return the run length of charts side by side: rates of alarms add.

    Exact for the two sides of a CUSUM with one k >= 0 and one h (an alarm of one side finds the other at zero), else
    the long-run mean distance of alarms. Source: D. van Dobben de Bruyn, Cumulative Sum Tests (1968), section 2.3.
    """
    return 1 / sum(1 / one for one in run_lengths)


def _legendre(low: float, high: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if count > 4000:
        raise InvalidDesign(f"limit {high:g}: too wide to compute a run length, needed a narrower one")
    nodes, weights = _unit_legendre(count)
    half = (high - low) / 2
    return low + half * (nodes + 1), half * weights


@cache
def _unit_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


def _density(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-0.5 * values * values) / sqrt(2 * np.pi)


def _first_of_solution(moves: NDArray[np.float64]) -> float:
    """Return L(0) of L = 1 + moves L; a chart that never alarms within LONGEST observations counts as LONGEST."""
    solved = np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves)))
    length = float(solved[0])
    return length if 1 <= length < LONGEST else LONGEST
