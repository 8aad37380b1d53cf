"""A data set of DICOM files: the labels of its studies in `labels.csv`, of its images, if any, beside it."""

from collections.abc import Mapping
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from triage.errors import InvalidDataset
from validation.dataset_description import DESCRIPTION_FILE, Description
from validation.labelled_images import LABELS_FILE, Dataset, LabelledImage, LabelledStudy, content_digest, file_sha256
from validation.labels_table import Row, read_table

IMAGE_LABELS_FILE = "image_labels.csv"
"""Optional, columns SOPInstanceUID,label,…: what is true of single images."""

PREAMBLE_BYTES = 128
PREFIX = b"DICM"


def dicom_dataset(folder: Path, description: Description) -> Dataset:
    """Return the data set of a folder of DICOM files, in any layout; studies without a row have no label.

    Raises:
        InvalidDataset: a row without files, a study in two rows, a file that is no DICOM, or no label at all.
    """
    rows = _rows_by(folder / LABELS_FILE, "StudyInstanceUID")
    image_rows = _rows_by(folder / IMAGE_LABELS_FILE, "SOPInstanceUID") if _has_image_labels(folder) else {}
    images = _images(folder, rows, image_rows)
    files: dict[str, list[LabelledImage]] = {}
    for image in images:
        files.setdefault(image.study, []).append(image)
    for uid, row in rows.items():
        if uid not in files:
            raise InvalidDataset(f"{row.place}: StudyInstanceUID {uid}: no DICOM file of it, needed one at least")
    studies = [
        LabelledStudy(uid, _patient(uid, row), tuple(files[uid]), row.label("label"), row.values)
        for uid, row in rows.items()
    ]
    labelled = tuple(study for study in studies if study.label is not None)
    if not labelled:
        raise InvalidDataset(f"{folder.name}/{LABELS_FILE}: label: no value, needed one at least")
    known = {study.study for study in labelled}
    return Dataset(
        folder=folder,
        description=description,
        is_dicom=True,
        studies=labelled,
        unlabelled=tuple(image for image in images if image.study not in known),
        unlabelled_rows=len(studies) - len(labelled),
        digest=content_digest(folder, images, (DESCRIPTION_FILE, LABELS_FILE, IMAGE_LABELS_FILE)),
    )


def _has_image_labels(folder: Path) -> bool:
    return (folder / IMAGE_LABELS_FILE).is_file()


def _rows_by(path: Path, key: str) -> Mapping[str, Row]:
    rows: dict[str, Row] = {}
    for row in read_table(path, (key, "label")):
        uid = row.text(key)
        if uid in rows:
            raise InvalidDataset(f"{row.place}: {key} {uid} a second time, needed once")
        rows[uid] = row
    return rows


def _images(folder: Path, rows: Mapping[str, Row], image_rows: Mapping[str, Row]) -> list[LabelledImage]:
    images = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if (uids := _uids(path)) is None:
            continue
        study_uid, sop_instance_uid = uids
        row, image_row = rows.get(study_uid), image_rows.get(sop_instance_uid)
        images.append(
            LabelledImage(
                path=path,
                name=path.relative_to(folder).as_posix(),
                sha256=file_sha256(path),
                study=study_uid,
                patient=_patient(study_uid, row),
                order=None,
                label=image_row.label("label") if image_row else None,
                row=image_row.values if image_row else (row.values if row else {}),
                sop_instance_uid=sop_instance_uid,
            )
        )
    return images


def _patient(study_uid: str, row: Row | None) -> str:
    """Return the patient that the row names; without one, each study counts as a patient of its own."""
    return (row.values.get("patient", "") if row else "") or study_uid


def _uids(path: Path) -> tuple[str, str] | None:
    """Return Study and SOP Instance UID; None for files that are no DICOM images and do not claim to be."""
    with path.open("rb") as file:
        is_dicom = file.read(PREAMBLE_BYTES + len(PREFIX))[PREAMBLE_BYTES:] == PREFIX
    if not is_dicom and path.suffix.lower() != ".dcm":
        return None
    try:
        tags = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"]
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    except (InvalidDicomError, EOFError, ValueError, OSError) as error:
        raise InvalidDataset(f"{path.name}: {type(error).__name__}, needed a DICOM file") from error
    if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    if not dataset.get("StudyInstanceUID") or not dataset.get("SOPInstanceUID"):
        raise InvalidDataset(f"{path.name}: Study or SOP Instance UID absent, needed both")
    return str(dataset.StudyInstanceUID), str(dataset.SOPInstanceUID)
