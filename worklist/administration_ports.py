"""What the pages of administrators and quality managers need, each need as one small Protocol."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from models.evidence import EvidenceKind, MeasuredRun, MeasuredSuite, ReachedVerdict, RunningValidation
from models.lifecycle import RegisteredModel
from triage.audit import Actor, AuditEvent
from triage.identifiers import StudyInstanceUid
from triage.rules import Routing, Rule, Trial
from triage.surveillance import Disposition, KeptAlarm, StreamKey, StreamKind


class DeliveryLedger(Protocol):
    """Every delivery of results and originals; rows as `worklist.routes.deliveries` shows them."""

    def newest(self, most: int, failed: bool = False, destination: str = "") -> Sequence[object]: ...

    def destinations(self) -> Sequence[object]: ...

    def replay(self, destination: str, uid: str, actor: Actor, at: datetime) -> int:
        """Plan again what was refused, and return how many; raises ActNotPossible."""


class Alarms(Protocol):
    """What the drift monitor noticed; those that change an alarm raise ActNotPossible."""

    def all(self, only_open: bool = False) -> Sequence[KeptAlarm]:
        """Return the alarms, newest first; with `only_open` those that are not closed."""

    def acknowledge(self, number: int, actor: Actor, at: datetime) -> KeptAlarm: ...

    def assign(self, number: int, owner: str, actor: Actor, at: datetime) -> KeptAlarm: ...

    def close(self, number: int, how: Disposition, actor: Actor, at: datetime) -> KeptAlarm: ...


class WatchedStream(Protocol):
    """Where one stream of the drift monitor stands."""

    @property
    def key(self) -> StreamKey: ...
    @property
    def kind(self) -> StreamKind: ...
    @property
    def health(self) -> str: ...
    @property
    def usual_per_day(self) -> float: ...
    @property
    def statistic(self) -> float | None: ...
    @property
    def limit(self) -> float | None: ...
    @property
    def smallest_change(self) -> float | None: ...
    @property
    def baseline_days(self) -> int | None: ...


class ChartedDay(Protocol):
    """One day of a stream's chart, in standard deviations of a day."""

    @property
    def day(self) -> date: ...
    @property
    def value(self) -> float | None: ...
    @property
    def upper(self) -> float: ...
    @property
    def lower(self) -> float: ...


class Streams(Protocol):
    """What the drift monitor watches."""

    def all(self) -> tuple[datetime, Sequence[WatchedStream]]:
        """Return when the streams were looked at, and each of them."""

    def days(self, key: StreamKey) -> Sequence[ChartedDay]:
        """Return the newest days of a stream's chart, empty where it has none."""


class Evidence(Protocol):
    """Validation runs, suites and verdicts, and what is being answered."""

    def running(self) -> Sequence[RunningValidation]:
        """Return what workers of the platform are answering now, the newest first."""

    def runs(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredRun]]:
        """Return the newest runs, of all models or one, with their numbers, newest first."""

    def suites(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredSuite]]:
        """Return the newest suites, of all models or one, with their numbers, newest first."""

    def verdicts(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, ReachedVerdict]]:
        """Return the newest verdicts, on all models or one, with their numbers, newest first."""

    def report(self, kind: EvidenceKind, number: int) -> str | None:
        """Return the HTML page of one run, suite or verdict, None where there is no such number."""


class Preferences(Protocol):
    """What each account chose of the page, by name."""

    def of(self, account: str) -> Mapping[str, Any]: ...

    def choose(self, account: str, chosen: Mapping[str, Any]) -> None:
        """Keep what is named in `chosen`; raises ActNotPossible where nobody has an account of this name."""


class SavedViews(Protocol):
    """The filters that people keep under a name, each their own."""

    def of(self, account: str) -> Mapping[str, Mapping[str, str]]:
        """Return the account's views by name, in the order of the names."""

    def keep(self, account: str, name: str, filters: Mapping[str, str]) -> None:
        """Keep `filters`, in the place of an earlier view of that name; raises ActNotPossible at the hundredth."""

    def forget(self, account: str, name: str) -> None: ...


class Gateway(Protocol):
    """Who sends to the gateway; the rows are what `worklist.administration` shows of them."""

    def senders(self, since: datetime) -> Sequence[object]: ...


class InstalledModels(Protocol):
    """The registry of models."""

    def all(self) -> Sequence[RegisteredModel]:
        """Return every model by task and name, the newest of a name last."""


class Opening(Protocol):
    """A study that was opened in an emergency."""

    @property
    def number(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def study_instance_uid(self) -> StudyInstanceUid: ...
    @property
    def cause(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...


class SiteRights(Protocol):
    """Which studies an account may open that is not for every site."""

    def may_open(self, account: str, sites: Sequence[str], study: StudyInstanceUid) -> bool:
        """Return whether the study is of these sites, or opened in an emergency; True where there is no such study."""

    def break_glass(self, actor: Actor, asked: str, why: tuple[str, str], at: datetime, lasts: timedelta) -> Opening:
        """Open the study with the UID or the accession number `asked`, for a cause and a note.

        Raises:
            UnknownStudy: there is none.
            ActNotPossible: there are several.
        """

    def openings(self, most: int) -> Sequence[Opening]:
        """Return the newest ones first."""


class RoutingRules(Protocol):
    """The routing rules that were read at the start."""

    @property
    def rules(self) -> Sequence[Rule]: ...
    @property
    def digest(self) -> str: ...
    @property
    def has_changed(self) -> bool: ...

    def try_on(self, uid: StudyInstanceUid) -> tuple[Sequence[Trial], Routing]:
        """Return what each rule says about a study as it stands, and what follows.

        Raises:
            UnknownStudy: there is none.
            UnreadableInstance: the header of an image cannot be read.
        """


class Account(Protocol):
    """An account as it is listed; `sites` None: every site; `issuer` is the identity provider that vouches for it."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def locked_until(self) -> datetime | None: ...
    @property
    def sites(self) -> tuple[str, ...] | None: ...
    @property
    def issuer(self) -> str | None: ...


class ManagedAccounts(Protocol):
    """Accounts as those who manage them need them; each change and its `event` are one transaction."""

    def every(self) -> Sequence[Account]: ...
    def create_account(
        self, name: str, password_hash: str, role: str, at: datetime, event: AuditEvent | None = None
    ) -> bool: ...
    def set_role(self, name: str, role: str, keeping: str = "", event: AuditEvent | None = None) -> bool: ...
    def set_sites(self, name: str, sites: Sequence[str] | None, event: AuditEvent | None = None) -> bool: ...
    def give_password(self, name: str, password_hash: str, event: AuditEvent) -> None: ...
    def clear_failures(self, name: str, event: AuditEvent | None = None) -> None: ...
    def remove_account(self, name: str, keeping: str = "", event: AuditEvent | None = None) -> bool: ...
