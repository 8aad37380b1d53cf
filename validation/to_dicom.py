"""`acuity dataset to-dicom`: the images of a labelled data set as DICOM studies, the truth beside them."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.errors import InvalidDataset
from validation.assumed_geometry import missing_slices
from validation.assumed_headers import StudyIdentity, geometry_of, identity_of, require_known_modality
from validation.dataset_description import DESCRIPTION_FILE, Description
from validation.datasets import load_dataset
from validation.dicom_dataset import IMAGE_LABELS_FILE
from validation.dicom_objects import PlacedImage, dicom_object
from validation.image_files import read_image
from validation.labelled_images import LABELS_FILE, Dataset, LabelledStudy, studies_of
from validation.labels_table import FALSE, TRUE, UNKNOWN
from validation.written_whole import written_whole

STUDIES_FOLDER = "studies"
WRITTEN = (DESCRIPTION_FILE, LABELS_FILE, IMAGE_LABELS_FILE, STUDIES_FOLDER)
MARK = "# Written by acuity dataset to-dicom"
OWN_COLUMNS = ("StudyInstanceUID", "SOPInstanceUID", "label", "patient", "study", "image")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written; `missing_slices` names, per study, the slices that the set does not have."""

    dataset: str
    dataset_digest: str
    n_studies: int
    n_images: int
    n_unlabelled_images: int
    assumed: str
    missing_slices: tuple[tuple[str, tuple[int, ...]], ...]

    def as_object(self) -> dict[str, object]:
        """Return the answer of the command as a JSON object."""
        return {
            "dataset": self.dataset,
            "dataset_digest": self.dataset_digest,
            "n_studies": self.n_studies,
            "n_images": self.n_images,
            "n_unlabelled_images": self.n_unlabelled_images,
            "assumed": self.assumed,
            "missing_slices": [{"study": study, "slices": list(slices)} for study, slices in self.missing_slices],
            "note": "Slices that the set does not have are not made up: the others follow one another without a hole.",
        }


def to_dicom(folder: Path, out: Path, progress: Callable[[int, int], None]) -> Conversion:
    """Write the images of the data set in `folder` as DICOM studies to `out`, and return what was written.

    The same images give the same bytes. Labels go to `out/labels.csv` and `out/image_labels.csv`, never into the
    DICOM files. Images without a label are written as well; their labels are empty.

    Args:
        folder: a data set of plain images.
        out: a new or an empty folder, or one that an earlier call wrote.
        progress: is told how many studies are done and how many there are.

    Raises:
        InvalidDataset: the data set does not load, is DICOM already, or `out` holds something else.
    """
    dataset = load_dataset(folder)
    if dataset.is_dicom:
        raise InvalidDataset(f"{folder.name}/{LABELS_FILE}: studies of DICOM files, needed plain images")
    require_known_modality(dataset.description, folder.name)
    studies = _every_study(dataset)
    with written_whole(out, is_conversion) as unfinished:
        for done, study in enumerate(studies):
            progress(done, len(studies))
            _write_study(study, dataset.description, unfinished / STUDIES_FOLDER)
        _write_labels(unfinished, studies, dataset.description)
        (unfinished / DESCRIPTION_FILE).write_text(_description_text(dataset), encoding="utf-8")
    progress(len(studies), len(studies))
    gaps = ((study.study, missing_slices(tuple(image.order for image in study.images))) for study in studies)
    return Conversion(
        dataset=dataset.description.name,
        dataset_digest=dataset.digest,
        n_studies=len(studies),
        n_images=sum(len(study.images) for study in studies),
        n_unlabelled_images=len(dataset.unlabelled),
        assumed=geometry_of(dataset.description).as_text(),
        missing_slices=tuple((study, missing) for study, missing in gaps if missing),
    )


def is_conversion(folder: Path) -> bool:
    """Return whether `folder` holds what `to_dicom` wrote, and nothing else."""
    description = folder / DESCRIPTION_FILE
    if any(path.name not in WRITTEN for path in folder.iterdir()) or not description.is_file():
        return False
    return description.read_text(encoding="utf-8", errors="replace").startswith(MARK)


def _every_study(dataset: Dataset) -> tuple[LabelledStudy, ...]:
    """Return the studies of all images, with and without a label."""
    labelled = (image for study in dataset.studies for image in study.images)
    return studies_of([*labelled, *dataset.unlabelled], dataset.folder)


def _write_study(study: LabelledStudy, description: Description, folder: Path) -> None:
    identity = identity_of(study, description)
    target = folder / identity.study_instance_uid
    target.mkdir(parents=True)
    for rank, image in enumerate(study.images):
        uid = identity.sop_instance_uid(image, rank)
        placed = PlacedImage(rank, uid, read_image(image), image.row)
        written = dicom_object(study, identity, description, placed)
        written.save_as(target / f"{rank + 1:04d}.dcm", enforce_file_format=True)


def _write_labels(folder: Path, studies: Sequence[LabelledStudy], description: Description) -> None:
    further = [column for column in description.subgroups if column not in OWN_COLUMNS]
    identities = [identity_of(study, description) for study in studies]
    _write_table(
        folder / LABELS_FILE,
        ["StudyInstanceUID", "label", "patient", "study", *further],
        (
            [identity.study_instance_uid, _text(study.label), study.patient, study.study]
            + [study.row.get(column, "") for column in further]
            for study, identity in zip(studies, identities, strict=True)
        ),
    )
    _write_table(
        folder / IMAGE_LABELS_FILE,
        ["SOPInstanceUID", "label", "StudyInstanceUID", "image", *further],
        (row for study, identity in zip(studies, identities, strict=True) for row in _rows(study, identity, further)),
    )


def _rows(study: LabelledStudy, identity: StudyIdentity, further: Sequence[str]) -> Iterable[list[str]]:
    for rank, image in enumerate(study.images):
        uid = identity.sop_instance_uid(image, rank)
        yield [uid, _text(image.label), identity.study_instance_uid, image.name] + [
            image.row.get(column, "") for column in further
        ]


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _text(label: bool | None) -> str:
    return UNKNOWN if label is None else TRUE if label else FALSE


def _description_text(dataset: Dataset) -> str:
    """Return `dataset.toml` of the DICOM folder; a JSON string is a TOML string when it keeps to ASCII escapes."""
    description = dataset.description
    values = {
        "name": description.name,
        "modality": description.modality,
        "body_part": description.body_part,
        "task": description.task,
        "licence": description.licence,
        "citation": description.citation,
        "source_digest": dataset.digest,
        "assumed": geometry_of(description).as_text(),
        "subgroups": list(description.subgroups),
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"{MARK}: DICOM objects of plain images.", *lines]) + "\n"
