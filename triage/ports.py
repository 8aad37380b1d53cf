"""What the workflow needs from the world outside, each need as one small Protocol."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from triage.audit import AuditEvent
from triage.circuit import Circuit
from triage.completion import Announcement
from triage.errors import PermanentError, RetriableError
from triage.findings import Analysis, ModelIdentity
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.priority import Priority
from triage.reading import Act, Work
from triage.rules import Routing
from triage.selection import Acceptance, Selection
from triage.study import ReceivedInstance, Registration, Series, Study


class Clock(Protocol):
    """The time, always aware and in UTC."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model that is in service: who it is, what it may see, and in a few words what it looks for."""

    identity: ModelIdentity
    acceptance: Acceptance
    looks_for: str


class StudyStore(Protocol):
    """The studies and instances; every method works inside the transaction that handed the store out."""

    def add_instances(self, received: Sequence[ReceivedInstance], at: datetime) -> Sequence[Registration]:
        """Make the instances of one study known, in order; a conflict is kept beside the first, never instead."""

    def find(self, uid: StudyInstanceUid) -> Study | None:
        """Return the study, locked until the transaction ends, or None when its first instance is still to come."""

    def get(self, uid: StudyInstanceUid) -> Study:
        """Return the study, locked until the transaction ends; raises UnknownStudy."""

    def add(self, study: Study) -> Study:
        """Make a new study known and return it locked; where another transaction was first, return that one's."""

    def save(self, study: Study) -> None:
        """Store the changed study; whoever watches the list hears of it when the transaction is committed."""

    def note_instance(self, uid: StudyInstanceUid, at: datetime) -> None:
        """Store when the last instance came, where nothing else of the study changed."""

    def receiving(self) -> Sequence[StudyInstanceUid]:
        """Return the studies that still receive instances, longest quiet first."""

    def open_associations(self, uid: StudyInstanceUid) -> int:
        """Return how many associations that carried instances of the study are still open."""

    def was_interrupted(self, uid: StudyInstanceUid) -> bool:
        """Return whether the last association that carried the study ended otherwise than whole and by a release."""

    def series_of(self, uid: StudyInstanceUid) -> tuple[Series, ...]:
        """Return the series of the study in UID order, images in the order of their instance UID."""

    def sources_of(self, uid: StudyInstanceUid) -> tuple[str, ...]:
        """Return the AE titles that instances of the study came from, in alphabetical order."""

    def announcements_of(self, uid: StudyInstanceUid) -> tuple[Announcement, ...]:
        """Return what each kind of signal says of the study's instances."""

    def plan_fetch(self, uid: StudyInstanceUid, revision: int, at: datetime) -> datetime | None:
        """Have what is missing fetched from the source, once for this revision and a few times for the study.

        Returns when that was planned as long as it has not ended, else None.
        """


@dataclass(frozen=True, slots=True)
class ResultObject:
    """A DICOM object that says what a model found, written once and never again under the same UID."""

    sop_instance_uid: SopInstanceUid
    sop_class_uid: str
    study_instance_uid: StudyInstanceUid
    revision: int
    kind: str
    sha256: Sha256
    path: str


@dataclass(frozen=True, slots=True)
class RecordedAnalysis:
    """An analysis as it was recorded: of which images (`input_digest`), for which revision, and when."""

    study_instance_uid: StudyInstanceUid
    revision: int
    input_digest: Sha256
    recorded_at: datetime
    analysis: Analysis


