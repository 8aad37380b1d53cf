"""Loading labelled data sets, and what is said when one does not fit."""

import hashlib

import pytest

from tests.unit.validation.conftest import CT_ROWS, CT_TOML
from triage.errors import InvalidDataset
from validation.datasets import load_dataset


def test_rows_become_studies_with_their_images_in_order(write_dataset):
    dataset = load_dataset(write_dataset())

    first, second = dataset.studies
    assert (first.study, first.patient, first.label) == ("a", "a", True)
    assert [image.name for image in first.images] == ["images/a1.png", "images/a2.png", "images/a4.png"]
    assert [image.label for image in first.images] == [False, True, False]
    assert (second.study, second.label, len(second.images)) == ("b", False, 1)


def test_rows_without_a_label_are_left_out_and_counted(write_dataset):
    dataset = load_dataset(write_dataset())

    assert dataset.unlabelled_rows == 2
    assert [image.name for image in dataset.unlabelled] == ["images/b2.png", "images/c1.png"]


def test_what_the_description_says_is_kept(write_dataset):
    description = load_dataset(write_dataset()).description

    assert (description.name, description.modality, description.body_part) == ("small_ct", "CT", "HEAD")
    assert (description.stored.unit, description.stored.intercept) == ("HU", -20.0)
    assert description.subgroups == ("centre", "absent")


def test_the_digest_is_that_of_every_file_by_path(write_dataset):
    folder = write_dataset()

    names = sorted(["dataset.toml", "labels.csv", *(row["image"] for row in CT_ROWS)])
    lines = [f"{name}\t{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n" for name in names]
    assert load_dataset(folder).digest == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_changed_pixel_changes_the_digest_and_a_stray_file_does_not(write_dataset):
    folder = write_dataset()
    before = load_dataset(folder).digest

    (folder / "notes.txt").write_text("stray")
    assert load_dataset(folder).digest == before

    (folder / "images/a1.png").write_bytes((folder / "images/a2.png").read_bytes())
    assert load_dataset(folder).digest != before


def test_without_a_patient_column_the_study_is_the_patient(stills, write_dataset):
    assert {study.patient for study in load_dataset(stills("US")).studies} == {"p", "q"}
    assert {study.patient for study in load_dataset(write_dataset(name="other")).studies} == {"a", "b"}


def test_a_study_of_stills_is_positive_when_one_of_them_is(stills):
    assert [(study.study, study.label) for study in load_dataset(stills("US")).studies] == [("s", True), ("t", False)]


def changed(index: int, **values: str) -> list[dict[str, str]]:
    rows = [dict(row) for row in CT_ROWS]
    rows[index] |= values
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(0, bleed="yes"), "data/labels.csv line 2: bleed: found 'yes', needed 1, 0 or nothing"),
        (changed(1, slice="low"), "data/labels.csv line 3: slice: found 'low', needed a number"),
        (changed(1, patient=""), "data/labels.csv line 3: patient: empty, needed a value"),
        (changed(1, image="images/a2.png"), "line 3: image: images/a2.png a second time, needed once"),
        (changed(1, slice="2"), "study a: images/a2.png and images/a1.png in one place, needed an order"),
        ([{**row, "bleed": ""} for row in CT_ROWS], "data/labels.csv: bleed: no value, needed one at least"),
        ([{"image": "x.png", "patient": "a"}], "data/labels.csv: column bleed absent, found image, patient"),
    ],
)
def test_a_row_that_does_not_fit_is_named(write_dataset, rows, message):
    folder = write_dataset(rows=rows)

    with pytest.raises(InvalidDataset) as caught:
        load_dataset(folder)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (CT_TOML.replace('"small_ct"', "7"), "data/dataset.toml: name: found 7, needed a text"),
        (CT_TOML.replace('image_label = "bleed"', ""), "data/dataset.toml: columns.image_label: absent, needed a text"),
        (CT_TOML.replace("-20.0", '"low"'), "stored_values.intercept: found 'low', needed a number"),
        (CT_TOML.replace("0.47058823529411764", "0"), "stored_values.slope: found 0, needed a number other than 0"),
        ("name = ", "data/dataset.toml: Invalid value"),
    ],
)
def test_a_description_that_does_not_fit_is_named(write_dataset, toml, message):
    folder = write_dataset(toml)

    with pytest.raises(InvalidDataset) as caught:
        load_dataset(folder)

    assert message in str(caught.value)


def test_a_missing_image_is_named_with_its_line(write_dataset):
    folder = write_dataset()
    (folder / "images/a4.png").unlink()

    with pytest.raises(InvalidDataset, match=r"data/labels.csv line 4: images/a4.png: no such file, needed an image"):
        load_dataset(folder)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_an_image_outside_the_folder_is_refused(write_dataset, name):
    folder = write_dataset()
    labels = (folder / "labels.csv").read_text().replace("images/a2.png", name)
    (folder / "labels.csv").write_text(labels)

    with pytest.raises(InvalidDataset, match="needed a path inside the data set"):
        load_dataset(folder)


def test_a_study_of_two_patients_is_refused(stills):
    folder = stills("US")
    labels = (folder / "labels.csv").read_text().replace("2.jpg,s,p", "2.jpg,s,q")
    (folder / "labels.csv").write_text(labels)

    with pytest.raises(InvalidDataset, match="study s: patients p and q, needed one"):
        load_dataset(folder)


def test_a_short_row_is_named(write_dataset):
    folder = write_dataset()
    with (folder / "labels.csv").open("a") as file:
        file.write("images/b1.png,b\n")

    with pytest.raises(InvalidDataset, match="line 8: another number of values, needed 5"):
        load_dataset(folder)


@pytest.mark.parametrize("missing", ["dataset.toml", "labels.csv"])
def test_a_missing_table_is_named(write_dataset, missing):
    folder = write_dataset()
    (folder / missing).unlink()

    with pytest.raises(InvalidDataset, match=f"data/{missing}: cannot be read"):
        load_dataset(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InvalidDataset, match="no such folder, needed a data set"):
        load_dataset(tmp_path / "nowhere")
