"""Loading a labelled data set: plain images with `dataset.toml`, or DICOM files with the labels of their studies."""

from pathlib import Path

from triage.errors import InvalidDataset
from validation.dataset_description import DESCRIPTION_FILE, Columns, Description, read_description
from validation.dicom_dataset import dicom_dataset
from validation.labelled_images import LABELS_FILE, Dataset, LabelledImage, content_digest, file_sha256, studies_of
from validation.labels_table import Row, has_column, read_table


def load_dataset(folder: Path) -> Dataset:
    """Return the data set in `folder`; it is one of DICOM files when `labels.csv` has a column StudyInstanceUID.

    Raises:
        InvalidDataset: a file, a column or a value is missing or does not fit; the message says which, where, and
            what was needed.
    """
    if not folder.is_dir():
        raise InvalidDataset(f"{folder}: no such folder, needed a data set")
    is_dicom = has_column(folder / LABELS_FILE, "StudyInstanceUID")
    description = read_description(folder, is_dicom)
    if description.columns is None:
        return dicom_dataset(folder, description)
    return _image_dataset(folder, description, description.columns)


def _image_dataset(folder: Path, description: Description, columns: Columns) -> Dataset:
    """Return the data set of a folder of plain images.

    Raises:
        InvalidDataset: see `_read_images`, `studies_of`; or no row has a label.
    """
    images = _read_images(folder, columns)
    labelled = [image for image in images if image.label is not None]
    if not labelled:
        raise InvalidDataset(f"{folder.name}/{LABELS_FILE}: {columns.image_label}: no value, needed one at least")
    unlabelled = tuple(image for image in images if image.label is None)
    masks = [name for image in images if columns.mask and (name := image.row.get(columns.mask, ""))]
    return Dataset(
        folder=folder,
        description=description,
        is_dicom=False,
        studies=studies_of(labelled, folder),
        unlabelled=unlabelled,
        unlabelled_rows=len(unlabelled),
        digest=content_digest(folder, images, (DESCRIPTION_FILE, LABELS_FILE, *masks)),
    )


def _read_images(folder: Path, columns: Columns) -> tuple[LabelledImage, ...]:
    """Return every image of the rows of `labels.csv`, with or without a label, in the order of the file.

    Raises:
        InvalidDataset: a row does not fit, an image or a mask is missing, or an image stands in two rows.
    """
    needed = [columns.image, columns.study, columns.patient, columns.image_label]
    rows = read_table(folder / LABELS_FILE, [*needed, *(one for one in (columns.order, columns.mask) if one)])
    seen: set[str] = set()
    images = []
    for row in rows:
        name = row.text(columns.image)
        if name in seen:
            raise InvalidDataset(f"{row.place}: {columns.image}: {name} a second time, needed once")
        seen.add(name)
        path = _inside(folder, name, row)
        if columns.mask and (mask := row.values[columns.mask]):
            _inside(folder, mask, row)
        images.append(
            LabelledImage(
                path=path,
                name=name,
                sha256=file_sha256(path),
                study=row.text(columns.study),
                patient=row.text(columns.patient),
                order=row.number(columns.order) if columns.order else None,
                label=row.label(columns.image_label),
                row=row.values,
            )
        )
    return tuple(images)


def _inside(folder: Path, name: str, row: Row) -> Path:
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise InvalidDataset(f"{row.place}: found {name!r}, needed a path inside the data set")
    if not (folder / relative).is_file():
        raise InvalidDataset(f"{row.place}: {name}: no such file, needed an image")
    return folder / relative
