"""Files to send: the sizes that departments know, with noise for pixels and UIDs of a fixed length."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundMultiFrameImageStorage,
)

_SERIAL = "900000000000"


@dataclass(frozen=True)
class Kind:
    """One kind of object: its size and how many of them one measurement sends, with Nagle's algorithm off and on."""

    sop_class: str
    modality: str
    rows: int
    columns: int
    count: int
    count_with_nagle: int
    frames: int = 1


KINDS = {
    "ct": Kind(CTImageStorage, "CT", 512, 512, 160, 40),
    "mr": Kind(MRImageStorage, "MR", 256, 256, 240, 40),
    "cr": Kind(ComputedRadiographyImageStorage, "CR", 2560, 2048, 16, 4),
    "us": Kind(UltrasoundMultiFrameImageStorage, "US", 600, 800, 4, 2, frames=58),
    "tiny": Kind(BasicTextSRStorage, "SR", 0, 0, 1000, 60),
}
"""CT of 525 kB, MR of 131 kB, CR of 10.5 MB, ultrasound cine of 55.7 MB, and reports of a few hundred bytes."""


def write_objects(kind: Kind, count: int, parts: int, folder: Path, first_serial: int) -> list[Path]:
    """Write `count` objects, dealt out over `parts` folders, and return the folders; no UID is used twice."""
    folders = [folder / str(part) for part in range(parts)]
    for one in folders:
        one.mkdir(parents=True)
    for number, content in enumerate(_objects(kind, count, first_serial)):
        (folders[number % parts] / f"{number:05}.dcm").write_bytes(content)
    return folders


def _objects(kind: Kind, count: int, first_serial: int) -> Iterator[bytes]:
    template = _template(kind)
    for number in range(count):
        yield template.replace(_SERIAL.encode(), str(int(_SERIAL) + 1 + first_serial + number).encode())


def _template(kind: Kind) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind.sop_class
    meta.MediaStorageSOPInstanceUID = f"2.25.3.{_SERIAL}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = kind.sop_class, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = "2.25.1.1", f"2.25.2.{int.from_bytes(kind.modality.encode())}"
    image.PatientName, image.PatientID, image.Modality = "BENCH^MARK", "B1", kind.modality
    image.StudyDate, image.StudyTime, image.AccessionNumber = "20260301", "030000", "A1"
    image.SeriesNumber, image.InstanceNumber = 1, 1
    if kind.rows:
        _add_pixels(image, kind)
    stream = BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _add_pixels(image: Dataset, kind: Kind) -> None:
    image.Rows, image.Columns = kind.rows, kind.columns
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [0.5, 0.5], 5
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    if kind.frames > 1:
        image.NumberOfFrames = kind.frames
    image.PixelData = random.Random(1).randbytes(kind.rows * kind.columns * kind.frames * 2)