class ResultStore(Protocol):
    """What the models said and where it was sent; same transaction rule as StudyStore."""

    def record(self, recorded: RecordedAnalysis) -> None:
        """Keep an analysis; the same study, input and model are recorded once."""

    def analyses_of(self, uid: StudyInstanceUid) -> tuple[RecordedAnalysis, ...]:
        """Return every recorded analysis of the study, oldest first."""

    def record_selection(self, uid: StudyInstanceUid, revision: int, model: ModelIdentity, what: Selection) -> None:
        """Keep which series the model saw and why it did not see the others; a later revision replaces it."""

    def add_object(self, result: ResultObject) -> None:
        """Make a result object known; a second call with the same UID changes nothing."""

    def get_object(self, uid: SopInstanceUid) -> ResultObject:
        """Return a result object that was added before."""

    def add_delivery(self, uid: SopInstanceUid, destination: str) -> bool:
        """Plan a delivery; False when it was planned before."""

    def awaits_delivery(self, uid: SopInstanceUid, destination: str) -> bool:
        """Return whether the planned delivery is neither confirmed nor refused."""

    def note_attempt(self, uid: SopInstanceUid, destination: str, error: str, at: datetime) -> None:
        """Note that the destination did not take the object at `at`, and why."""

    def mark_delivered(self, uid: SopInstanceUid, destination: str, at: datetime) -> None:
        """Note that the destination has confirmed the object."""

    def add_confirmation(self, result: ResultObject, destination: str) -> bool:
        """Plan to ask the destination whether it keeps what it got; False when that was planned before."""

    def mark_undeliverable(self, uid: SopInstanceUid, destination: str, reason: str, at: datetime) -> None:
        """Note that the destination refused the object for good."""

    def all_delivered(self, uid: StudyInstanceUid, revision: int) -> bool:
        """Return whether the study's revision has planned deliveries and each of them is confirmed."""


