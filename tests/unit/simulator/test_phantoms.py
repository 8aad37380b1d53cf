"""Phantoms look like what they stand for, hold the lesion that their mask says, and come out the same every time."""

import csv
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from numpy.testing import assert_array_equal
from PIL import Image
from scipy import ndimage

from dicom_gateway.simulator.bleeds import (
    epidural_growth,
    grow,
    intraparenchymal_growth,
    intraventricular_growth,
    subdural_growth,
)
from dicom_gateway.simulator.brain_phantom import mr_brain
from dicom_gateway.simulator.breast_phantom import us_breast
from dicom_gateway.simulator.chest_phantom import dx_chest
from dicom_gateway.simulator.head_anatomy import draw_head
from dicom_gateway.simulator.phantom_dataset import write_phantom_dataset
from dicom_gateway.simulator.phantoms import HOUNSFIELD, Phantom, ct_head
from validation.datasets import load_dataset

Draw = Callable[[Generator, bool], Phantom]
ALL: tuple[Draw, ...] = (ct_head, mr_brain, us_breast, dx_chest)
LARGEST_VALUE = {ct_head: 3071, mr_brain: 1200, us_breast: 255, dx_chest: 4095}


def millilitres(phantom: Phantom) -> float:
    return float(phantom.lesion_mask.sum() * np.prod(phantom.spacing_mm) / 1000)


@pytest.fixture(scope="module")
def bleeding() -> Phantom:
    return ct_head(np.random.default_rng(2), True)


@pytest.fixture(scope="module")
def healthy() -> Phantom:
    return ct_head(np.random.default_rng(1), False)


@pytest.mark.parametrize("draw", ALL)
def test_the_same_seed_draws_the_same_phantom(draw: Draw) -> None:
    first, second = draw(np.random.default_rng(5), True), draw(np.random.default_rng(5), True)

    assert_array_equal(first.pixels, second.pixels)
    assert_array_equal(first.lesion_mask, second.lesion_mask)


@pytest.mark.parametrize("draw", ALL)
def test_a_phantom_without_a_lesion_has_an_empty_mask(draw: Draw) -> None:
    phantom = draw(np.random.default_rng(6), False)

    assert not phantom.has_lesion
    assert not phantom.lesion_mask.any()
    assert phantom.lesion_mask.shape == phantom.pixels.shape


@pytest.mark.parametrize("draw", ALL)
def test_a_phantom_with_a_lesion_says_where_it_is(draw: Draw) -> None:
    phantom = draw(np.random.default_rng(7), True)

    assert phantom.has_lesion
    assert phantom.lesion_mask.any()
    assert phantom.pixels.dtype == np.float32
    assert np.isfinite(phantom.pixels).all()
    assert phantom.pixels.max() <= LARGEST_VALUE[draw]


def test_a_head_ct_covers_the_head_in_slices_of_5_mm(healthy: Phantom) -> None:
    slices, rows, columns = healthy.pixels.shape

    assert 28 <= slices <= 34
    assert (rows, columns) == (256, 256)
    assert healthy.spacing_mm[0] == 5.0
    assert healthy.spacing_mm[1] == healthy.spacing_mm[2]


