"""Voxel to patient and back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.volume import Volume
from triage.errors import InvalidGeometry
from triage.identifiers import SopInstanceUid

HEAD = Volume(
    values=np.zeros((2, 3, 4), dtype=np.float32),
    unit="HU",
    spacing_mm=(5.0, 0.5, 0.8),
    sop_instance_uids=(SopInstanceUid("1.2.1"), SopInstanceUid("1.2.2")),
    frame_numbers=(None, None),
    origin_mm=(-100.0, -120.0, 30.0),
    orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    slice_step_mm=(0.0, 0.0, 5.0),
)


def test_a_voxel_is_placed_by_rows_and_columns_of_their_own_spacing():
    # Column 3 lies 3 x 0.8 mm to the left of the origin, row 2 lies 2 x 0.5 mm behind it, slice 1 lies 5 mm above.
    assert HEAD.to_patient(np.array([[1.0, 2.0, 3.0]])).tolist() == [[-97.6, -119.0, 35.0]]


@given(arrays(np.float64, (5, 3), elements=st.floats(-500, 500)))
def test_a_voxel_comes_back_from_the_patient(voxels):
    assert np.allclose(HEAD.to_voxel(HEAD.to_patient(voxels)), voxels, atol=1e-6)


def test_a_volume_without_position_has_no_affine():
    with pytest.raises(InvalidGeometry, match=r"1\.2\.1: position or orientation absent"):
        _ = replace(HEAD, origin_mm=None).affine


def test_a_volume_without_pixel_spacing_has_no_affine():
    with pytest.raises(InvalidGeometry, match="pixel spacing absent"):
        _ = replace(HEAD, spacing_mm=(5.0, None, None)).affine
