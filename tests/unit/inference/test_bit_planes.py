"""Planes as whole numbers: what is done to them gives what scipy gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from inference.bit_planes import BitPlanes

shapes = array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=24)
masks = arrays(np.bool_, shapes, elements=st.booleans())
pairs = shapes.flatmap(lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape)))


def planes_like(mask):
    return BitPlanes(*mask.shape, reach=3)


def as_number(mask):
    return planes_like(mask).packed(mask[np.newaxis])[0]


def as_mask(number, like):
    return planes_like(like).unpacked([number])[0]


@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=24)))
def test_what_is_packed_is_unpacked_and_has_its_area(masks):
    bits = BitPlanes(masks.shape[1], masks.shape[2], reach=3)
    packed = bits.packed(masks)

    assert np.array_equal(bits.unpacked(packed), masks)
    assert [one.bit_count() for one in packed] == [int(mask.sum()) for mask in masks]


@given(masks)
def test_opening_gives_what_scipy_gives(mask):
    # A sparse random mask opens to nothing, so a thicker one is tried as well.
    for one in (mask, ndimage.binary_dilation(mask, iterations=2)):
        there = ndimage.binary_opening(one, structure=np.ones((5, 5)))
        assert np.array_equal(as_mask(planes_like(one).opened(as_number(one), 5), one), there)


@given(pairs, st.integers(1, 8))
def test_dilation_gives_what_scipy_gives(both, times):
    mask, tissue = both
    bits = planes_like(mask)

    assert np.array_equal(
        as_mask(bits.dilated(as_number(mask), times), mask), ndimage.binary_dilation(mask, iterations=times)
    )
    for begun in (mask, mask & tissue):
        there = ndimage.binary_dilation(begun, iterations=times, mask=tissue)
        here = bits.dilated(as_number(begun), times, within=as_number(tissue))
        assert np.array_equal(as_mask(here, mask), there)


@given(masks, st.integers(1, 3))
def test_closing_gives_what_scipy_gives_far_from_a_border(mask, times):
    there = ndimage.binary_closing(np.pad(mask, 2 * times), iterations=times)[
        2 * times : -2 * times, 2 * times : -2 * times
    ]

    assert np.array_equal(as_mask(planes_like(mask).closed(as_number(mask), times), mask), there)
