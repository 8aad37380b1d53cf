"""What is done to planes: the fast ways give what scipy gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from inference.planar import closed, dilated, filled, interpolated, opened

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=24), elements=st.booleans())
pairs = array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=24).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@given(masks)
def test_filling_holes_gives_what_scipy_gives(mask):
    assert np.array_equal(filled(mask), ndimage.binary_fill_holes(mask))


@given(masks)
def test_opening_gives_what_scipy_gives(mask):
    # A sparse random mask opens to nothing, so a thicker one is tried as well.
    for one in (mask, ndimage.binary_dilation(mask, iterations=2)):
        assert np.array_equal(opened(one, 5), ndimage.binary_opening(one, structure=np.ones((5, 5))))


@given(pairs, st.integers(1, 6))
def test_dilation_gives_what_scipy_gives(both, times):
    mask, tissue = both
    assert np.array_equal(dilated(mask, times), ndimage.binary_dilation(mask, iterations=times))
    for begun in (mask, mask & tissue):
        there = ndimage.binary_dilation(begun, iterations=times, mask=tissue)
        assert np.array_equal(dilated(begun, times, within=tissue), there)


@given(masks, st.integers(1, 3))
def test_closing_gives_what_scipy_gives_far_from_a_border(mask, times):
    there = ndimage.binary_closing(np.pad(mask, 2 * times), iterations=times)
    assert np.array_equal(closed(mask, times), there[2 * times : -2 * times, 2 * times : -2 * times])


@pytest.mark.parametrize("outside", [None, -5.0])
@given(
    arrays(np.float32, (2, 7, 9), elements=st.floats(-100, 100, width=32)),
    st.tuples(st.floats(0.2, 3), st.floats(0.2, 3), st.floats(-3, 5), st.floats(-3, 5)),
)
def test_interpolation_gives_what_scipy_gives(outside, planes, grid):
    row_step, column_step, row, column = grid
    mode = {"mode": "nearest"} if outside is None else {"mode": "constant", "cval": outside}
    steps = np.diag([row_step, column_step])
    there = [
        ndimage.affine_transform(one, steps, (row, column), output_shape=(11, 12), order=1, **mode) for one in planes
    ]

    here = interpolated(planes, row + row_step * np.arange(11), column + column_step * np.arange(12), outside)

    assert here.dtype == np.float32
    np.testing.assert_allclose(here, np.stack(there), atol=1e-4)


def test_a_plane_of_one_pixel_is_that_pixel_everywhere():
    one = np.full((1, 1, 1), 3.0, dtype=np.float32)
    assert (interpolated(one, np.array([-1.0, 0.0, 2.0]), np.array([0.0]), None) == 3).all()