def test_air_bone_and_brain_of_a_head_ct_have_their_ct_numbers(healthy: Phantom) -> None:
    middle = healthy.pixels[len(healthy.pixels) // 2 + 4]
    brain = middle[100:156, 90:166]

    assert np.median(healthy.pixels[:, :10, :10]) == pytest.approx(-1000, abs=3)
    assert 26 < np.median(brain) < 39
    assert 800 < np.percentile(middle, 99) < 1600


def test_noise_of_a_head_ct_is_3_to_5_hu(healthy: Phantom) -> None:
    air = healthy.pixels[:, :12, :12]

    assert 2.7 < air.std() < 5.3


def test_a_bleed_is_brighter_than_the_brain_around_it(bleeding: Phantom) -> None:
    assert 50 < np.median(bleeding.pixels[bleeding.lesion_mask]) < 80


@pytest.mark.parametrize(
    "growth_of", [epidural_growth, subdural_growth, intraparenchymal_growth], ids=lambda function: function.__name__
)
def test_a_bleed_grows_to_the_volume_asked_for_inside_the_skull(growth_of: Callable[..., object]) -> None:
    rng = np.random.default_rng(11)
    head = draw_head(rng, 30, HOUNSFIELD, 1.0, thick_falx=False)
    voxel_ml = float(np.prod(head.grid.spacing_mm)) / 1000

    mask = grow(rng, head, growth_of(rng, head), 25.0, 65.0)  # type: ignore[arg-type]

    assert mask.sum() * voxel_ml == pytest.approx(25.0, abs=0.1)
    assert head.depth_mm[mask].min() > 0


def test_blood_in_the_ventricles_stays_in_them_and_sinks_to_the_back() -> None:
    rng = np.random.default_rng(12)
    head = draw_head(rng, 30, HOUNSFIELD, 1.2, thick_falx=False)

    mask = grow(rng, head, intraventricular_growth(rng, head), 8.0, 65.0)

    assert head.ventricle[mask].min() > 0.5
    assert head.grid.y[mask].min() >= head.grid.y[(head.ventricle > 0.5) & ~mask].max()


def test_a_subdural_bleed_does_not_cross_the_midline() -> None:
    rng = np.random.default_rng(13)
    head = draw_head(rng, 30, HOUNSFIELD, 1.0, thick_falx=False)

    mask = grow(rng, head, subdural_growth(rng, head), 60.0, 65.0)

    sides = np.sign(head.grid.x[mask])
    assert abs(sides.sum()) == mask.sum()


def test_volumes_stay_between_8_and_60_ml_where_the_brain_bleeds(bleeding: Phantom) -> None:
    assert 0 < millilitres(bleeding) <= 60.1


def test_a_phantom_data_set_follows_the_contract_of_validation(tmp_path: Path) -> None:
    write_phantom_dataset(tmp_path, studies=2, positive_rate=0.5, seed=3)

    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = tomllib.loads((tmp_path / "dataset.toml").read_text(encoding="utf-8"))
    labels = {patient: {row["hemorrhage"] for row in rows if row["patient"] == patient} for patient in ("1", "2")}
    assert list(rows[0]) == ["image", "patient", "slice", "hemorrhage"]
    assert sorted("1" in found for found in labels.values()) == [False, True]
    assert table["columns"]["image_label"] == "hemorrhage"
    assert table["stored_values"]["slope"] == pytest.approx(120 / 255)
    with Image.open(tmp_path / rows[0]["image"]) as image:
        assert (image.mode, image.size) == ("L", (256, 256))


@pytest.mark.parametrize(
    ("scanner", "modality", "slope"), [("us", "US", 1.0), ("mr", "MR", 1200 / 255), ("dx", "DX", 4095 / 255)]
)
def test_a_data_set_of_any_scanner_is_one_that_validation_reads_with_masks_of_what_is_labelled(
    tmp_path: Path, scanner: str, modality: str, slope: float
) -> None:
    write_phantom_dataset(tmp_path, studies=2, positive_rate=0.5, seed=3, scanner=scanner)

    data = load_dataset(tmp_path)
    images = [image for study in data.studies for image in study.images]
    assert (data.description.modality, data.description.manufacturer) == (modality, "Acuity Simulator")
    assert data.description.stored.slope == pytest.approx(slope)
    assert sorted(any(image.label for image in study.images) for study in data.studies) == [False, True]
    for image in images:
        assert bool(image.label) == bool(image.row["mask"])
        if image.row["mask"]:
            with Image.open(image.path) as shown, Image.open(tmp_path / image.row["mask"]) as mask:
                assert shown.size == mask.size
                assert 0 < (np.asarray(mask) > 127).mean() < 0.3


def test_an_opacity_is_denser_than_the_same_chest_without_it() -> None:
    with_it, without = (dx_chest(np.random.default_rng(9), lesion) for lesion in (True, False))

    added = ndimage.gaussian_filter(with_it.pixels - without.pixels, (0, 3, 3))
    assert added[with_it.lesion_mask].min() > 0
    assert np.median(added[with_it.lesion_mask]) > 200
    # Elsewhere only the noise differs.
    far = ~ndimage.binary_dilation(with_it.lesion_mask, iterations=45)
    assert np.abs(added[far]).max() < 60


def test_the_heart_lies_to_the_left_and_the_airway_is_darker_than_the_spine_beside_it() -> None:
    chest = dx_chest(np.random.default_rng(9), False).pixels[0]

    # The image's right is the patient's left; rows 290 to 330 cross the heart, 60 to 90 mm from the middle.
    assert np.median(chest[290:330, 300:340]) > np.median(chest[290:330, 172:212]) + 200
    assert np.median(chest[120:160, 250:262]) < np.median(chest[120:160, 268:276])


def test_a_mass_is_darker_than_the_gland_around_it_and_throws_a_shadow() -> None:
    for seed in (1, 2, 3):
        still = us_breast(np.random.default_rng(seed), True)
        pixels, mask = still.pixels[0], still.lesion_mask[0]
        around = ndimage.binary_dilation(mask, iterations=25) & ~ndimage.binary_dilation(mask, iterations=12)
        rows, columns = np.nonzero(mask)
        left, right, low = columns.min(), columns.max(), rows.max()
        middle = slice((left * 3 + right) // 4, (left + right * 3) // 4)
        below, beside = pixels[low + 8 :, middle], np.delete(pixels[low + 8 :], slice(left - 40, right + 40), axis=1)

        assert np.median(pixels[mask]) < np.median(pixels[around]) - 30
        assert np.median(below) < np.median(beside) - 15


def test_speckle_of_an_ultrasound_image_is_grainier_across_than_along_the_beam() -> None:
    pixels = us_breast(np.random.default_rng(4), False).pixels[0, 40:70]

    along, across = (np.abs(np.diff(pixels, axis=axis)).mean() for axis in (0, 1))
    assert across < along


def test_air_of_a_magnitude_image_has_the_mean_of_its_noise_and_the_headrest_gives_no_signal() -> None:
    pixels = mr_brain(np.random.default_rng(6), False).pixels
    air = pixels[:, :12, :12]

    # Rayleigh: the standard deviation is sqrt((4 - pi) / pi) = 0.523 of the mean; the 6 units of air lift the mean.
    assert air.min() >= 0
    assert air.std() / air.mean() == pytest.approx(0.50, abs=0.05)
    assert np.median(pixels[10:, 248:, 60:196]) < 3 * air.mean()
