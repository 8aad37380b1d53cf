"""A folder of DICOM files with labels."""

import re

import pytest

from triage.errors import InvalidDataset
from validation.datasets import load_dataset
from validation.to_dicom import to_dicom


@pytest.fixture
def folder(write_dataset, tmp_path):
    """Two labelled studies and one without a label, without what only `to_dicom` writes."""
    out = tmp_path / "dicom"
    to_dicom(write_dataset(), out, lambda _done, _total: None)
    (out / "dataset.toml").unlink()
    (out / "image_labels.csv").unlink()
    return out


def rewritten(folder, pattern, text):
    labels = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(re.sub(pattern, text, labels, count=1, flags=re.MULTILINE))


def test_two_columns_are_enough(folder):
    lines = [",".join(line.split(",")[:2]) for line in (folder / "labels.csv").read_text().splitlines()]
    (folder / "labels.csv").write_text("\n".join(lines))

    dataset = load_dataset(folder)

    assert (dataset.is_dicom, dataset.description.name) == (True, "dicom")
    assert [(study.label, len(study.images)) for study in dataset.studies] == [(True, 3), (False, 2)]
    assert [study.patient for study in dataset.studies] == [study.study for study in dataset.studies]
    assert all(image.label is None for study in dataset.studies for image in study.images)


def test_studies_without_a_label_or_without_a_row_are_left_out(folder):
    assert (load_dataset(folder).unlabelled_rows, len(load_dataset(folder).unlabelled)) == (1, 1)

    rewritten(folder, r"^2\.25\.\d+,,c.*\n", "")

    assert (load_dataset(folder).unlabelled_rows, len(load_dataset(folder).unlabelled)) == (0, 1)


def test_the_layout_of_the_files_does_not_matter(folder):
    for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
        path.rename(folder / f"IM{number}")
    (folder / "notes.txt").write_text("stray")

    assert [len(study.images) for study in load_dataset(folder).studies] == [3, 2]


def test_a_row_without_files_is_named(folder):
    rewritten(folder, r"^2\.25\.\d+,1", "1.2.3,1")

    with pytest.raises(InvalidDataset, match=r"dicom/labels.csv line 2: StudyInstanceUID 1.2.3: no DICOM file of it"):
        load_dataset(folder)


def test_a_study_in_two_rows_is_refused(folder):
    first = (folder / "labels.csv").read_text().splitlines()[1]
    with (folder / "labels.csv").open("a") as file:
        file.write(first + "\n")

    with pytest.raises(InvalidDataset, match=r"line 5: StudyInstanceUID .* a second time, needed once"):
        load_dataset(folder)


def test_a_file_that_only_claims_to_be_dicom_is_named(folder):
    (folder / "broken.dcm").write_bytes(b"no DICOM")

    with pytest.raises(InvalidDataset, match=r"broken.dcm: InvalidDicomError, needed a DICOM file"):
        load_dataset(folder)


def test_a_set_without_any_label_is_refused(folder):
    rewritten(folder, r"^(2\.25\.\d+),1", r"\1,")
    rewritten(folder, r"^(2\.25\.\d+),0", r"\1,")

    with pytest.raises(InvalidDataset, match="label: no value, needed one at least"):
        load_dataset(folder)
