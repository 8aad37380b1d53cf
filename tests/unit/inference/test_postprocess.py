"""From logits to one finding: smoothing, pooling, calibration and boxes in image pixels."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.head import Placement
from inference.postprocess import MAX_REGIONS, calibrated, findings_from, strongest_box, study_logit
from inference.preprocess import Prepared
from models.registry import find_bundle
from models.triage_spec import Aggregation, Calibration, LogisticCurve, OperatingPoint, TriageSpec
from tests.unit.models.drawn_head import as_volume
from triage.findings import Finding, ModelIdentity

MODEL = ModelIdentity("ct-head-haemorrhage", "1.0.0", "0" * 64)
COLD = -10.0
SPEC = replace(
    find_bundle("ct-head-haemorrhage").spec,
    operating_points=(OperatingPoint("balanced", 0.5),),
    active_operating_point="balanced",
    calibration=Calibration(image=LogisticCurve(1.0, 0.0), study=LogisticCurve(0.5, -1.0)),
    aggregation=Aggregation(smooth_slices=1, top_slices=2),
)


def a_finding(
    logits: list[float],
    maps: np.ndarray | None = None,
    spec: TriageSpec = SPEC,
    placement: Placement | None = None,
) -> Finding:
    volume = as_volume(np.zeros((len(logits), 96, 96), dtype=np.float32))
    placement = placement or Placement((48.0, 48.0), 96.0, 0.0, 192, 192)
    prepared = Prepared(np.zeros((len(logits), 1, 192, 192), dtype=np.float32), placement)
    outputs = {
        "logits": np.array(logits, dtype=np.float32)[:, np.newaxis],
        "map": maps if maps is not None else np.full((len(logits), 48, 48), COLD, dtype=np.float32),
    }
    return findings_from(outputs, prepared, volume, spec, MODEL)[0]


def hot_maps(slices: int, *hot: tuple[int, int, int, int, int]) -> np.ndarray:
    """Return maps that are hot in (slice, top, left, bottom, right) and cold elsewhere."""
    maps = np.full((slices, 48, 48), COLD, dtype=np.float32)
    for index, top, left, bottom, right in hot:
        maps[index, top:bottom, left:right] = 4.0
    return maps


@pytest.mark.parametrize(
    ("aggregation", "logit"),
    [
        (Aggregation(1, 1), 5.0),
        (Aggregation(1, 2), 4.5),
        (Aggregation(1, 9), 2.4),  # (1 + 5 + 0 + 2 + 4) / 5: fewer slices than asked for
        (Aggregation(3, 1), 3.0),  # of (1+5)/2, (1+5+0)/3, (5+0+2)/3, (0+2+4)/3, (2+4)/2
        (Aggregation(3, 2), 3.0),
    ],
)
def test_the_study_logit_is_the_mean_of_the_highest_smoothed_slices(aggregation: Aggregation, logit: float) -> None:
    assert study_logit(np.array([1.0, 5.0, 0.0, 2.0, 4.0]), aggregation) == pytest.approx(logit)


@given(
    logits=st.lists(st.floats(-20, 20), min_size=1, max_size=40),
    smooth=st.sampled_from([1, 3, 5]),
    top=st.integers(1, 10),
)
def test_a_study_logit_lies_between_its_slices(logits: list[float], smooth: int, top: int) -> None:
    result = study_logit(np.array(logits), Aggregation(smooth, top))

    assert min(logits) - 1e-9 <= result <= max(logits) + 1e-9


def test_platt_scaling_is_the_logistic_function_of_a_line() -> None:
    result = calibrated(np.array([0.0, 2.0, 1e9]), LogisticCurve(0.5, -1.0))

    assert result == pytest.approx([1 / (1 + exp(1)), 0.5, 1.0])


def test_a_study_is_flagged_when_its_probability_reaches_the_threshold() -> None:
    # Mean of the two highest: 2.0, which the study's curve maps to exactly one half.
    finding = a_finding([-3.0, 1.0, 3.0])

    assert finding.probability == 0.5
    assert finding.threshold == 0.5
    assert finding.flagged
    assert finding.operating_point == "balanced"
    assert finding.code.value == "1386000"
    assert finding.model == MODEL


def test_every_image_has_a_calibrated_probability_in_the_order_of_the_volume() -> None:
    scores = a_finding([-2.0, 0.0, 2.0]).image_scores

    assert [score.sop_instance_uid for score in scores] == ["1.2.1", "1.2.2", "1.2.3"]
    assert [score.probability for score in scores] == pytest.approx([1 / (1 + exp(2)), 0.5, 1 / (1 + exp(-2))])


def test_a_study_that_is_not_flagged_shows_no_boxes() -> None:
    finding = a_finding([-3.0, -3.0], hot_maps(2, (0, 10, 10, 14, 14)))

    assert not finding.flagged
    assert finding.regions == ()


def test_a_triage_only_model_shows_no_boxes() -> None:
    spec = replace(SPEC, display_policy="triage_only")

    finding = a_finding([3.0, 3.0], hot_maps(2, (0, 10, 10, 14, 14)), spec)

    assert finding.flagged
    assert finding.regions == ()


def test_a_box_lies_where_the_map_is_hot_in_pixels_of_the_image() -> None:
    # The grid covers the 96x96 image; 48 cells of the map make a cell two pixels wide.
    finding = a_finding([-0.5, 5.0, -3.0], hot_maps(3, (1, 10, 20, 13, 26)))

    assert len(finding.regions) == 1
    assert finding.regions[0].sop_instance_uid == "1.2.2"
    assert finding.regions[0].box == pytest.approx((40.0, 20.0, 52.0, 26.0))  # left, top, right, bottom


def test_a_box_on_a_smaller_grid_is_shifted_and_scaled() -> None:
    # A grid of 48 pixels around (60, 40): one cell of the map is one pixel, its corner at row 36, column 16.
    placement = Placement((60.0, 40.0), 48.0, 0.0, 192, 192)

    finding = a_finding([5.0, 5.0], hot_maps(2, (0, 2, 4, 6, 9), (1, 2, 4, 6, 9)), placement=placement)

    assert finding.regions[0].box == pytest.approx((20.0, 38.0, 25.0, 42.0))


def test_a_box_never_leaves_the_image() -> None:
    placement = Placement((48.0, 48.0), 200.0, 30.0, 192, 192)

    finding = a_finding([5.0, 5.0], hot_maps(2, (0, 0, 0, 48, 48), (1, 0, 0, 48, 48)), placement=placement)

    assert finding.regions[0].box == (0.0, 0.0, 96.0, 96.0)


def test_at_most_five_boxes_the_strongest_first() -> None:
    hot = [(index, 10, 10, 14, 14) for index in range(8)]

    regions = a_finding([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], hot_maps(8, *hot)).regions

    assert len(regions) == MAX_REGIONS
    assert [region.sop_instance_uid for region in regions] == ["1.2.8", "1.2.7", "1.2.6", "1.2.5", "1.2.4"]


def test_the_box_is_the_one_around_the_peak() -> None:
    maps = np.full((48, 48), COLD, dtype=np.float32)
    maps[5:8, 5:8], maps[30:34, 30:36] = 1.0, 2.0

    assert strongest_box(maps) == (30, 30, 34, 36)


@pytest.mark.parametrize(
    ("row", "column", "box"), [(0, 0, (0, 0, 2, 2)), (47, 47, (46, 46, 48, 48)), (9, 9, (9, 9, 11, 11))]
)
def test_a_single_hot_cell_still_makes_a_box_that_can_be_seen(row: int, column: int, box: tuple[int, ...]) -> None:
    maps = np.full((48, 48), COLD, dtype=np.float32)
    maps[row, column] = 3.0

    assert strongest_box(maps) == box
