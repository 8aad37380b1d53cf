"""Simulated scanners at work: which studies come when, made up from one seed, and sent as a scanner sends them."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from pydicom.dataset import Dataset

from dicom_gateway.simulator.alterations import altered
from dicom_gateway.simulator.brain_phantom import mr_brain
from dicom_gateway.simulator.breast_phantom import us_breast
from dicom_gateway.simulator.chest_phantom import dx_chest
from dicom_gateway.simulator.image_objects import image_objects
from dicom_gateway.simulator.orders import draw_order
from dicom_gateway.simulator.phantoms import Phantom, ct_head
from dicom_gateway.simulator.scanners import SCANNERS, Scanner
from dicom_gateway.simulator.sending import USUAL_PATIENCE, Address, Patience, send_study
from triage.errors import InvalidSetting
from triage.identifiers import StudyInstanceUid

SCOUT_SHARE = 0.5

_PHANTOMS: Mapping[str, Callable[[Generator, bool], Phantom]] = MappingProxyType(
    {"ct": ct_head, "mr": mr_brain, "us": us_breast, "dx": dx_chest}
)


@dataclass(frozen=True, slots=True)
class Posting:
    """A scanner of a department: its share of the studies, relative to the others, and of these with a lesion."""

    scanner: Scanner
    share: float
    positive_rate: float


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What the scanners do; the same plan makes the same studies, to the byte.

    `scanners` are any of "ct", "mr", "us", "dx", drawn with equal chance. `studies` None goes on without end.
    `positive_rate` is the chance that a study shows a lesion. Studies arrive as a Poisson process with
    `mean_seconds_between` them; 0 sends them back to back. `started` is the time that the first order carries.
    A `department` sends in place of `scanners` and of `positive_rate`.
    """

    scanners: tuple[str, ...]
    studies: int | None
    positive_rate: float
    seed: int
    mean_seconds_between: float
    started: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 8, 0, tzinfo=UTC))
    department: tuple[Posting, ...] = ()

    def check(self) -> None:
        """Raise InvalidSetting when the plan cannot be carried out."""
        unknown = [name for name in self.scanners if name not in _PHANTOMS]
        if unknown or not self.scanners:
            raise InvalidSetting(f"scanners: {', '.join(unknown) or 'none'}, needed are {', '.join(_PHANTOMS)}")
        if self.studies is not None and self.studies < 1:
            raise InvalidSetting(f"studies: {self.studies}, at least 1 is needed")
        if not 0 <= self.positive_rate <= 1:
            raise InvalidSetting(f"positive rate: {self.positive_rate}, 0 to 1 is needed")
        if self.seed < 0:
            raise InvalidSetting(f"seed: {self.seed}, at least 0 is needed")
        if not 0 <= self.mean_seconds_between < float("inf"):
            raise InvalidSetting(f"mean seconds between studies: {self.mean_seconds_between}, at least 0 is needed")


@dataclass(frozen=True, slots=True)
class SimulatedStudy:
    """One study as the scanner holds it, with the truth, which only the simulation knows.

    `due_s` is when it arrives, in seconds after the first one could have.
    """

    study_instance_uid: StudyInstanceUid
    modality: str
    ae_title: str
    has_lesion: bool
    due_s: float
    images: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class SentStudy:
    """What became of one study: `statuses` has one C-STORE status for each image, such as 0000H, or why it has none."""

    study_instance_uid: StudyInstanceUid
    modality: str
    has_lesion: bool
    instances: int
    statuses: tuple[str, ...]
    is_delivered: bool


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was sent, in the order of arrival."""

    studies: tuple[SentStudy, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has confirmed every image."""
        return all(study.is_delivered for study in self.studies)


def simulate(
    plan: SimulationPlan,
    to: Address,
    stop: Event,
    patience: Patience = USUAL_PATIENCE,
    sent: Callable[[SentStudy], None] | None = None,
) -> SimulationReport:
    """Send the studies of `plan` to `to`, each when it is due, until all are sent or `stop` is set.

    A study that the receiver does not take within `patience` is reported as not delivered, and the next one follows.
    `sent` hears of each study at once; without end there is no other report.

    Raises:
        InvalidSetting: the plan cannot be carried out.
    """
    plan.check()
    began = time.monotonic()
    report: list[SentStudy] = []
    for study in simulated_studies(plan):
        if stop.wait(max(0.0, began + study.due_s - time.monotonic())):
            break
        delivery = send_study(study.images, study.ae_title, to, stop, patience)
        result = SentStudy(
            study.study_instance_uid,
            study.modality,
            study.has_lesion,
            len(study.images),
            delivery.statuses,
            delivery.is_complete,
        )
        if sent is not None:
            sent(result)
        if plan.studies is not None:
            report.append(result)
        if stop.is_set():
            break
    return SimulationReport(tuple(report))


def simulated_studies(plan: SimulationPlan) -> Iterator[SimulatedStudy]:
    """Make the studies of `plan` one after the other; each depends on the seed and its number only."""
    for number, due_s in enumerate(arrivals_s(plan)):
        yield _study(plan, number, due_s)
        if plan.studies is not None and number + 1 == plan.studies:
            return


def arrivals_s(plan: SimulationPlan) -> Iterator[float]:
    """Draw without end when studies arrive, in seconds from the start: exponential gaps make a Poisson process."""
    rng = np.random.default_rng([plan.seed, 0])
    due_s = 0.0
    while True:
        if plan.mean_seconds_between > 0:
            due_s += float(rng.exponential(plan.mean_seconds_between))
        yield due_s


def _study(plan: SimulationPlan, number: int, due_s: float) -> SimulatedStudy:
    rng = np.random.default_rng([plan.seed, number + 1])
    scanner, has_lesion = _drawn(plan, rng)
    name = scanner.modality.lower()
    # Whatever changes a byte is part of the key, so that no two plans send other content under one UID.
    key = (
        *plan.scanners,
        repr(float(plan.positive_rate)),
        repr(float(plan.mean_seconds_between)),
        str(plan.seed),
        str(number),
        plan.started.isoformat(),
        *(repr(one) for one in plan.department),
    )
    started = plan.started + timedelta(seconds=int(due_s) if plan.mean_seconds_between else 60 * number)
    order = draw_order(rng, key, started)
    if scanner.body_part == "BREAST":
        order = replace(order, sex="F")
    with_scout = name == "ct" and bool(rng.random() < SCOUT_SHARE)
    phantom = _imaged(scanner, rng, has_lesion)
    images = image_objects(order, scanner, phantom, with_scout)
    return SimulatedStudy(order.study_instance_uid, scanner.modality, scanner.ae_title, has_lesion, due_s, images)


def _imaged(scanner: Scanner, rng: Generator, has_lesion: bool) -> Phantom:
    if scanner.modality == "CT":
        return altered(ct_head(rng, has_lesion, scanner.slice_mm, scanner.dose), scanner)
    return _PHANTOMS[scanner.modality.lower()](rng, has_lesion)


def _drawn(plan: SimulationPlan, rng: Generator) -> tuple[Scanner, bool]:
    """Return which scanner makes the next study, and whether it shows a lesion."""
    if not plan.department:
        own = SCANNERS[plan.scanners[int(rng.integers(len(plan.scanners)))]]
        has_lesion = bool(rng.random() < plan.positive_rate)
        return own[int(rng.integers(len(own)))], has_lesion
    shares = np.array([one.share for one in plan.department])
    posting = plan.department[int(rng.choice(len(shares), p=shares / shares.sum()))]
    return posting.scanner, bool(rng.random() < posting.positive_rate)
