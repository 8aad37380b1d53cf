"""Overlap and surface distance by hand, and that a missed lesion always costs."""

from itertools import product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.statistics.segmentation import Kind, lesion_figures, overlap
from validation.statistics.surfaces import surface_distances

ONE_MM = (1.0, 1.0, 1.0)


def box(shape, *ends):
    """Return a mask that is True from the first to before the second of each pair of `ends`."""
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*pair) for pair in ends)] = True
    return mask


def area(mask, spacing):
    return float(surface_distances(mask, mask, spacing)[0].areas.sum())


def test_identical_masks_agree():
    mask = box((9, 9, 9), (2, 6), (2, 6), (2, 6))

    found = overlap(mask, mask, ONE_MM, 0.0)

    assert (found.kind, found.dice, found.hd95_mm, found.nsd) == (Kind.BOTH, 1.0, 0.0, 1.0)


def test_a_box_moved_by_one_slice_is_off_by_the_slice_distance():
    # 4 slices of 4x4 moved by one: 3 common, Dice 2*3/(4+4). Both ends are a slice of 5 mm away.
    truth, moved = box((9, 9, 9), (2, 6), (2, 6), (2, 6)), box((9, 9, 9), (3, 7), (2, 6), (2, 6))

    found = overlap(truth, moved, (5.0, 1.0, 1.0), 1.0)

    assert found.dice == pytest.approx(6 / 8)
    assert found.hd95_mm == 5.0
    # A side of each is everything in one slice gap; of 5 gaps from end to end one is not within 1 mm of the other.
    assert 0.5 < found.nsd < 0.9


def test_the_area_of_a_single_voxel_is_an_octahedron():
    # Corners in the middle of the six edges to its neighbours: eight triangles of sqrt(3)/8.
    assert area(box((3, 3, 3), (1, 2), (1, 2), (1, 2)), ONE_MM) == pytest.approx(sqrt(3))


def test_the_area_of_a_box_has_flat_faces_and_cut_edges():
    # 4x4x4 voxels: 6 faces of 3x3 squares, 12 edges of 3 rectangles 1 x sqrt(1/2), 8 corners of sqrt(3)/8.
    assert area(box((8, 8, 8), (2, 6), (2, 6), (2, 6)), ONE_MM) == pytest.approx(54 + 36 * sqrt(0.5) + sqrt(3))


def test_the_area_follows_the_spacing():
    # 2 slices of 3x3, spacing 4, 2, 1. Faces: two of 2x2 squares of 2x1, two of 1x2 of 4x1, two of 1x2 of 4x2.
    # Edges: 4 along slices of 1 (4 * hypot(2, 1)/2), 4 along rows of 2 (2 * hypot(4, 1)/2), 4 along columns of 2
    # (1 * hypot(4, 2)/2). Corners: normals (1, 1, 1)/8 stretched by the faces 2x1, 4x1, 4x2.
    faces = 2 * 4 * 2 + 2 * 2 * 4 + 2 * 2 * 8
    edges = 4 * 1 * 4 * sqrt(5) / 2 + 4 * 2 * 2 * sqrt(17) / 2 + 4 * 2 * 1 * sqrt(20) / 2
    corners = 8 * sqrt(2**2 + 4**2 + 8**2) / 8

    assert area(box((6, 7, 7), (2, 4), (2, 5), (2, 5)), (4.0, 2.0, 1.0)) == pytest.approx(faces + edges + corners)


def test_the_length_of_a_flat_contour_has_cut_corners():
    # 3x5 pixels, spacing 2 and 1: sides 2 steps of 2 and 4 steps of 1 twice, four corners of sqrt(5)/2.
    mask = box((9, 9), (2, 5), (2, 7))

    found, _ = surface_distances(mask, mask, (2.0, 1.0))

    assert found.areas.sum() == pytest.approx(2 * 4 + 2 * 4 + 4 * sqrt(5) / 2)


def test_the_surface_of_a_ball_is_that_of_geometry():
    at = np.indices((41, 41, 41)) - 20
    ball = (at**2).sum(axis=0) <= 15**2

    # Steps of voxels cut off corners alone; marching cubes on a ball is known to be a few per cent too large.
    assert area(ball, ONE_MM) == pytest.approx(4 * np.pi * 15**2, rel=0.1)


def test_a_mask_at_the_border_of_the_image_is_closed_there():
    inside, outside = box((8, 8, 8), (2, 6), (2, 6), (2, 6)), box((4, 4, 4), (0, 4), (0, 4), (0, 4))

    assert area(outside, ONE_MM) == pytest.approx(area(inside, ONE_MM))


def test_the_percentile_leaves_out_a_twentieth_of_the_surface():
    # A contour of 100 pixels in a row, and one spike of 1 pixel: too little surface for the percentile to see.
    truth = box((20, 120), (5, 8), (10, 110))
    spiked = truth | box((20, 120), (8, 12), (50, 51))
    wide = truth | box((20, 120), (8, 12), (50, 80))

    assert overlap(truth, spiked, (1.0, 1.0), 1.0).hd95_mm == 0.0
    assert overlap(truth, wide, (1.0, 1.0), 1.0).hd95_mm == 4.0


