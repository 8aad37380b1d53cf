"""Percentiles are those of numpy, to the last bit: a model was trained on what they scale."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inference.percentiles import percentiles

images = st.one_of(
    arrays(np.float32, array_shapes(max_dims=3, max_side=12), elements=st.floats(-1e6, 1e6, width=32)),
    arrays(np.float32, array_shapes(max_dims=3, max_side=12), elements=st.integers(-3, 3).map(np.float32)),
)


@given(images, st.lists(st.floats(0, 100), min_size=1, max_size=3).map(sorted))
def test_percentiles_are_those_of_numpy(values, percents):
    before = values.copy()

    assert percentiles(values, percents) == np.percentile(values, percents).tolist()
    assert np.array_equal(values, before)


def test_the_ends_are_the_smallest_and_the_largest_value():
    assert percentiles(np.array([3, -2, 5, 0], dtype=np.float32), (0, 100)) == [-2, 5]
