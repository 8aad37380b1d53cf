"""What `scipy.ndimage` gives for planes, in a fraction of its time: only what is asked for is worked out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array

TRUNCATE = 4.0
"""A Gaussian ends so many standard deviations from its middle, as in `scipy.ndimage.gaussian_filter`."""

BAND = 16
"""Pixels that are smoothed by one product of matrices; so few that little of it is multiplied by zero."""


@dataclass(frozen=True, slots=True)
class Line:
    """Places along one axis of an image: what smoothing and linear interpolation need to know of it.

    `needed` are the pixels that any place lies between, ascending; place i is `share[i]` of the way from pixel
    `needed[first[i]]` to pixel `needed[second[i]]`. `beyond` marks the places outside the outermost pixel centres.
    """

    size: int
    needed: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: NDArray[np.float32]
    beyond: NDArray[np.bool_]

    def around(self, pixels: NDArray[np.bool_]) -> slice:
        """Return the range of places, which ascend, that lies next to any of the `pixels`; all of them for none."""
        marked = pixels[self.needed]
        return _span(marked[self.first] | marked[self.second], axis=0)

    def part(self, places: slice) -> "Line":
        """Return some of the places."""
        return replace(
            self,
            first=self.first[places],
            second=self.second[places],
            share=self.share[places],
            beyond=self.beyond[places],
        )


def line(size: int, at: NDArray[np.float64]) -> Line:
    """Return the places `at`, pixel centres counting from 0, on an axis of `size` pixels."""
    clipped = np.minimum(np.maximum(at, 0), size - 1)
    first = np.minimum(clipped.astype(np.intp), max(0, size - 2))
    second = np.minimum(first + 1, size - 1)
    is_needed = np.zeros(size, dtype=np.bool_)
    is_needed[first] = is_needed[second] = True
    rank = np.cumsum(is_needed) - 1
    return Line(
        size=size,
        needed=np.flatnonzero(is_needed),
        first=rank[first],
        second=rank[second],
        share=(clipped - first).astype(np.float32),
        beyond=np.asarray((at < 0) | (at > size - 1)),
    )


def interpolated(
    planes: NDArray[np.float32], rows: Line, columns: Line, outside: float | None, sigma: float = 0.0
) -> NDArray[np.float32]:
    """Return `planes` (n, rows, columns) at places between their pixels, linearly, as `affine_transform` does.

    Args:
        planes: shape (n, `rows.size`, `columns.size`).
        rows: where the m rows of the result lie.
        columns: where its k columns lie.
        outside: the value of what lies beyond the outermost pixel centres; None: that of the nearest pixel.
        sigma: with which the planes are smoothed first, as by `gaussian_filter` with mode "nearest"; in pixels.

    Returns:
        Shape (n, m, k).
    """
    found = np.empty((len(planes), len(rows.first), len(columns.first)), dtype=np.float32)
    smoothing = Smoothing(planes.shape[1:], rows.needed, columns.needed, sigma)
    for index, plane in enumerate(planes):
        between_rows = _between(smoothing.of(plane), rows.first, rows.second, rows.share[:, np.newaxis], axis=0)
        found[index] = _between(between_rows, columns.first, columns.second, columns.share, axis=1)
    if outside is not None:
        found[:, rows.beyond] = outside
        found[:, :, columns.beyond] = outside
    return found


def turned(
    planes: NDArray[np.float32],
    places: NDArray[np.float64],
    outside: float,
    sigma: float = 0.0,
) -> NDArray[np.float32]:
    """Return `planes` (n, rows, columns) at `places` of any order, otherwise as `interpolated`.

    Args:
        places: shape (2, m, k): the row and the column of each value of the result, pixel centres counting from 0.
    """
    limits = np.array(planes.shape[1:])[:, np.newaxis] - 1
    at = places.reshape(2, -1)
    beyond = ((at < 0) | (at > limits)).any(axis=0)
    at = np.clip(at, 0, limits)
    first = np.minimum(at.astype(np.intp), np.maximum(limits - 1, 0))
    second = np.minimum(first + 1, limits)
    (top, left), (bottom, right) = first.min(axis=1), second.max(axis=1) + 1
    smoothing = Smoothing(planes.shape[1:], np.arange(top, bottom), np.arange(left, right), sigma)
    gather = _corners(first - [[top], [left]], second - [[top], [left]], at - first, (bottom - top, right - left))
    found = np.empty((len(planes), at.shape[1]), dtype=np.float32)
    for index, plane in enumerate(planes):
        found[index] = gather @ smoothing.of(plane).ravel()
    found[:, beyond] = outside
    return found.reshape(len(planes), *places.shape[1:])


def _corners(
    first: NDArray[np.intp], second: NDArray[np.intp], share: NDArray[np.float64], shape: tuple[int, int]
) -> csr_array:
    """Return the matrix that weighs the four pixels of a plane of `shape` around each place."""
    rows, columns = (first[0], second[0]), (first[1], second[1])
    down, across = (1 - share[0], share[0]), (1 - share[1], share[1])
    corners = np.stack([row * shape[1] + column for row in rows for column in columns], axis=1).astype(np.int32)
    weights = np.stack([row * column for row in down for column in across], axis=1)
    starts = np.arange(0, corners.size + 1, 4, dtype=np.int32)
    return csr_array((weights.ravel(), corners.ravel(), starts), shape=(len(corners), shape[0] * shape[1]))


class Smoothing:
    """A Gaussian over planes of one size, worked out at some of their rows and columns alone."""

    def __init__(self, shape: tuple[int, ...], rows: NDArray[np.intp], columns: NDArray[np.intp], sigma: float) -> None:
        """Take the shape of the planes, the rows and columns that are needed, ascending, and the width in pixels."""
        self._rows, self._columns = rows, columns
        self._down = _bands(shape[0], rows, sigma) if sigma > 0 else []
        self._across = _bands(shape[1], columns, sigma) if sigma > 0 else []

    def of(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a plane at the needed rows and columns."""
        if not self._down:
            return plane[self._rows[:, np.newaxis], self._columns]
        # The sums are of float64 and rounded after each axis, as scipy does it: the same float32 comes out.
        down = np.empty((len(self._rows), plane.shape[1]), dtype=np.float64)
        for band in self._down:
            down[band.to] = (band.weights @ plane[band.out_of].astype(np.float64)).astype(np.float32)
        across = np.empty((len(self._rows), len(self._columns)), dtype=np.float32)
        for band in self._across:
            across[:, band.to] = down[:, band.out_of] @ band.weights.T
        return across


