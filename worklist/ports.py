"""What the list needs from the world outside, each need as one small Protocol."""

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from triage.audit import Actor, AuditEvent, AuditRecord
from triage.findings import AiState, Analysis, Finding
from triage.identifiers import SeriesInstanceUid, SopInstanceUid, StudyInstanceUid
from triage.ports import Clock, RecordedAnalysis, ResultObject
from triage.priority import Priority
from triage.reader_work import ReaderWork
from triage.reading import Act, Reading, Work
from triage.selection import Refusal
from triage.site_ppv import SitePpv
from triage.study import Series, Study
from worklist.administration_ports import (
    Alarms,
    DeliveryLedger,
    Evidence,
    Gateway,
    InstalledModels,
    ManagedAccounts,
    Preferences,
    RoutingRules,
    SavedViews,
    SiteRights,
    Streams,
)
from worklist.dicomweb.ports import DicomWebServices


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which rows are wanted; None and the empty string demand nothing.

    `after` is the study that the page begins behind, in the one order of the list; each word of `text` is looked for
    in the patient's name and ID, the accession number, the description and the study UID. `site` is the institution,
    `owner` the reader who has claimed the study. With `within`, an account and its sites, only their studies and
    those that the account has opened in an emergency.
    """

    limit: int = 200
    after: StudyInstanceUid | None = None
    text: str = ""
    modality: str = ""
    band: Priority | None = None
    ai_state: AiState | None = None
    reading: Reading = Reading.ALL
    owner: str = ""
    site: str = ""
    within: tuple[str, tuple[str, ...]] | None = None


class ListedStudy(Protocol):
    """One row of the list; `analyses` are those that the study's AI state rests on."""

    @property
    def study(self) -> Study: ...
    @property
    def work(self) -> Work: ...
    @property
    def listed_band(self) -> Priority: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def body_parts(self) -> tuple[str, ...]: ...
    @property
    def source_ae_titles(self) -> tuple[str, ...]: ...
    @property
    def instances(self) -> int: ...
    @property
    def analyses(self) -> tuple[Analysis, ...]: ...
    @property
    def analysed_revision(self) -> int | None: ...
    @property
    def findings(self) -> tuple[Finding, ...]: ...

    def as_object(self) -> dict[str, Any]:
        """Return the study as the contract's JSON object."""


RowVersion = tuple[StudyInstanceUid, str]
"""A study and a mark that changes whenever something changes that its row shows."""


class ListPage(Protocol):
    """The one order in `versions`; `rows` are those of them that were not known, in the same order.

    `total` is how many match in all, `change_id` the newest change that the rows contain.
    """

    @property
    def versions(self) -> Sequence[RowVersion]: ...
    @property
    def rows(self) -> Sequence[ListedStudy]: ...
    @property
    def total(self) -> int: ...
    @property
    def change_id(self) -> int: ...


