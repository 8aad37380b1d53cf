"""The routing rules that this process has read, shown and tried on stored studies."""

import hashlib
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine

from deploy.routing import FileRouter, router_of, rule_file_of
from deploy.settings import Settings
from storage.database import DatabaseTransactions
from storage.rule_history import RuleHistory
from triage.identifiers import Sha256, StudyInstanceUid
from triage.ports import Clock
from triage.rule_history import RuleFile
from triage.rules import Routing, Rule, Trial, decide, tried
from triage.study import Series, Study

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A study as it stands, with what was decided for it."""

    study: Study
    series: tuple[Series, ...]
    sources: tuple[str, ...]
    routing: Routing


@dataclass(slots=True)
class RulesInUse:
    """The rules as they were read at the start; satisfies `worklist.administration_ports.RoutingRules`.

    Raises:
        InvalidSetting: the file has a mistake.
    """

    engine: Engine
    settings: Settings
    router: FileRouter = field(init=False)
    digest: str = field(init=False)
    """SHA-256 of the file that was read; empty where there was none."""

    def __post_init__(self) -> None:
        self.digest, self.router = self._digest_now(), router_of(self.settings)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.router.rules

    @property
    def has_changed(self) -> bool:
        """Whether the file is another one than was read: it takes effect at the next start."""
        return self._digest_now() != self.digest

    def try_on(self, uid: StudyInstanceUid) -> tuple[tuple[Trial, ...], Routing]:
        """Return what each rule says about a study as it stands, and what follows; raises UnknownStudy."""
        known = stored_study(self.engine, uid)
        facts = self.router.facts(known.series, known.sources, known.study.received_at)
        return tried(self.rules, facts), decide(self.rules, facts)

    def _digest_now(self) -> str:
        file = rule_file_of(self.settings)
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def note_rules(engine: Engine, settings: Settings, clock: Clock) -> None:
    """Keep the rule file of this installation where it is another one than was read last; raises InvalidSetting."""
    router_of(settings)
    file = rule_file_of(settings)
    content = file.read_text(encoding="utf-8") if file.is_file() else ""
    digest = hashlib.sha256(content.encode()).hexdigest() if content else ""
    change = RuleHistory(engine).keep(RuleFile(Sha256(digest), content, clock.now()))
    if change is not None:
        log.info("rules_changed", added=len(change.added), removed=len(change.removed), changed=len(change.changed))


def stored_study(engine: Engine, uid: StudyInstanceUid) -> StoredStudy:
    """Return a study as it stands; raises UnknownStudy."""
    with DatabaseTransactions(engine).begin() as records:
        study = records.studies.get(uid)
        routing = records.routing.routing_of(uid, study.revision)
        return StoredStudy(study, records.studies.series_of(uid), records.studies.sources_of(uid), routing)