@dataclass(frozen=True, slots=True)
class _Band:
    """Some neighbouring pixels of the result, the pixels that they are sums of, and the weights of these sums."""

    to: slice
    out_of: slice
    weights: NDArray[np.float64]


def _bands(size: int, needed: NDArray[np.intp], sigma: float) -> list[_Band]:
    radius = int(TRUNCATE * sigma + 0.5)
    steps = np.arange(2 * radius + 1)
    kernel = np.exp(-0.5 / sigma**2 * (steps - radius) ** 2)
    padded = np.zeros((len(needed), size + 2 * radius))
    padded[np.arange(len(needed))[:, np.newaxis], needed[:, np.newaxis] + steps] = kernel / kernel.sum()
    weights = padded[:, radius : radius + size]
    weights[:, 0] += padded[:, :radius].sum(axis=1)
    weights[:, -1] += padded[:, radius + size :].sum(axis=1)
    bands = []
    for start in range(0, len(needed), BAND):
        to = slice(start, min(start + BAND, len(needed)))
        out_of = slice(max(0, needed[start] - radius), min(size, needed[to.stop - 1] + radius + 1))
        bands.append(_Band(to, out_of, np.asfortranarray(weights[to, out_of])))
    return bands


def filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a plane with its holes filled; what `binary_fill_holes` gives, in one pass over what the mask spans."""
    whole = mask.copy()
    spanned = whole[_span(mask, axis=0), _span(mask, axis=1)]
    labels, count = ndimage.label(~spanned)
    hole = np.ones(count + 1, dtype=np.bool_)
    hole[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
    hole[0] = True
    spanned[...] = hole[labels]
    return whole


def _span(mask: NDArray[np.bool_], axis: int) -> slice:
    """Return the range along an axis that holds what is True, the whole of it where nothing is."""
    marked = np.asarray(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
    return slice(int(marked.argmax()), len(marked) - int(marked[::-1].argmax()))


def _between(
    plane: NDArray[np.float32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    share: NDArray[np.float32],
    axis: int,
) -> NDArray[np.float32]:
    before = plane.take(first, axis)
    step = plane.take(second, axis)
    step -= before
    step *= share
    step += before
    return step
