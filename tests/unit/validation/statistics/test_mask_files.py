"""Masks from files: axes, spacing, and what is no mask."""

import gzip

import nibabel
import numpy as np
import pytest
from PIL import Image

from triage.errors import InvalidDataset
from validation.statistics.mask_files import read_mask, require_same_grid
from validation.statistics.segmentation_document import segmentation_document


def nifti(path, values, zooms=(0.5, 0.7, 5.0)):
    nibabel.save(nibabel.Nifti1Image(values, np.diag([*zooms, 1.0])), path)
    return path


def png(path, values):
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_nifti_axes_become_slices_rows_columns(tmp_path, name):
    values = np.zeros((6, 5, 4), np.uint8)
    values[1, 2, 3] = 7

    found = read_mask(nifti(tmp_path / name, values))

    assert found.values.shape == (4, 5, 6)
    assert np.argwhere(found.values).tolist() == [[3, 2, 1]]
    assert found.spacing_mm == pytest.approx((5.0, 0.7, 0.5))


def test_a_png_is_a_flat_mask_without_spacing(tmp_path):
    values = np.zeros((3, 4), np.uint8)
    values[1, 2] = 255

    found = read_mask(png(tmp_path / "m.png", values))

    assert np.argwhere(found.values).tolist() == [[1, 2]]
    assert found.spacing_mm is None


def test_whole_numbers_stored_as_floats_are_labels(tmp_path):
    assert read_mask(nifti(tmp_path / "m.nii", np.ones((2, 2, 2), np.float32))).values.all()


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_what_is_no_label_is_refused(tmp_path, value):
    with pytest.raises(InvalidDataset, match=r"m\.nii: found the value .*, needed whole numbers"):
        read_mask(nifti(tmp_path / "m.nii", np.full((2, 2, 2), value, np.float32)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.nii", b"no image"),
        ("m.nii.gz", b"no image"),
        ("m.nii.gz", gzip.compress(b"no image", mtime=0)),
        ("m.png", b"no image"),
        ("m.jpg", b"no image"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidDataset, match=name):
        read_mask(tmp_path / name)


def test_a_truncated_file_is_refused(tmp_path):
    path = nifti(tmp_path / "m.nii.gz", np.random.default_rng(1).integers(0, 2, (20, 20, 20)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InvalidDataset, match=r"m\.nii\.gz: cannot be read"):
        read_mask(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidDataset, match=r"m\.png: not there"):
        read_mask(tmp_path / "m.png")


def test_masks_of_different_grids_are_not_compared(tmp_path):
    values = np.ones((2, 3, 4), np.uint8)
    one = read_mask(nifti(tmp_path / "a.nii", values))
    other_shape = read_mask(nifti(tmp_path / "b.nii", values[:1]))
    other_place = read_mask(nifti(tmp_path / "c.nii", values, (-0.5, 0.7, 5.0)))

    with pytest.raises(InvalidDataset, match=r"b\.nii: shape \(4, 3, 1\), needed \(4, 3, 2\) as a\.nii"):
        require_same_grid(one, other_shape)
    with pytest.raises(InvalidDataset, match=r"c\.nii: another place or orientation"):
        require_same_grid(one, other_place)


def test_a_missed_lesion_stays_in_the_mean(tmp_path):
    filled, empty = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    filled[2:5, 2:5] = 1
    full, none = png(tmp_path / "full.png", filled), png(tmp_path / "none.png", empty)

    found = segmentation_document([full, full, none], [full, none, none], (9.0, 3.0, 4.0), 1.0)

    # Diagonal of 8 rows of 3 mm and 8 columns of 4 mm: 40 mm.
    assert (found["dice"], found["hd95_mm"], found["nsd"]) == pytest.approx((2 / 3, 40 / 3, 2 / 3))
    assert (found["n"], found["n_missed"], found["n_both_empty"]) == (3, 1, 1)
    assert found["cases"][1]["spacing_mm"] == (3.0, 4.0)


def test_the_spacing_that_is_given_is_that_of_the_file_or_wins_over_it(tmp_path):
    values = np.zeros((6, 6, 6), np.uint8)
    values[1:3, 1:3, 1:3] = 1
    moved = np.roll(values, 1, axis=2)
    a, b = nifti(tmp_path / "a.nii", values), nifti(tmp_path / "b.nii", moved)

    assert segmentation_document([a], [b], None, 1.0)["hd95_mm"] == pytest.approx(5.0)
    assert segmentation_document([a], [b], (2.0, 1.0, 1.0), 1.0)["hd95_mm"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("spacing", "told"),
    [(None, "needed --spacing"), ((1.0,), "2 axes, found 1"), ((1.0, 0.0, 1.0), "needed more than 0")],
)
def test_a_spacing_that_does_not_fit_is_refused(tmp_path, spacing, told):
    path = png(tmp_path / "m.png", np.ones((3, 3), np.uint8))

    with pytest.raises(InvalidDataset, match=told):
        segmentation_document([path], [path], spacing, 1.0)