@pytest.mark.parametrize(("truth_filled", "kind"), [(True, Kind.MISSED), (False, Kind.FALSE_ALARM)])
def test_one_empty_mask_has_the_worst_values(truth_filled, kind):
    filled, empty = box((10, 20, 30), (2, 4), (2, 4), (2, 4)), np.zeros((10, 20, 30), bool)

    found = overlap(*((filled, empty) if truth_filled else (empty, filled)), (5.0, 1.0, 0.5), 1.0)

    assert (found.kind, found.dice, found.nsd) == (kind, 0.0, 0.0)
    assert found.hd95_mm == pytest.approx(sqrt(50**2 + 20**2 + 15**2))


def test_two_empty_masks_agree():
    empty = np.zeros((4, 4), bool)

    found = overlap(empty, empty, (1.0, 1.0), 1.0)

    assert (found.kind, found.dice, found.hd95_mm, found.nsd) == (Kind.BOTH_EMPTY, 1.0, 0.0, 1.0)
    assert lesion_figures(empty, empty, (1.0, 1.0), 1.0).dice is None


def test_no_distance_is_worse_than_that_of_a_missed_lesion():
    # Voxels in opposite corners of the image: the surface's pieces are as far apart as the image is wide.
    first, second = box((5, 6, 7), (0, 1), (0, 1), (0, 1)), box((5, 6, 7), (4, 5), (5, 6), (6, 7))

    apart = overlap(first, second, (3.0, 2.0, 1.0), 1.0).hd95_mm
    missed = overlap(first, np.zeros_like(first), (3.0, 2.0, 1.0), 1.0).hd95_mm

    assert apart < missed


def test_leaving_out_a_lesion_worsens_the_lesions_even_where_the_whole_hardly_changes():
    truth = box((12, 40, 40), (1, 11), (2, 20), (2, 20)) | box((12, 40, 40), (5, 6), (35, 37), (35, 37))
    sloppy = box((12, 40, 40), (1, 11), (2, 20), (2, 20)) | box((12, 40, 40), (5, 6), (36, 39), (36, 39))
    deleted = box((12, 40, 40), (1, 11), (2, 20), (2, 20))

    with_it, without = (lesion_figures(truth, one, ONE_MM, 1.0) for one in (sloppy, deleted))

    assert (with_it.n_missed, without.n_missed, without.n_lesions) == (0, 1, 2)
    assert without.dice == pytest.approx(1 / 2)
    assert without.dice < with_it.dice
    assert without.hd95_mm == pytest.approx(sqrt(12**2 + 40**2 + 40**2) / 2)
    assert without.hd95_mm > with_it.hd95_mm


def test_a_false_lesion_counts_with_the_worst_values():
    truth, extra = box((10, 30), (2, 5), (2, 5)), box((10, 30), (2, 5), (2, 5)) | box((10, 30), (7, 8), (20, 22))

    found = lesion_figures(truth, extra, (1.0, 1.0), 1.0)

    assert (found.n_lesions, found.n_missed, found.n_false, found.dice) == (1, 0, 1, 0.5)


masks = st.lists(st.booleans(), min_size=48, max_size=48).map(lambda bits: np.array(bits).reshape(3, 4, 4))


@settings(deadline=None)
@given(masks, masks)
def test_truth_and_prediction_may_be_exchanged_and_the_image_turned(truth, predicted):
    spacing = (3.0, 1.0, 2.0)

    found, swapped = overlap(truth, predicted, spacing, 1.0), overlap(predicted, truth, spacing, 1.0)
    turned = overlap(truth.transpose(2, 0, 1)[::-1], predicted.transpose(2, 0, 1)[::-1], (2.0, 3.0, 1.0), 1.0)

    for other in (swapped, turned):
        assert (other.dice, other.hd95_mm) == pytest.approx((found.dice, found.hd95_mm))
        assert other.nsd == pytest.approx(found.nsd)
    assert 0 <= found.nsd <= 1


@settings(deadline=None)
@given(masks)
def test_a_surface_and_that_of_the_complement_within_a_border_are_the_same(mask):
    padded = np.pad(mask, 2)
    inverse = ~padded
    inner = surface_distances(padded, padded, ONE_MM)[0].areas.sum() if mask.any() else 0.0
    frame = area(np.ones_like(padded), ONE_MM)

    assert area(inverse, ONE_MM) == pytest.approx(inner + frame)


def test_every_distance_is_that_of_the_nearest_piece():
    random = np.random.default_rng(1)
    first, second = (random.random((4, 5, 6)) < 0.2 for _ in range(2))
    spacing = (3.0, 1.0, 2.0)

    found, _ = surface_distances(first, second, spacing)

    pieces = [_pieces(mask) for mask in (first, second)]
    expected = [min(sqrt(sum(((a - b) * s) ** 2 for a, b, s in zip(x, y, spacing, strict=True))) for y in pieces[1])
                for x in pieces[0]]  # fmt: skip
    assert sorted(found.distances) == pytest.approx(sorted(expected))


def _pieces(mask):
    """Return every block of 2x2x2 voxels that has both kinds."""
    padded = np.pad(mask, 1)
    blocks = product(*(range(length + 1) for length in mask.shape))
    return [at for at in blocks if 0 < padded[tuple(slice(one, one + 2) for one in at)].sum() < 8]
