"""What a DICOM query asks for, and what it finds: the same words for every protocol that asks."""

from dataclasses import dataclass
from enum import StrEnum

from triage.study import ImageHeader, SeriesHeader, StudyHeader


class Level(StrEnum):
    """The levels of the study root information model (PS3.4 C.6.2)."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Matching(StrEnum):
    """How a value is compared (PS3.4 C.2.2.2)."""

    TEXT = "text"
    UID = "uid"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    ANY_OF_STUDY = "any_of_study"


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that can be asked for: `name` in the header of `level`, and how it matches."""

    level: Level
    name: str
    matching: Matching = Matching.TEXT


@dataclass(frozen=True, slots=True)
class Match:
    """One condition; texts may hold the wildcards * and ?, dates and times a range, UIDs a list."""

    key: Key
    value: str


@dataclass(frozen=True, slots=True)
class DicomSearch:
    """A query: every match must hold; `offset` results are left out, at most `limit` returned."""

    level: Level
    matches: tuple[Match, ...] = ()
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """One result; headers below the asked level are absent. Counts are of the whole study, and of the whole series."""

    study: StudyHeader
    modalities: tuple[str, ...]
    study_series: int = 0
    study_instances: int = 0
    series: SeriesHeader | None = None
    series_instances: int = 0
    image: ImageHeader | None = None
    transfer_syntax_uid: str = ""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The results of one query in a stable order, and whether more would follow."""

    found: tuple[Found, ...] = ()
    has_more: bool = False
