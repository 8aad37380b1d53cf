"""One limit for all charts of a site: how many false alarms it gives, over baselines that are estimates.

Each chart alarms falsely at a rate that depends on how wrong its baseline happens to be: the target is off by chance,
and a spread that looked wider than chance divides what comes later. Of all baselines of the same length, nine in ten
keep the interval; what they give on average is known too, and is what a simulation of many sites must show.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from validation.drift.baselines import GUARANTEE

Numbers = NDArray[np.float64]

REFERENCE_VALUE = 0.5
"""k: tuned to a shift of one standard deviation of a day."""

DAYS_PER_YEAR = 365.25
SITES_DRAWN = 2000
OVERSHOOT = 1.166
"""Twice 0.583: what the walk of a CUSUM goes beyond its two ends, on average."""

NEARLY_NONE = 1e-4


@dataclass(frozen=True, slots=True, order=True)
class Basis:
    """What a chart rests on: the days of its baseline that have a value, and their share of all of its days.

    `sharpness` is how much of what a baseline is off by shows in the values, as in `DailySeries`.
    """

    days: int
    observed: float = 1.0
    sharpness: float = 1.0


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """The limit of a site's charts, and the false alarms a year of one on each basis: a mean over baselines."""

    limit: float
    false_per_year: Mapping[Basis, float]


@cache
def shared_limit(charts: tuple[Basis, ...], others: int, years: float) -> SharedLimit:
    """Return the limit of `charts`, in order, beside `others` alarms of health that have their own shares.

    Without a chart that can alarm by chance the limit is that of one with a long baseline.

    Of SITES_DRAWN sites with estimated targets and spreads, nine in ten keep `years` between false alarms.
    """
    charts = charts or (Basis(round(DAYS_PER_YEAR)),)
    random = np.random.default_rng(1)
    days, observed, sharp = np.array([(one.days, one.observed, one.sharpness) for one in charts]).T
    shape = (SITES_DRAWN, len(charts))
    shifts = np.abs(random.standard_normal(shape)) * sharp / np.sqrt(days)
    # Daily values are divided by their spread in the baseline only where that is wider than chance.
    spreads = np.maximum(1.0, 1 + random.standard_normal(shape) / np.sqrt(2 * days))
    share = len(charts) / (len(charts) + others)

    def alarms(limit: float) -> Numbers:
        rates = _alarms_per_day(limit, shifts, spreads) + _alarms_per_day(limit, -shifts, spreads)
        found: Numbers = DAYS_PER_YEAR * observed * rates
        return found

    def excess(limit: float) -> float:
        return float(np.log(np.quantile(alarms(limit).sum(axis=1), GUARANTEE) * years / share))

    limit = float(optimize.brentq(excess, 1.0, 40.0, xtol=1e-3))
    return SharedLimit(limit, dict(zip(charts, alarms(limit).mean(axis=0).tolist(), strict=True)))


def _alarms_per_day(limit: float, shifts: Numbers, spreads: Numbers) -> Numbers:
    """Return the inverse of the run length of a one-sided CUSUM of values with such means, then divided by `spreads`.

    Within 1 % of the integral equation at the limits in use, and thousands of baselines at once.

    Source: D. Siegmund, Sequential Analysis (1985), section 2.6, corrected diffusion approximation.
    """
    drift = shifts - REFERENCE_VALUE * spreads
    height = limit * spreads + OVERSHOOT
    far = 2 * drift * height
    shape = np.where(np.abs(far) < NEARLY_NONE, 0.5, (np.exp(-far) + far - 1) / np.where(far == 0, 1.0, far) ** 2)
    found: Numbers = 1 / (2 * height**2 * shape)
    return found
