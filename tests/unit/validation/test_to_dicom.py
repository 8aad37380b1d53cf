"""Images become DICOM objects: where they lie, what their pixels mean, and what is not in them."""

import csv
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from inference.dicom_volume import read_volume
from triage.errors import InvalidDataset
from validation.assumed_headers import assumed_series, assumed_volume
from validation.datasets import load_dataset
from validation.image_files import read_image
from validation.to_dicom import to_dicom

DCIODVFY = shutil.which("dciodvfy")
SIDE_UNKNOWN = re.compile(r"only permitted to be empty when actually unknown.*<Laterality>")
KINDS = (("CT", "HEAD"), ("MR", "BRAIN"), ("US", "BREAST"), ("DX", "CHEST"), ("DX", ""), ("MR", "KNEE"), ("US", ""))


def silent(_done: int, _total: int) -> None:
    """Report no progress."""


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def converted(write_dataset, tmp_path):
    """The small CT set as DICOM: its folder, its source, and the files of study a in their order."""
    source, out = write_dataset(), tmp_path / "out"
    conversion = to_dicom(source, out, silent)
    uid = next(row["StudyInstanceUID"] for row in rows_of(out / "labels.csv") if row["study"] == "a")
    return out, source, conversion, sorted((out / "studies" / uid).iterdir())


def test_slices_lie_where_the_assumption_puts_them(converted):
    _, _, _, files = converted
    slices = [dcmread(path) for path in files]

    # 250 mm over 32 columns is 7.8125 mm a pixel; the middle of 32 by 24 pixels is the origin, so the first centre is
    # at -15.5 * 7.8125 = -121.09375 and -11.5 * 7.8125 = -89.84375 mm. Slices 1, 2 and 4 are placed by rank.
    assert [list(one.ImagePositionPatient) for one in slices] == [
        [-121.09375, -89.84375, height] for height in (0.0, 5.0, 10.0)
    ]
    assert all(list(one.PixelSpacing) == [7.8125, 7.8125] for one in slices)
    assert all(list(one.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0] for one in slices)
    assert [(one.InstanceNumber, one.SliceThickness) for one in slices] == [(1, 5), (2, 5), (3, 5)]


def test_the_hounsfield_units_are_those_of_the_description(converted):
    _, source, _, files = converted

    for name, path in zip(("a1", "a2", "a4"), files, strict=True):
        dataset = dcmread(path)
        stored = np.asarray(Image.open(source / f"images/{name}.png"), dtype=np.float64)
        found = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert dataset.RescaleType == "HU"
        assert np.abs(found - (-20 + stored * 120 / 255)).max() < 1e-9


def test_the_live_reader_sees_the_volume_that_validation_makes_of_the_images(converted):
    _, source, _, files = converted
    dataset = load_dataset(source)
    study = dataset.studies[0]

    live = read_volume(files)
    direct = assumed_volume(study, dataset.description, [read_image(image).pixels for image in study.images])

    assert np.array_equal(live.values, direct.values)
    assert (live.unit, live.sop_instance_uids) == (direct.unit, direct.sop_instance_uids)
    assert np.allclose(live.affine, direct.affine)
    assert live.spacing_mm == pytest.approx(direct.spacing_mm)


def test_the_headers_that_models_select_by_are_the_written_ones(converted):
    _, source, _, files = converted
    dataset = load_dataset(source)
    series = assumed_series(dataset.studies[0], dataset.description, (24, 32))
    written = dcmread(files[0])

    header, image = series.header, series.images[0]
    assert (header.modality, header.body_part) == (written.Modality, written.BodyPartExamined) == ("CT", "HEAD")
    assert header.manufacturer == written.Manufacturer == "Acuity"
    assert (header.series_description, series.study_description) == ("Head 5 mm", "CT head")
    assert (header.series_description, series.study_description) == (
        written.SeriesDescription,
        written.StudyDescription,
    )
    assert (image.sop_class_uid, image.image_type) == (written.SOPClassUID, tuple(written.ImageType))
    assert image.position_mm == pytest.approx(tuple(written.ImagePositionPatient))


def test_the_same_images_give_the_same_bytes(converted, tmp_path):
    out, source, _, _ = converted

    to_dicom(source, tmp_path / "again", silent)

    assert digests(out) == digests(tmp_path / "again")


def test_other_pixels_give_other_uids(converted, tmp_path):
    out, source, _, _ = converted
    (source / "images/b1.png").write_bytes((source / "images/b2.png").read_bytes())

    to_dicom(source, tmp_path / "again", silent)

    before, after = (
        {row["study"]: row["StudyInstanceUID"] for row in rows_of(folder / "labels.csv")}
        for folder in (out, tmp_path / "again")
    )
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]


def test_uids_are_derived_and_of_valid_form(converted):
    _, _, _, files = converted

    for path in files:
        dataset = dcmread(path)
        for uid in (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID):
            assert uid.startswith("2.25.")
            assert uid.is_valid
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_the_truth_is_beside_the_dicom_files(converted):
    out, _, _, _ = converted

    assert {row["study"]: row["label"] for row in rows_of(out / "labels.csv")} == {"a": "1", "b": "0", "c": ""}
    images = {row["image"]: row["label"] for row in rows_of(out / "image_labels.csv")}
    assert images["images/a2.png"] == "1"
    assert images["images/b2.png"] == ""


