"""Where slices lie, and what is wrong with them."""

from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import AXIAL, an_image
from triage.completeness import irregularity, slice_normal, slice_stack, uncovered


def stack_of(*heights: float):
    images = [an_image(n, position_mm=(0.0, 0.0, height)) for n, height in enumerate(heights)]
    stack = slice_stack(images)
    assert stack is not None
    return stack


def test_slices_are_sorted_along_their_normal_whatever_order_they_came_in():
    assert stack_of(10, 0, 5).offsets_mm == (0, 5, 10)


def test_the_extent_counts_the_thickness_of_the_last_slice():
    assert stack_of(0, 5, 10).extent_mm == 15  # three slices of 5 mm


@pytest.mark.parametrize(
    ("heights", "said"),
    [
        ((0, 5, 10, 15), ""),
        ((0, 5, 15, 20), "slices 10.00 mm apart among slices 5.00 mm apart"),
        ((0, 5, 5, 10), "two slices at one position"),
        ((0, 1, 2, 8, 9), "slices 6.00 mm apart among slices 1.00 mm apart"),
        ((0, 2.5, 5.02, 7.5), ""),
    ],
)
def test_holes_and_twins_are_named(heights, said):
    assert irregularity(stack_of(*heights)) == said


def test_a_head_ct_thin_at_the_base_and_thick_above_is_uneven_yet_whole():
    # Four slices of 4 mm, then four of 7 mm; the two blocks overlap by the distance of 1 mm at the seam.
    images = [an_image(n, position_mm=(0.0, 0.0, 4.0 * n), slice_thickness_mm=4.0) for n in range(4)]
    images += [an_image(n, position_mm=(0.0, 0.0, 13.0 + 7.0 * n), slice_thickness_mm=7.0) for n in range(4)]

    whole, holed = slice_stack(images), slice_stack(images[:1] + images[2:])

    assert irregularity(whole) != ""
    assert uncovered(whole) == ""
    assert uncovered(holed) == "slices 8.00 mm apart, 4.00 and 4.00 mm thick"


def test_uneven_slices_that_do_not_say_how_thick_they_are_may_hide_a_hole():
    images = [an_image(n, position_mm=(0.0, 0.0, z), slice_thickness_mm=None) for n, z in enumerate((0.0, 5.0, 12.0))]

    assert uncovered(slice_stack(images)) != ""


def test_slices_of_two_orientations_form_no_stack():
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)

    assert slice_stack([an_image(0), an_image(1, orientation=coronal)]) is None


def test_slices_without_a_position_form_no_stack():
    assert slice_stack([an_image(0), an_image(1, position_mm=None)]) is None


def test_the_normal_of_an_axial_slice_points_to_the_head():
    assert slice_normal(AXIAL) == (0.0, 0.0, 1.0)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=40, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(heights, random):
    shuffled = list(heights)
    random.shuffle(shuffled)

    assert stack_of(*shuffled) == stack_of(*heights)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_every_normal_has_unit_length(tilt, turn):
    row = (1.0, tilt, turn)
    length = sqrt(sum(value**2 for value in row))
    column = (-tilt / sqrt(1 + tilt**2), 1 / sqrt(1 + tilt**2), 0.0)

    normal = slice_normal((row[0] / length, row[1] / length, row[2] / length, *column))

    assert isclose(sum(value**2 for value in normal), 1.0, rel_tol=1e-9)
