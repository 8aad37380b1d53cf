"""Where the file of one received image lies."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from storage.schema import instances
from storage.transaction import transaction
from triage.errors import UnknownStudy
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One received image: its series and its file."""

    series_instance_uid: SeriesInstanceUid
    path: str


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Finds images, each call in a transaction of its own."""

    engine: Engine

    def find(self, study: StudyInstanceUid, image: SopInstanceUid) -> ImageFile:
        """Return the image of the study; raises UnknownStudy where the study has no such image."""
        query = select(instances.c.series_instance_uid, instances.c.path).where(
            instances.c.sop_instance_uid == image, instances.c.study_instance_uid == study
        )
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownStudy(f"study {study}: no image {image}")
        return ImageFile(SeriesInstanceUid(row.series_instance_uid), row.path)
