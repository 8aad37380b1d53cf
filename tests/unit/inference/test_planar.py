"""What is done to planes: the fast ways give what scipy gives, to the bit where the answer of a model hangs on it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from inference.planar import Smoothing, filled, interpolated, line, turned

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=24), elements=st.booleans())
planes = arrays(np.float32, (2, 17, 23), elements=st.floats(-100, 100, width=32))
sigmas = st.sampled_from([0.0, 0.4, 0.55, 1.3, 6.0])


@given(masks)
def test_filling_holes_gives_what_scipy_gives(mask):
    assert np.array_equal(filled(mask), ndimage.binary_fill_holes(mask))


def smoothed(planes, sigma):
    return ndimage.gaussian_filter(planes, (0, sigma, sigma), mode="nearest") if sigma else planes


def at_every_pixel(planes, sigma):
    smoothing = Smoothing(planes.shape[1:], np.arange(planes.shape[1]), np.arange(planes.shape[2]), sigma)
    return np.stack([smoothing.of(plane) for plane in planes])


@settings(deadline=None)
@given(planes, sigmas)
def test_smoothing_gives_what_scipy_gives(planes, sigma):
    np.testing.assert_allclose(at_every_pixel(planes, sigma), smoothed(planes, sigma), rtol=3e-7, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.45, 0.8, 1.6])
def test_smoothing_a_scan_gives_the_bits_that_scipy_gives(sigma):
    scan = np.random.default_rng(2026).integers(-20, 101, (4, 90, 110)).astype(np.float32)

    assert np.array_equal(at_every_pixel(scan, sigma), smoothed(scan, sigma))


@pytest.mark.parametrize("outside", [None, -5.0])
@settings(deadline=None)
@given(planes, sigmas, st.tuples(st.floats(0.2, 3), st.floats(0.2, 3), st.floats(-3, 5), st.floats(-3, 5)))
def test_interpolation_gives_what_scipy_gives(outside, planes, sigma, grid):
    row_step, column_step, row, column = grid
    mode = {"mode": "nearest"} if outside is None else {"mode": "constant", "cval": outside}
    steps = np.diag([row_step, column_step])
    there = [
        ndimage.affine_transform(one, steps, (row, column), output_shape=(11, 12), order=1, **mode)
        for one in smoothed(planes, sigma)
    ]
    rows = line(planes.shape[1], row + row_step * np.arange(11))
    columns = line(planes.shape[2], column + column_step * np.arange(12))

    here = interpolated(planes, rows, columns, outside, sigma)

    assert here.dtype == np.float32
    np.testing.assert_allclose(here, np.stack(there), atol=1e-4)


@settings(deadline=None)
@given(planes, sigmas, st.floats(-180, 180), st.floats(0.3, 2), st.tuples(st.floats(-5, 15), st.floats(-5, 20)))
def test_a_turned_grid_gives_what_scipy_gives(planes, sigma, angle, scale, origin):
    cosine, sine = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    there = [
        ndimage.affine_transform(one, turn, origin, output_shape=(9, 14), order=1, mode="constant", cval=-5.0)
        for one in smoothed(planes, sigma)
    ]
    down, right = np.arange(9)[:, np.newaxis], np.arange(14)
    places = np.stack([origin[way] + turn[way, 0] * down + turn[way, 1] * right for way in (0, 1)])

    here = turned(planes, places, -5.0, sigma)

    # A place whose coordinate is an ulp away from the border may lie on either side of it.
    limits = np.array(planes.shape[1:])[:, np.newaxis, np.newaxis] - 1
    doubtful = ((np.abs(places) < 1e-9) | (np.abs(places - limits) < 1e-9)).any(axis=0)
    np.testing.assert_allclose(here[:, ~doubtful], np.stack(there)[:, ~doubtful], rtol=3e-7, atol=1e-5)


def test_a_turned_scan_has_the_bits_that_scipy_gives():
    scan = np.random.default_rng(2026).integers(-20, 101, (3, 90, 110)).astype(np.float32)
    turn, origin = 1.2 * np.array([[0.96, -0.28], [0.28, 0.96]]), np.array([7.3, -4.1])
    there = [ndimage.affine_transform(one, turn, origin, output_shape=(64, 64), order=1, cval=-20.0) for one in scan]
    down, right = np.arange(64)[:, np.newaxis], np.arange(64)
    places = np.stack([origin[way] + turn[way, 0] * down + turn[way, 1] * right for way in (0, 1)])

    assert np.array_equal(turned(scan, places, -20.0), np.stack(there))


@settings(deadline=None)
@given(arrays(np.float32, (1, 12, 15), elements=st.floats(-100, 100, width=32)), arrays(np.bool_, 12))
def test_a_part_of_a_line_gives_that_part_of_the_image(planes, marked):
    rows, columns = line(12, -0.3 + 0.4 * np.arange(32)), line(15, np.arange(15.0))
    near = rows.around(marked)
    whole = interpolated(planes, rows, columns, None)

    assert np.array_equal(interpolated(planes, rows.part(near), columns, None), whole[:, near])
    beside = [place for place in range(32) if marked[rows.first[place]] or marked[rows.second[place]]]
    assert not beside or (near.start, near.stop) == (beside[0], beside[-1] + 1)


def test_a_plane_of_one_pixel_is_that_pixel_everywhere():
    one = np.full((1, 1, 1), 3.0, dtype=np.float32)
    places = np.stack(np.meshgrid([-1.0, 0.0, 2.0], [0.0], indexing="ij"))

    assert (interpolated(one, line(1, np.array([-1.0, 0.0, 2.0])), line(1, np.array([0.0])), None) == 3).all()
    assert turned(one, places, -5.0).tolist() == [[[-5], [3], [-5]]]
