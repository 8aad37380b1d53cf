"""Preparing a head CT: the network sees the same head whatever the scanner's matrix, field of view and table."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.head import Placement, inside_skull, place_on_head, whole_image
from inference.preprocess import neighbour_step, prepare, stack_channels
from models.registry import find_bundle
from tests.unit.models.drawn_head import as_volume, draw_head
from triage.errors import UnsupportedPixels

SPEC = find_bundle("ct-head-haemorrhage").spec
PREPARATION = SPEC.preparation
GRID = PREPARATION.rows


def windowed(**how: object) -> np.ndarray:
    return np.clip(draw_head(**how), -20, 100)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=100)
@given(
    centre=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    side=st.floats(10, 1000),
    angle=st.floats(-45, 45),
    points=st.lists(st.tuples(st.floats(0, 192), st.floats(0, 192)), min_size=1, max_size=5),
)
def test_a_point_of_the_grid_comes_back_from_the_image(
    centre: tuple[float, float], side: float, angle: float, points: list[tuple[float, float]]
) -> None:
    placement = Placement(centre, side, angle, 192, 192)

    there_and_back = placement.to_grid(placement.to_image(np.array(points)))

    assert there_and_back == pytest.approx(np.array(points), abs=1e-6)


def test_an_upright_grid_scales_and_shifts() -> None:
    placement = Placement(centre=(100.0, 120.0), side=96.0, angle_degrees=0.0, rows=192, columns=192)

    corners = placement.to_image(np.array([[0.0, 0.0], [192.0, 192.0], [96.0, 0.0]]))

    # Half a side of 48 pixels around the centre; the third point is the middle of the left edge.
    assert corners == pytest.approx(np.array([[52.0, 72.0], [148.0, 168.0], [100.0, 72.0]]))


def test_a_grid_turned_by_90_degrees_looks_along_the_columns() -> None:
    placement = Placement(centre=(50.0, 50.0), side=20.0, angle_degrees=90.0, rows=10, columns=10)

    # Downwards on the grid is towards larger columns of the image.
    assert placement.to_image(np.array([[10.0, 5.0]])) == pytest.approx(np.array([[50.0, 60.0]]))


def test_sampling_puts_an_image_pixel_on_the_cell_that_points_at_it() -> None:
    image = np.zeros((1, 40, 40), dtype=np.float32)
    image[0, 12, 25] = 1.0
    placement = Placement(centre=(20.0, 20.0), side=20.0, angle_degrees=0.0, rows=20, columns=20)

    sampled = placement.sample(image, outside=0.0)

    # The grid covers rows and columns 10 to 30 one to one, so pixel (12, 25) is cell (2, 15).
    assert np.argwhere(sampled[0] == 1.0).tolist() == [[2, 15]]


def test_sampling_beyond_the_image_gives_air() -> None:
    placement = Placement(centre=(0.0, 0.0), side=20.0, angle_degrees=0.0, rows=10, columns=10)

    assert placement.sample(np.full((1, 40, 40), 50, dtype=np.float32), outside=-20.0)[0, 0, 0] == -20


def test_the_square_of_a_whole_image_holds_its_longer_side() -> None:
    assert whole_image((100, 200), 64, 64) == Placement((50.0, 100.0), 200.0, 0.0, 64, 64)


def test_the_head_is_found_where_it_was_drawn() -> None:
    placement = place_on_head(windowed(centre_mm=(10.0, -20.0)), GRID, GRID)

    # The middle of 256 pixels is 128; the inner skull is 148 mm long in the middle slices, a few per cent shorter
    # without its outermost cells; the margin is 1.28.
    assert placement.centre == pytest.approx((138.0, 108.0), abs=3)
    assert placement.side == pytest.approx(148 * 1.28, rel=0.08)
    assert placement.angle_degrees == pytest.approx(0, abs=2)


@pytest.mark.parametrize("turn", [-25.0, -10.0, 15.0, 30.0])
def test_a_turned_head_is_set_upright(turn: float) -> None:
    upright = place_on_head(windowed(), GRID, GRID)
    turned = place_on_head(windowed(turn_degrees=turn), GRID, GRID)

    assert turned.angle_degrees - upright.angle_degrees == pytest.approx(turn, abs=3)


@pytest.mark.parametrize(("pixels", "pixel_mm"), [(256, 1.0), (512, 0.5), (320, 0.9), (400, 0.7), (650, 0.4)])
def test_matrix_and_field_of_view_change_nothing_that_the_network_sees(pixels: int, pixel_mm: float) -> None:
    usual = prepare(as_volume(draw_head(256, 1.0)), SPEC).tensor
    other = prepare(as_volume(draw_head(pixels, pixel_mm)), SPEC).tensor

    brain = (usual[:, 4] > 0) & (other[:, 4] > 0)
    assert brain.sum() > 0.9 * (usual[:, 4] > 0).sum()
    assert np.abs(usual[:, 0] - other[:, 0])[brain].mean() < 0.2  # 6 HU, of which the drawn noise is 3


@settings(deadline=None, max_examples=8)
@given(down=st.floats(-20, 20), right=st.floats(-30, 30), turn=st.floats(-25, 25))
def test_a_bleed_lands_on_the_same_cells_wherever_the_head_lies(down: float, right: float, turn: float) -> None:
    there = {"bleed": True, "slices": 8}
    usual = prepare(as_volume(draw_head(**there)), SPEC)  # type: ignore[arg-type]
    moved = prepare(as_volume(draw_head(centre_mm=(down, right), turn_degrees=turn, **there)), SPEC)  # type: ignore[arg-type]

    centres = []
    for prepared in (usual, moved):
        value = prepared.tensor[4, 0] * PREPARATION.scale + PREPARATION.centre
        bright = (value > 58) & (value < 82) & (prepared.tensor[4, 4] > 0)
        centres.append(np.argwhere(bright).mean(axis=0))

    assert centres[0] == pytest.approx(centres[1], abs=5)


def test_without_a_skull_the_whole_image_is_used() -> None:
    water = np.zeros((3, 128, 128), dtype=np.float32)

    assert place_on_head(water, GRID, GRID) == whole_image((128, 128), GRID, GRID)
    assert inside_skull(water).sum() == 0


def test_a_gap_in_the_skull_does_not_empty_it() -> None:
    planes = windowed()
    planes[:, 120:126, :128] = np.where(planes[:, 120:126, :128] > 90, 40, planes[:, 120:126, :128])

    assert inside_skull(planes)[6].sum() > 0.9 * inside_skull(windowed())[6].sum()


def test_the_channels_are_the_slice_its_neighbours_its_mirror_image_and_the_inside() -> None:
    planes = np.zeros((3, 2, 2), dtype=np.float32)
    planes[:, 0, 0] = (35, 65, 95)  # 0, 1 and 2 after centring on 35 and dividing by 30
    inside = np.ones_like(planes)

    tensor = stack_channels(planes, inside, 1, PREPARATION)

    assert tensor.shape == (3, 5, 2, 2)
    assert tensor[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert tensor[:, 1, 0, 0].tolist() == [0, 0, 1]  # previous; the first slice stands in for its own
    assert tensor[:, 2, 0, 0].tolist() == [1, 2, 2]  # next
    assert tensor[:, 3, 0, 1].tolist() == [0, 1, 2]  # mirrored: left is right
    assert tensor[:, 4].min() == 1


@pytest.mark.parametrize(("spacing", "step"), [(None, 1), (5.0, 1), (7.5, 1), (2.5, 2), (1.0, 5), (0.625, 8)])
def test_neighbours_are_taken_about_5_mm_away(spacing: float | None, step: int) -> None:
    volume = as_volume(np.zeros((2, 4, 4), dtype=np.float32), (spacing, 1.0, 1.0))

    assert neighbour_step(volume, PREPARATION) == step


def test_thin_slices_are_averaged_over_the_slab_that_the_network_knows() -> None:
    thin = as_volume(draw_head(slices=40), (1.0, 1.0, 1.0))

    prepared = prepare(thin, SPEC)

    noise_hu = prepared.tensor[20, 0, 130:150, 60:70].std() * PREPARATION.scale
    assert len(prepared.tensor) == 40
    assert noise_hu < 2  # 3 HU over the root of 5 is 1.3; without averaging about 3


def test_another_unit_is_refused() -> None:
    stored = replace(as_volume(draw_head(slices=3)), unit="stored")

    with pytest.raises(UnsupportedPixels, match="ct-head-haemorrhage: values in stored, needed HU"):
        prepare(stored, SPEC)


def test_the_same_volume_gives_the_same_tensor() -> None:
    volume = as_volume(draw_head())

    assert np.array_equal(prepare(volume, SPEC).tensor, prepare(volume, SPEC).tensor)