class WorkQueue(Protocol):
    """Background work; a job exists if and only if the transaction that deferred it is committed."""

    def defer_triage(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None: ...

    def defer_reports(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None: ...

    def defer_delivery(self, uid: SopInstanceUid, destination: str, priority: Priority) -> None: ...

    def defer_forwarding(self, uid: StudyInstanceUid, destination: str, priority: Priority) -> None: ...

    def defer_deidentified(self, uid: StudyInstanceUid, destination: str, priority: Priority) -> None: ...

    def defer_confirmation(self, uid: SopInstanceUid, destination: str, priority: Priority) -> None: ...

    def hasten(self, destination: str) -> None:
        """Make every job that waits for `destination` due now."""

    def defer_shadow(self, uid: StudyInstanceUid, revision: int) -> None:
        """Defer the job for the models in the shadow, behind everything else; nothing where there is none."""


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """What a model in the shadow said about a study; `reason` says why `analysis` is None."""

    study_instance_uid: StudyInstanceUid
    revision: int
    model: ModelIdentity
    recorded_at: datetime
    analysis: Analysis | None
    reason: str


class ShadowStore(Protocol):
    """What models in the shadow said; same transaction rule as StudyStore."""

    def record(self, answer: ShadowAnswer) -> None:
        """Keep an answer; a second one of the same model on the same revision changes nothing."""


@dataclass(frozen=True, slots=True)
class StoredOriginal:
    """An instance as it was received, to be sent on."""

    sop_instance_uid: SopInstanceUid
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str


@dataclass(frozen=True, slots=True)
class SentOriginal:
    """What became of one original: in which transfer syntax it went, and why not where `error` says so."""

    sop_instance_uid: SopInstanceUid
    transfer_syntax_uid: str
    error: RetriableError | PermanentError | None = None


class ForwardingStore(Protocol):
    """A ledger of originals or of de-identified copies, one entry for each instance and destination.

    Same transaction rule as StudyStore.
    """

    def plan(self, uid: StudyInstanceUid, destination: str) -> int:
        """Plan every instance of the study that was not planned before, and return how many there are."""

    def waiting(self, uid: StudyInstanceUid, destination: str) -> Sequence[StoredOriginal]:
        """Return the planned instances of the study that are neither delivered nor refused."""

    def note(self, sent: SentOriginal, destination: str, at: datetime) -> None:
        """Keep what became of one instance."""

    def note_all(
        self, uids: Sequence[SopInstanceUid], destination: str, error: RetriableError | PermanentError, at: datetime
    ) -> None:
        """Keep that none of the instances was taken, and why."""


class CircuitStore(Protocol):
    """What is known of the ways to destinations; same transaction rule as StudyStore."""

    def get(self, destination: str) -> Circuit:
        """Return the circuit, locked until the transaction ends where it is known; a closed one where it is not."""

    def save(self, circuit: Circuit) -> None: ...


class RoutingStore(Protocol):
    """What the rules decided, and the originals on their way; same transaction rule as StudyStore."""

    def record(self, uid: StudyInstanceUid, revision: int, routing: Routing, at: datetime) -> None:
        """Keep what was decided for a revision; a retry of the same revision goes by it."""

    def routing_of(self, uid: StudyInstanceUid, revision: int) -> Routing:
        """Return what was decided for the revision; where no rule was asked, a decision that changes nothing."""


class ReadingStore(Protocol):
    """What readers did with a study, kept for good; same transaction rule as StudyStore."""

    def acts_of(self, uid: StudyInstanceUid) -> tuple[Act, ...]:
        """Return every act on the study, oldest first."""

    def add(self, act: Act) -> Act:
        """Keep an act and return it with its number."""

    def keep(self, uid: StudyInstanceUid, work: Work, due_at: datetime) -> None:
        """Make the list show `work`, and the study as due at `due_at` where a person gave it a band."""

    def expired(self, at: datetime) -> Sequence[StudyInstanceUid]:
        """Return the studies that the list shows with a lease or an override that has ended."""


class AuditLog(Protocol):
    """The chain of events; what was appended is never changed."""

    def append(self, event: AuditEvent) -> None:
        """Seal `event` behind the newest link."""


class Records(Protocol):
    """The stores and the queue of one transaction."""

    @property
    def studies(self) -> StudyStore: ...

    @property
    def results(self) -> ResultStore: ...

    @property
    def shadow(self) -> ShadowStore: ...

    @property
    def queue(self) -> WorkQueue: ...

    @property
    def forwardings(self) -> ForwardingStore: ...

    @property
    def deidentified(self) -> ForwardingStore: ...

    @property
    def circuits(self) -> CircuitStore: ...

    @property
    def routing(self) -> RoutingStore: ...

    @property
    def reading(self) -> ReadingStore: ...

    @property
    def audit(self) -> AuditLog: ...


class Transactions(Protocol):
    """All or nothing: what happens inside the context is committed at its end, or not at all."""

    def begin(self) -> AbstractContextManager[Records]: ...


class Arrivals(Protocol):
    """The short way for what happens most: one more instance of a study that still receives."""

    def continue_studies(
        self, arrived: Sequence[ReceivedInstance], at: datetime
    ) -> frozenset[tuple[SopInstanceUid, Sha256]]:
        """Make known, and commit, every new instance of a RECEIVING study whose order is not more urgent than known.

        Returns those; every other instance changes nothing and takes the long way. Never raises StoreUnavailable:
        without the database it returns none.
        """


class Analyser(Protocol):
    """Turns the images of one series into findings."""

    def offers(self) -> Sequence[ModelOffer]:
        """Return the models in service."""

    def analyse(self, model: ModelIdentity, series: Series) -> Analysis:
        """Return what `model` says about `series`.

        Raises:
            InvalidGeometry: the slices are not one regular volume; nothing is guessed.
            UnsupportedPixels: an image cannot be decoded.
        """


class ReportWriter(Protocol):
    """Writes the result objects of an analysis."""

    def write(
        self, study: Study, series: Series, recorded: RecordedAnalysis, supersedes: RecordedAnalysis | None
    ) -> Sequence[ResultObject]:
        """Return the objects, safe on disk; the same analysis gives the same UIDs and the same bytes.

        `series` is what was analysed; `supersedes` is the earlier analysis whose report this one replaces.
        """


class ResultSender(Protocol):
    """Sends result objects to where they are read."""

    def destinations_for(self, kind: str) -> Sequence[str]:
        """Return the names of the destinations that want objects of this kind ("sr", "seg", "sc")."""

    def send(self, result: ResultObject, destination: str) -> None:
        """Return when the destination has confirmed the object; raises DestinationUnavailable, DestinationRefused."""


class Router(Protocol):
    """Asks the department's rules."""

    def route(self, study: Study, series: Sequence[Series], source_ae_titles: Sequence[str]) -> Routing:
        """Return what the rules want for the study as it stands; never fails, what went wrong is in the answer."""


class OriginalSender(Protocol):
    """Sends received instances to other archives, byte for byte where the archive takes their transfer syntax."""

    def send_originals(self, originals: Sequence[StoredOriginal], destination: str) -> Iterator[SentOriginal]:
        """Yield what became of each original as soon as it is known.

        Raises:
            DestinationUnavailable: no association, or it ended; what was not yielded was not confirmed.
            DestinationRefused: the destination is unknown, does not know us, or takes none of them.
        """
