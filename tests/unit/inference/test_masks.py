"""Masks: from a map of logits to pixels of an image, to a short text and back, to millimetres and millilitres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.head import whole_image
from inference.masks import LONGEST_DIAMETER, VOLUME, masks_on_images, measurements_of, packed_masks, unpacked
from inference.volume import Volume
from models.triage_spec import Segmentation
from triage.findings import Code
from triage.identifiers import SopInstanceUid

HOW = Segmentation(threshold=0.5, min_share=0.0, code=Code("52988006", "SCT", "Lesion"))


def a_volume(shape, spacing=(None, 1.0, 1.0)):
    uids = tuple(SopInstanceUid(str(index)) for index in range(shape[0]))
    return Volume(np.zeros(shape, np.float32), "stored", spacing, uids, (None,) * shape[0])


def test_a_disc_on_the_map_is_a_disc_of_the_same_place_and_size_on_a_wide_image():
    row, column = np.mgrid[0:96, 0:96] + 0.5
    # On an image of 100 by 200 pixels the square grid covers 200 by 200, 50 rows of it above the image.
    maps = (20 - np.hypot(row - 48, column - 30))[np.newaxis].astype(np.float32)

    (mask,) = masks_on_images(maps, whole_image((100, 200), 192, 192), (100, 200), HOW)

    rows, columns = np.nonzero(mask)
    assert rows.mean() + 0.5 == pytest.approx(50, abs=0.5)
    assert columns.mean() + 0.5 == pytest.approx(30 * 200 / 96, abs=0.5)
    assert mask.sum() == pytest.approx(np.pi * (20 * 200 / 96) ** 2, rel=0.02)


def test_pieces_smaller_than_the_share_are_left_out():
    maps = np.full((1, 50, 50), -5, dtype=np.float32)
    maps[0, 10:30, 10:30], maps[0, 40:42, 40:42] = 5, 5

    (mask,) = masks_on_images(maps, whole_image((100, 100), 100, 100), (100, 100), Segmentation(0.5, 0.01, HOW.code))

    assert mask[40, 40]
    assert not mask[70:, 70:].any()


@given(arrays.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 17), st.integers(1, 17))))
def test_what_is_packed_is_unpacked(masks):
    packed = packed_masks(masks, a_volume(masks.shape))

    assert [one.sop_instance_uid for one in packed] == [str(index) for index in range(len(masks)) if masks[index].any()]
    for one in packed:
        assert np.array_equal(unpacked(one), masks[int(one.sop_instance_uid)])


def test_a_box_measures_its_diagonal_in_mm_and_its_volume_in_ml():
    masks = np.zeros((4, 40, 40), dtype=bool)
    masks[1:3, 10:21, 10:31] = True

    longest, volume = measurements_of(masks, (5.0, 0.5, 2.0), even=True)

    assert (longest.quantity, longest.unit) == (LONGEST_DIAMETER, "mm")
    assert longest.value == pytest.approx(np.hypot(10 * 0.5, 20 * 2.0), abs=0.05)
    assert (volume.quantity, volume.unit) == (VOLUME, "mL")
    assert volume.value == pytest.approx(2 * 11 * 21 * 5.0 * 0.5 * 2.0 / 1000, abs=0.005)


@pytest.mark.parametrize(
    ("spacing", "even", "measured"),
    [((None, None, None), False, 0), ((5.0, 1.0, 1.0), False, 1), ((None, 1.0, 1.0), True, 1)],
)
def test_what_the_spacing_does_not_allow_is_not_measured(spacing, even, measured):
    assert len(measurements_of(np.ones((2, 4, 4), dtype=bool), spacing, even)) == measured


def test_pieces_are_measured_each_for_itself_and_a_line_has_a_length():
    masks = np.zeros((1, 30, 30), dtype=bool)
    masks[0, 2, 2:8] = True
    masks[0, 25, 25] = True

    (longest,) = measurements_of(masks, (None, 1.0, 1.0), even=False)

    assert longest.value == 5.0


def test_an_empty_mask_measures_nothing():
    assert measurements_of(np.zeros((2, 4, 4), dtype=bool), (1.0, 1.0, 1.0), even=True) == ()
