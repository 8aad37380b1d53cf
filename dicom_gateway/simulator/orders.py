"""Synthetic patients with an order each: names of birds, marked as simulated, and no data of any person."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from numpy.random import Generator

from triage.identifiers import StudyInstanceUid

_GIVEN_NAMES = (
    "KESTREL",
    "HERON",
    "PLOVER",
    "MARTIN",
    "ROBIN",
    "SWIFT",
    "AVOCET",
    "DUNLIN",
    "OSPREY",
    "MERLIN",
    "CURLEW",
    "WREN",
    "LINNET",
    "PETREL",
    "DIPPER",
    "GANNET",
)
_STAT_SHARE, _HIGH_SHARE = 0.08, 0.10


@dataclass(frozen=True, slots=True)
class Order:
    """Who is examined, when, and how urgent the order says it is ("" where it says nothing).

    `key` is what every UID of the study is derived from.
    """

    key: tuple[str, ...]
    patient_name: str
    patient_id: str
    birth_date: date
    sex: str
    accession_number: str
    priority: str
    started: datetime

    @property
    def age_years(self) -> int:
        born, today = self.birth_date, self.started.date()
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

    @property
    def study_instance_uid(self) -> StudyInstanceUid:
        return StudyInstanceUid(self.uid("study"))

    def uid(self, *parts: str) -> str:
        """Return a UID of this order's study: the same parts give the same UID. Source: PS3.5 B.2."""
        text = "".join(f"{len(part)}:{part}" for part in (*self.key, *parts))
        return f"2.25.{UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5).int}"


def draw_order(rng: Generator, key: tuple[str, ...], started: datetime) -> Order:
    """Return the order of one simulated study that starts at `started`; everything else is drawn from `rng`."""
    number = int(rng.integers(1_000_000))
    chance = float(rng.random())
    return Order(
        key=key,
        patient_name=f"SIMULATED^{_GIVEN_NAMES[int(rng.integers(len(_GIVEN_NAMES)))]}",
        patient_id=f"SIM-{number:06d}",
        birth_date=date(started.year - int(rng.integers(19, 93)), int(rng.integers(1, 13)), int(rng.integers(1, 29))),
        sex="F" if rng.random() < 0.5 else "M",
        accession_number=f"SIMA{int(rng.integers(10**8)):08d}",
        priority="STAT" if chance < _STAT_SHARE else "HIGH" if chance < _STAT_SHARE + _HIGH_SHARE else "",
        started=started,
    )
