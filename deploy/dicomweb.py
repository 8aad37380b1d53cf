"""What DICOMweb works with, put together: the index, the files, the decoder, and the way in of C-STORE."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pydicom.dataset import FileDataset
from sqlalchemy import Engine

from deploy.receive import storing_of
from deploy.settings import Settings
from dicom_gateway import web_objects
from dicom_gateway.web_intake import WebIntake
from dicom_gateway.web_objects import BulkData
from inference.decoding import PARSING_FAILURES
from inference.display import FrameReader
from storage.dicom_index import DicomIndex
from triage.errors import UnsupportedPixels
from worklist.dicomweb.ports import DicomWebServices

CAPTION = "Research use, not for diagnosis"
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class WebObjects:
    """Satisfies `worklist.dicomweb.ports.DicomObjects`."""

    reader: FrameReader

    def metadata(self, path: str, address: str) -> dict[str, Any]:
        """Return the DICOM JSON of a file."""
        return web_objects.metadata(path, address)

    def frames(self, path: str, numbers: Sequence[int], decoded: bool) -> Iterator[BulkData]:
        """Yield frames as they are stored or, with `decoded`, uncompressed."""
        return web_objects.frames(path, numbers, decoded, self._decoded)

    def bulk_data(self, path: str, tag: int) -> BulkData:
        """Return the value of one top-level attribute."""
        return web_objects.bulk_data(path, tag)

    def stored_media_type(self, transfer_syntax_uid: str) -> str:
        """Return the media type of a frame as it is stored."""
        return web_objects.stored_media_type(transfer_syntax_uid)

    def rendered(self, path: str, number: int, window: tuple[float, float] | None, media_type: str) -> bytes:
        """Return one frame as a picture with the caption burned in."""
        picture = self.reader.key_image(path, number - 1, window, CAPTION, ())
        if media_type == "image/png":
            return picture
        written = io.BytesIO()
        Image.open(io.BytesIO(picture)).save(written, "JPEG", quality=JPEG_QUALITY)
        return written.getvalue()

    def _decoded(self, dataset: FileDataset) -> Any:
        try:
            return self.reader.decoder.decoded(dataset).array
        except PARSING_FAILURES as error:
            raise UnsupportedPixels(f"{dataset.get('SOPInstanceUID')}: {type(error).__name__} on decoding") from error


def dicomweb_on(engine: Engine, settings: Settings, reader: FrameReader) -> DicomWebServices:
    """Return what DICOMweb works with; the spool is the one of the receivers."""
    return DicomWebServices(DicomIndex(engine), WebObjects(reader), WebIntake(storing_of(settings, engine)))
