"""What `numpy.percentile` gives, in a fraction of its time: float32 are selected as the integers of the same order."""

from collections.abc import Iterable
from math import floor

import numpy as np
from numpy.typing import NDArray

_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)


def percentiles(values: NDArray[np.float32], percents: Iterable[float]) -> list[float]:
    """Return the percentiles of `values`, which are finite, by linear interpolation; `percents` ascend."""
    bits = np.ascontiguousarray(values).view(np.int32).ravel()
    # The bits of floats, read as integers, are in the order of the floats; of negative ones in the opposite order.
    rest = bits ^ (bits >> 31 & _ALL_BUT_SIGN)
    passed, found = 0, []
    for percent in percents:
        place = (bits.size - 1) * (percent / 100)
        steps = floor(place) - passed
        rest.partition(steps)
        rest, passed = rest[steps:], floor(place)
        found.append(_between(rest[0], rest[1:].min() if len(rest) > 1 else rest[0], place - passed))
    return found


def _between(low: np.int32, high: np.int32, share: float) -> float:
    # numpy takes the difference as float32, goes on in float64, and starts from the nearer end.
    before, after = (np.int32(one ^ (one >> 31 & _ALL_BUT_SIGN)).view(np.float32) for one in (low, high))
    step = float(after - before)
    return float(before) + step * share if share < 0.5 else float(after) - step * (1 - share)
