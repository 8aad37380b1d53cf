"""`acuity dataset check`: what a data set holds, and whether its parts are apart."""

from pathlib import Path

from validation.datasets import load_dataset
from validation.leakage import leaks_between_parts, leaks_between_patients, leaks_between_sets, sides_of
from validation.result_document import Json


def checked(folder: Path, split: str | None, against: Path | None) -> dict[str, Json]:
    """Return counts, digest and leaks of the set in `folder`, between patients, parts, and it and another set.

    Raises:
        InvalidDataset: a set does not load: a file, a mask, a column or a value is missing or does not fit.
    """
    dataset = load_dataset(folder)
    sides = sides_of(dataset, {}, split)
    leaks = [leaks_between_patients(sides)]
    if split is not None:
        leaks.append(leaks_between_parts(sides, split))
    if against is not None:
        other = load_dataset(against)
        same_names = other.description.name == dataset.description.name
        leaks.append(leaks_between_sets(sides, sides_of(other, {}, None), "the two sets", same_names))
    images = [image for study in dataset.studies for image in study.images]
    columns = dataset.description.columns
    mask = columns.mask if columns is not None else None
    return {
        "dataset": dataset.description.name,
        "dataset_digest": dataset.digest,
        "form": "DICOM files" if dataset.is_dicom else "images",
        "licence": dataset.description.licence,
        "n_images": len(images),
        "n_studies": len(dataset.studies),
        "n_positive_studies": sum(bool(study.label) for study in dataset.studies),
        "n_patients": len({study.patient for study in dataset.studies}),
        "n_unlabelled_rows": dataset.unlabelled_rows,
        "n_masks": sum(bool(image.row.get(mask)) for image in images) if mask else None,
        "compared": [one.as_object() for one in leaks],
        "findings": [said for one in leaks for said in one.found],
    }