class Delivery(Protocol):
    """Whether a destination has a result object: state "planned", "delivered" or "refused"."""

    @property
    def sop_instance_uid(self) -> SopInstanceUid: ...
    @property
    def destination(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_error(self) -> str: ...
    @property
    def delivered_at(self) -> datetime | None: ...


class ModelSelection(Protocol):
    """Which series a model saw at a revision of the study, and why it did not see the others."""

    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def chosen_series_uid(self) -> SeriesInstanceUid | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def refusals(self) -> tuple[Refusal, ...]: ...


class KnownStudy(Protocol):
    """All that is known of one study."""

    @property
    def row(self) -> ListedStudy: ...
    @property
    def series(self) -> tuple[Series, ...]: ...
    @property
    def recorded(self) -> tuple[RecordedAnalysis, ...]: ...
    @property
    def objects(self) -> tuple[ResultObject, ...]: ...
    @property
    def deliveries(self) -> Sequence[Delivery]: ...
    @property
    def selections(self) -> Sequence[ModelSelection]: ...
    @property
    def acts(self) -> tuple[Act, ...]: ...
    @property
    def fetched(self) -> tuple[str, ...]: ...


class Rows(Protocol):
    """The rows of the list."""

    def page(self, wanted: ListFilter, known: Container[RowVersion] = ()) -> ListPage:
        """Return the wanted page: earliest deadline first, ties by arrival, then by UID."""

    def detail(self, uid: StudyInstanceUid) -> KnownStudy:
        """Return one study; raises UnknownStudy."""


class Change(Protocol):
    """A committed change of one study; numbers grow, but may be committed out of order."""

    @property
    def change_id(self) -> int: ...
    @property
    def study_instance_uid(self) -> StudyInstanceUid: ...


class ChangeFeed(Protocol):
    """Tells which studies changed, as soon as the change is committed."""

    def follow(self) -> AsyncIterator[Sequence[Change]]:
        """Yield each batch of changes, first an empty one when in place; raises StoreUnavailable when it is lost."""

    async def since(self, change_id: int) -> Sequence[Change]:
        """Return the changes after `change_id`, perhaps some before it; raises StoreUnavailable."""


class Credentials(Protocol):
    """What a password is checked against."""

    @property
    def password_hash(self) -> str: ...
    @property
    def role(self) -> str: ...


class OpenSession(Protocol):
    """Who a session belongs to, and until when; `issuer` is the provider that vouches for the account, if one does.

    `sites` None: every site.
    """

    @property
    def account(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def issuer(self) -> str | None: ...
    @property
    def sites(self) -> tuple[str, ...] | None: ...


class Accounts(ManagedAccounts, Protocol):
    """Accounts, sessions and API tokens; tokens are known by their SHA-256 only."""

    def has_account(self, name: str) -> bool: ...

    def set_password_hash(self, name: str, password_hash: str) -> None: ...

    def claim_attempt(self, name: str, at: datetime, locks: Sequence[timedelta]) -> Credentials | None:
        """Count one login attempt as failed and return what to check; None for an unknown or locked account."""

    def add_session(self, token_sha256: str, account: str, at: datetime, expires_at: datetime) -> None: ...

    def find_session(self, token_sha256: str, at: datetime) -> OpenSession | None: ...

    def remove_session(self, token_sha256: str) -> None: ...

    def add_token(self, token_sha256: str, role: str, at: datetime) -> None: ...

    def token_role(self, token_sha256: str) -> str | None: ...


class ImageFile(Protocol):
    """One received image: its series and its file."""

    @property
    def series_instance_uid(self) -> SeriesInstanceUid: ...
    @property
    def path(self) -> str: ...


class ImageFiles(Protocol):
    """Where the files of received images lie."""

    def find(self, study: StudyInstanceUid, image: SopInstanceUid) -> ImageFile:
        """Return the image of the study; raises UnknownStudy where the study has no such image."""


class EncodedFrame(Protocol):
    """One frame as it travels: gzipped grey values or JPEG, and one line of JSON that says what they are."""

    @property
    def header(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...


class Frames(Protocol):
    """Reads pixels of received images; raises UnreadableInstance, UnsupportedPixels, TooBusy."""

    def frame(self, path: str, index: int) -> EncodedFrame:
        """Return frame `index` (from 0) of the file."""

    def key_image(
        self,
        path: str,
        index: int,
        window: tuple[float, float] | None,
        caption: str,
        boxes: tuple[tuple[float, float, float, float], ...],
    ) -> bytes:
        """Return a PNG of one frame with the caption burned in, and the boxes drawn."""


class AuditTrail(Protocol):
    """The chain of events, from outside a transaction of the workflow."""

    def note(self, event: AuditEvent) -> None:
        """Return when the event is in the chain; raises StoreUnavailable."""

    def newest(
        self, limit: int, before: int | None = None, study: StudyInstanceUid | None = None
    ) -> Sequence[AuditRecord]:
        """Return the newest links, newest first: those before number `before`, those about `study`."""


class Incident(Protocol):
    """One thing that needs a person: kind "quarantine", "conflict", "refused_delivery" or "needs_attention"."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def handled(self) -> str: ...
    @property
    def handled_by(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def study_instance_uid(self) -> str | None: ...
    @property
    def sop_instance_uid(self) -> str | None: ...
    @property
    def origin(self) -> str: ...
    @property
    def reason(self) -> str: ...


class IncidentList(Protocol):
    """The newest incidents of each kind, newest first, and how many there are of each."""

    @property
    def incidents(self) -> Sequence[Incident]: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


class Incidents(Protocol):
    """What a person must look at."""

    def newest(self, limit_per_kind: int) -> IncidentList: ...

    def handle(self, key: str, act: str, actor: Actor, note: str, at: datetime) -> None:
        """Keep that somebody has "acknowledged", "closed" or "reopened" an incident; raises ActNotPossible."""


class StageTimes(Protocol):
    """How long one stage took over the last hour, in seconds."""

    @property
    def stage(self) -> str: ...
    @property
    def studies(self) -> int: ...
    @property
    def median_s(self) -> float: ...
    @property
    def p95_s(self) -> float: ...


class WorkloadFigures(Protocol):
    """Counts by (status, band, AI state), oldest waiting age by band, jobs by (queue, state), stage durations."""

    @property
    def studies(self) -> Mapping[tuple[str, str, str], int]: ...
    @property
    def oldest_waiting_s(self) -> Mapping[str, float]: ...
    @property
    def jobs(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def stages(self) -> Sequence[StageTimes]: ...


class Workload(Protocol):
    """How much work there is and how quickly it goes."""

    def read(self) -> WorkloadFigures: ...

    def ping(self) -> None:
        """Return when the database answered; raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class WorklistServices:
    """Everything that the web application works with."""

    rows: Rows
    site_ppv: Callable[[Finding, str], SitePpv]
    """How often flags of the finding, by this version of its model, were right at a site."""
    changes: ChangeFeed
    accounts: Accounts
    incidents: Incidents
    alarms: Alarms
    streams: Streams
    workload: Workload
    clock: Clock
    work: ReaderWork
    audit: AuditTrail
    files: ImageFiles
    frames: Frames
    evidence: Evidence
    as_pdf: Callable[[str], bytes]
    """An HTML page as PDF; raises PdfUnavailable."""
    deliveries: DeliveryLedger
    views: SavedViews
    preferences: Preferences
    gateway: Gateway
    models: InstalledModels
    site_rights: SiteRights
    rules: RoutingRules
    localising: frozenset[str]
    """The models whose display policy lets the page show where they see something."""
    dicomweb: DicomWebServices | None = None