def test_flipping_every_label_changes_no_dicom_file(converted, tmp_path):
    out, source, _, _ = converted
    labels = (source / "labels.csv").read_text()
    flipped = re.sub(r",([01]),(?=north|south)", lambda found: f",{1 - int(found[1])},", labels)
    (source / "labels.csv").write_text(flipped)

    to_dicom(source, tmp_path / "again", silent)

    assert flipped != labels
    assert digests(out / "studies") == digests(tmp_path / "again" / "studies")
    assert digests(out)["labels.csv"] != digests(tmp_path / "again")["labels.csv"]


def test_what_was_written_loads_again_with_the_same_truth(converted):
    out, source, conversion, _ = converted

    before, after = load_dataset(source), load_dataset(out)

    assert after.is_dicom
    assert [(one.patient, one.label) for one in after.studies] == [(one.patient, one.label) for one in before.studies]
    assert (after.unlabelled_rows, after.description.name) == (1, "small_ct")
    assert [image.label for image in after.studies[0].images] == [False, True, False]
    assert [study.row["centre"] for study in after.studies] == ["north", "south"]
    assert (conversion.n_studies, conversion.n_images, conversion.n_unlabelled_images) == (3, 6, 2)


def test_missing_slices_are_reported(converted):
    _, _, conversion, _ = converted

    assert conversion.as_object()["missing_slices"] == [{"study": "a", "slices": [3]}]
    assert "without a hole" in str(conversion.as_object()["note"])


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is missing: run tests/install_peers.sh")
@pytest.mark.parametrize(("modality", "body_part"), KINDS)
@pytest.mark.parametrize("columns", [{}, {"view": "AP", "sex": "F", "age": "61", "side": "left"}])
def test_dciodvfy_finds_nothing_wrong(stills, write_dataset, tmp_path, modality, body_part, columns):
    source = write_dataset() if modality == "CT" else stills(modality, body_part, "FLAIR abnormality", **columns)

    to_dicom(source, tmp_path / "out", silent)

    files = sorted((tmp_path / "out" / "studies").rglob("*.dcm"))
    assert files
    for path in files:
        said = subprocess.run([str(DCIODVFY), path], capture_output=True, text=True, timeout=50, check=False)
        lines = (said.stdout + said.stderr).splitlines()
        complaints = [line for line in lines if line.startswith(("Error", "Warning"))]
        # Which side is seen was not published; the attribute may be empty for just that reason, as the warning says.
        assert [line for line in complaints if not SIDE_UNKNOWN.search(line)] == []
        assert len(lines) == 1 + len(complaints)


def test_a_photograph_compressed_with_loss_says_so(stills, tmp_path):
    to_dicom(stills("DX", "CHEST"), tmp_path / "out", silent)

    for path in (tmp_path / "out").rglob("*.dcm"):
        dataset = dcmread(path)
        assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
        # 430 mm of detector over 32 columns.
        assert list(dataset.ImagerPixelSpacing) == [13.4375, 13.4375]


def test_ultrasound_claims_no_scale(stills, tmp_path):
    to_dicom(stills("US", "BREAST"), tmp_path / "out", silent)

    (first, *_) = sorted((tmp_path / "out").rglob("*.dcm"))
    assert "PixelSpacing" not in dcmread(first)
    assert "SequenceOfUltrasoundRegions" not in dcmread(first)


def test_sixteen_bit_images_keep_their_values(write_dataset, tmp_path):
    source = write_dataset()
    pixels = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 80
    Image.fromarray(pixels).save(source / "images/b1.png")

    to_dicom(source, tmp_path / "out", silent)

    uid = next(row["StudyInstanceUID"] for row in rows_of(tmp_path / "out/labels.csv") if row["study"] == "b")
    dataset = dcmread(tmp_path / "out/studies" / uid / "0001.dcm")
    assert np.array_equal(dataset.pixel_array, pixels)


def test_a_scale_without_a_place_in_the_object_is_refused(stills, tmp_path):
    folder = stills("US")
    with (folder / "dataset.toml").open("a") as file:
        file.write("[stored_values]\nslope = 2.0\n")

    with pytest.raises(InvalidDataset, match="slope 2, intercept 0, needed 1 and 0: US objects have no scale"):
        to_dicom(folder, tmp_path / "out", silent)


def test_nothing_stays_after_an_error(write_dataset, tmp_path):
    source = write_dataset()
    (source / "images/c1.png").write_bytes(b"no image")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(InvalidDataset, match=r"images/c1.png: cannot be decoded \(UnidentifiedImageError\)"):
        to_dicom(source, tmp_path / "out", silent)

    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_with_other_files_is_left_alone_and_an_earlier_result_is_replaced(write_dataset, tmp_path):
    source, out = write_dataset(), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")

    with pytest.raises(InvalidDataset, match="holds other files, needed a new or an empty folder, or an earlier"):
        to_dicom(source, out, silent)
    assert (out / "thesis.txt").read_text() == "mine"

    (out / "thesis.txt").unlink()
    to_dicom(source, out, silent)
    first = digests(out)
    to_dicom(source, out, silent)
    assert digests(out) == first


def test_dicom_is_not_converted_again(converted, tmp_path):
    out, _, _, _ = converted

    with pytest.raises(InvalidDataset, match="studies of DICOM files, needed plain images"):
        to_dicom(out, tmp_path / "twice", silent)


def test_a_film_of_a_part_without_a_code_is_refused(stills, tmp_path):
    with pytest.raises(InvalidDataset, match="body_part: found HAND, needed CHEST for DX"):
        to_dicom(stills("DX", "HAND"), tmp_path / "out", silent)


def test_an_unknown_modality_is_refused(stills, tmp_path):
    with pytest.raises(InvalidDataset, match="modality: found 'OT', needed one of CT, MR, US, DX"):
        to_dicom(stills("OT"), tmp_path / "out", silent)
