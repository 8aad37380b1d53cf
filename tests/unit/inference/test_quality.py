"""What the pixels say about themselves."""

from dataclasses import replace

import numpy as np
import pytest

from inference.quality import QualityReport, assess


def refusal(volume, spec):
    report = assess(volume, spec)
    assert report.refusal is None or report.notes == ()
    return report.refusal


def test_an_ordinary_head_has_nothing_to_say(make_volume, head_hu, head_spec):
    assert assess(make_volume(head_hu), head_spec) == QualityReport(notes=(), refusal=None)


def test_a_head_stored_in_the_window_of_a_jpeg_is_still_a_head(make_volume, head_hu, head_spec):
    assert assess(make_volume(np.clip(head_hu, -20, 100)), head_spec) == QualityReport(notes=(), refusal=None)


def test_a_constant_image_is_refused(make_volume, head_spec):
    assert refusal(make_volume(np.full((3, 8, 8), -1024)), head_spec) == "every pixel has the value -1024"


def test_pixels_that_are_no_numbers_are_refused(make_volume, head_hu, head_spec):
    head_hu[0, 0, 0] = np.nan

    assert refusal(make_volume(head_hu), head_spec) == "pixels that are no numbers"


def test_a_water_phantom_is_refused(make_volume, head_hu, head_spec):
    water = np.where((head_hu > -100) & (head_hu < 100), head_hu - 35, head_hu)

    assert refusal(make_volume(water), head_spec) == "the space inside bone measures 0 HU, brain 15 to 70"


def test_soft_tissue_without_a_skull_is_refused(make_volume, head_hu, head_spec):
    assert refusal(make_volume(np.where(head_hu == 1000, 35, head_hu)), head_spec) == "no space enclosed by a skull"


@pytest.mark.parametrize("inverted", [lambda hu: -hu, lambda hu: 80 - np.clip(hu, -20, 100)])
def test_inverted_values_are_refused(make_volume, head_hu, head_spec, inverted):
    assert refusal(make_volume(inverted(head_hu)), head_spec).endswith("air needed: values are inverted")


def test_values_of_a_wrong_sign_are_refused(make_volume, head_hu, head_spec):
    wrapped = np.where(head_hu < 0, head_hu + 65536, head_hu)

    assert refusal(make_volume(wrapped), head_spec).endswith("above 4000 HU: these are no CT numbers")


def test_images_without_tissue_are_refused(make_volume, head_hu, head_spec):
    air = np.random.default_rng(1).normal(-1000, 5, (12, 64, 64))

    assert refusal(make_volume(air), head_spec) == (
        "0.0% of the pixels between -20 and 100 HU: nothing that the model could see"
    )


def test_a_head_scanned_face_down_is_refused(make_volume, head_hu, head_spec):
    prone = replace(make_volume(head_hu), orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0))

    assert refusal(prone, head_spec).startswith("images are turned or mirrored")


def test_stored_units_are_refused_where_hounsfield_units_are_needed(make_volume, head_hu, head_spec):
    assert refusal(make_volume(head_hu, unit="stored"), head_spec) == "values in stored units, needed HU"


def test_a_radiograph_brighter_than_the_window_is_refused(make_volume, head_spec):
    plain = replace(head_spec.preparation, unit="stored", window=(0.0, 255.0), crop="none")
    image = np.random.default_rng(1).normal(3000, 100, (1, 64, 64))

    assert refusal(make_volume(image, unit="stored"), replace(head_spec, preparation=plain)).startswith("0.0% of the")


def test_fewer_slices_than_the_model_is_used_to_are_noted(make_volume, head_hu, head_spec):
    notes = assess(make_volume(head_hu[3:9]), head_spec).notes

    assert notes == ("6 of at least 10 slices", "covers 60 mm, a head at least 100")


def test_unusual_spacing_is_noted(make_volume, head_hu, head_spec):
    notes = assess(make_volume(head_hu, between_slices=12.0), head_spec).notes

    assert notes == ("slices 12.0 mm apart, usually 0.5 to 10.0",)


def test_unknown_spacing_is_no_reason_to_complain(make_volume, head_hu, head_spec):
    assert assess(make_volume(head_hu, between_slices=None), head_spec).notes == ()


def test_noise_is_measured_within_a_tenth(make_volume, head_hu, head_spec):
    noisy = head_hu + np.random.default_rng(3).normal(0, 20, head_hu.shape)
    (note,) = assess(make_volume(noisy), head_spec).notes

    # 4 HU of the phantom and 20 HU on top: sqrt(4^2 + 20^2) = 20.4
    assert 18 <= int(note.split()[1]) <= 22
    assert note.endswith(" HU in brain, usually below 10")


def test_metal_is_counted_by_slices(make_volume, head_hu, head_spec):
    head_hu[4:6, 40:46, 40:46] = 3000

    assert assess(make_volume(head_hu), head_spec).notes == ("metal on 2 of 12 slices",)


def test_a_cut_off_head_is_noted(make_volume, head_hu, head_spec):
    notes = assess(make_volume(head_hu[:, 10:, :]), head_spec).notes

    assert len(notes) == 1
    assert notes[0].startswith("the field of view cuts the head on ")
