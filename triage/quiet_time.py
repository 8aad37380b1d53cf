"""How long a scanner is usually silent in the middle of a study, learnt from what it sent before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

FEWEST_STUDIES = 30
"""With fewer, the quantile below would be the longest or the second longest silence: one odd study."""

QUANTILE = 0.95
"""Of the studies' longest silences. Up to 5 % of odd ones, such as a series added an hour later, change nothing."""

MARGIN = 1.5
"""The quiet period is this many times the quantile: what was never seen so far may be a little longer."""


@dataclass(frozen=True, slots=True)
class QuietBounds:
    """What a learned quiet period may be at least and at most."""

    shortest: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(seconds=60)


def learned_quiet_period(longest_silences: Sequence[timedelta], bounds: QuietBounds) -> timedelta | None:
    """Return how long to wait for a scanner, given the longest silence between two instances of each of its studies.

    None where too few studies are known. The quantile is the nearest rank: the ceil(0.95 n)-th smallest of n.
    """
    if len(longest_silences) < FEWEST_STUDIES:
        return None
    usual = sorted(longest_silences)[ceil(QUANTILE * len(longest_silences)) - 1]
    return min(max(MARGIN * usual, bounds.shortest), bounds.longest)
