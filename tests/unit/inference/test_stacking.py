"""One regular stack, or a reason why not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from inference.slice_planes import SlicePlane
from inference.stacking import GeometryRule, stacked, unplaced
from triage.errors import InvalidGeometry

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
STRICT = GeometryRule()

angles = st.tuples(*[st.floats(-180, 180)] * 3)
spacings = st.floats(0.3, 12)


def axial(*heights_mm, spacing=(0.5, 0.8), orientation=AXIAL):
    return [SlicePlane((10.0, 20.0, height), orientation, spacing) for height in heights_mm]


def turned_stack(turn, between_slices, count):
    """Return planes turned by three angles in degrees, `between_slices` mm apart along their normal."""
    row, column, normal = Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T
    origin = np.array([3.0, -7.0, 11.0])
    return [
        SlicePlane(tuple(origin + index * between_slices * normal), tuple(np.concatenate([row, column])), (0.5, 0.8))
        for index in range(count)
    ]


def test_axial_slices_run_from_the_feet_to_the_head_whatever_their_order():
    stack = stacked(axial(30.0, 10.0, 20.0), STRICT)

    assert stack.order == (1, 2, 0)
    assert stack.origin_mm == (10.0, 20.0, 10.0)
    assert stack.slice_step_mm == (0.0, 0.0, 10.0)
    assert stack.spacing_mm == (10.0, 0.5, 0.8)


def test_sagittal_slices_run_from_the_right_to_the_left():
    planes = [SlicePlane((x, 0.0, 0.0), SAGITTAL, (1.0, 1.0)) for x in (4.0, -4.0, 0.0)]

    assert stacked(planes, STRICT).order == (1, 2, 0)


@given(angles, spacings, st.permutations(range(7)))
def test_the_order_of_the_files_changes_nothing(turn, between_slices, permutation):
    planes = turned_stack(turn, between_slices, 7)
    expected, found = stacked(planes, STRICT), stacked([planes[index] for index in permutation], STRICT)

    assert tuple(permutation[index] for index in found.order) == expected.order
    assert (found.origin_mm, found.slice_step_mm) == (expected.origin_mm, expected.slice_step_mm)
    assert found.spacing_mm[0] == pytest.approx(between_slices)


@given(angles, spacings)
def test_slices_run_along_the_normal_on_which_their_main_axis_increases(turn, between_slices):
    stack = stacked(turned_stack(turn, between_slices, 5), STRICT)
    step = np.array(stack.slice_step_mm)

    assert step[np.abs(step).argmax()] > 0
    assert np.cross(stack.orientation[:3], stack.orientation[3:]) @ step / between_slices == pytest.approx(
        np.sign(np.cross(stack.orientation[:3], stack.orientation[3:]) @ step)
    )


@given(angles, spacings, st.integers(1, 5))
def test_a_missing_slice_is_never_bridged(turn, between_slices, missing):
    planes = turned_stack(turn, between_slices, 7)
    del planes[missing]

    with pytest.raises(InvalidGeometry, match="apart among slices"):
        stacked(planes, STRICT)


def test_a_single_slice_has_a_place_but_no_slice_spacing():
    stack = stacked(axial(10.0), STRICT)

    assert stack.spacing_mm == (None, 0.5, 0.8)
    assert stack.slice_step_mm == (0.0, 0.0, 1.0)


def test_two_slices_at_one_position_are_refused():
    with pytest.raises(InvalidGeometry, match="two slices at one position"):
        stacked(axial(0.0, 5.0, 5.0, 10.0), STRICT)


def test_mixed_orientations_are_refused():
    with pytest.raises(InvalidGeometry, match="different orientations"):
        stacked([*axial(0.0, 5.0), SlicePlane((0.0, 0.0, 10.0), SAGITTAL, (0.5, 0.8))], STRICT)


def test_mixed_pixel_spacings_are_refused():
    with pytest.raises(InvalidGeometry, match="different Pixel Spacing"):
        stacked([*axial(0.0, 5.0), *axial(10.0, spacing=(0.6, 0.8))], STRICT)


def test_a_slice_without_position_among_others_is_refused():
    with pytest.raises(InvalidGeometry, match="without Image Position"):
        stacked([*axial(0.0, 5.0), SlicePlane(None, AXIAL, (0.5, 0.8))], STRICT)


def test_cosines_that_are_not_at_right_angles_are_refused():
    with pytest.raises(InvalidGeometry, match="not two unit vectors at right angles"):
        stacked(axial(0.0, 5.0, orientation=(1.0, 0.0, 0.0, 0.6, 0.8, 0.0)), STRICT)


def tilted(tilt_degrees):
    """Return axial planes shifted backwards from slice to slice, as a gantry tilted by so much leaves them."""
    shift = 5 * np.tan(np.radians(tilt_degrees))
    return [SlicePlane((0.0, index * shift, 5.0 * index), AXIAL, (0.5, 0.5)) for index in range(6)]


def test_a_tilted_gantry_is_refused_with_its_angle():
    with pytest.raises(InvalidGeometry, match=r"gantry tilt: .* 18\.5° off their normal, at most 0\.5°"):
        stacked(tilted(18.5), STRICT)


def test_a_tilt_that_the_rule_allows_is_kept_in_the_step():
    stack = stacked(tilted(18.5), GeometryRule(max_tilt_degrees=30))

    # A step 5 mm up and 5 mm x tan(18.5 degrees) = 1.673 mm back: exact, not straightened.
    assert stack.slice_step_mm == pytest.approx((0.0, 1.673, 5.0), abs=1e-3)
    assert stack.spacing_mm[0] == pytest.approx(5.0)


def test_rounded_positions_are_no_tilt():
    planes = [SlicePlane((0.0, round(0.004 * index, 2), 5.0 * index), AXIAL, (0.5, 0.5)) for index in range(6)]

    assert stacked(planes, STRICT).order == (0, 1, 2, 3, 4, 5)


def test_a_slice_beside_the_line_of_the_others_is_refused():
    planes = axial(0.0, 5.0, 10.0, 15.0, 20.0)
    planes[2] = SlicePlane((14.0, 20.0, 10.0), AXIAL, (0.5, 0.8))

    with pytest.raises(InvalidGeometry, match=r"4\.00 mm off the line"):
        stacked(planes, STRICT)


def test_images_without_a_place_keep_their_order_and_what_they_share():
    planes = [SlicePlane(None, None, (0.1, 0.2))] * 3

    assert unplaced(planes).order == (0, 1, 2)
    assert unplaced(planes).spacing_mm == (None, 0.1, 0.2)
    assert unplaced([*planes, SlicePlane(None, None, (0.3, 0.3))]).spacing_mm == (None, None, None)
