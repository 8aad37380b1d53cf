"""Finding the head: the fast ways give what the plain ones give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from inference import head

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=24), elements=st.booleans())


@given(masks)
def test_filling_holes_gives_what_scipy_gives(mask):
    assert np.array_equal(head._filled(mask), ndimage.binary_fill_holes(mask))


@given(masks)
def test_opening_gives_what_scipy_gives(mask):
    # A sparse random mask opens to nothing, so a thicker one is tried as well.
    for one in (mask, ndimage.binary_dilation(mask, iterations=2)):
        assert np.array_equal(head._opened(one), ndimage.binary_opening(one, structure=np.ones((5, 5))))
