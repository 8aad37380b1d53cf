"""What readers do with a study, act by act, and what follows from the acts that stand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from triage.audit import Actor
from triage.errors import ActNotPossible, NotPermitted, TakenByAnother
from triage.findings import AiState, Code, Finding, ModelIdentity
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority, TargetTimes, deadline, most_urgent
from triage.study import Study, StudyStatus

LEASE = timedelta(minutes=15)
"""How long a claim lasts unless it is renewed: a reader who is called away does not keep the study for ever."""

LONGEST_OVERRIDE = timedelta(hours=24)


class ActKind(StrEnum):
    """What a reader can do with a study."""

    CLAIM = "claim"
    RELEASE = "release"
    READ = "read"
    REOPEN = "reopen"
    VERDICT = "verdict"
    NOTE = "note"
    REPRIORITISE = "reprioritise"
    RESTORE_ORDER = "restore_order"
    UNDO = "undo"


class Reading(StrEnum):
    """Which studies of the list are meant: those that wait for a reader, those that were read, or all."""

    OPEN = "open"
    READ = "read"
    ALL = "all"


class Answer(StrEnum):
    """What a reader says to the AI, after the assessment of IHE AIRAI.

    Accept: agree. Reject: disagree. Modify: there is something, but in another place. Add: a finding was missed.
    """

    ACCEPT = "accept"
    REJECT = "reject"
    MODIFY = "modify"
    ADD = "add"


class Exposure(StrEnum):
    """What of the AI's answer the reader had before the eyes when answering it."""

    ROW = "row"
    IMAGES = "images"
    LOCATIONS = "locations"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader says about one finding of one model, or with `Answer.ADD` about what no model said."""

    answer: Answer
    exposure: Exposure
    code: Code | None = None
    model: ModelIdentity | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a reader on one revision of a study; `undoes` names the act that an undo takes back.

    `until` is the end of a lease or of an override; `band` and `base` are the band wanted by an override and the
    study's own band at that time; `note` is a note, or the reason of an override or of a verdict.
    """

    study_instance_uid: StudyInstanceUid
    revision: int
    reader: str
    kind: ActKind
    at: datetime
    number: int = 0
    undoes: int | None = None
    until: datetime | None = None
    band: Priority | None = None
    base: Priority | None = None
    note: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has the study in hand, and until when."""

    reader: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Closing:
    """Who read the study, when, and which revision of it."""

    reader: str
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Override:
    """The band that a person gave the study, why, and until when; `base` was its own band at that time."""

    band: Priority
    base: Priority
    reason: str
    author: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """Where a study stands with its readers."""

    claim: Claim | None = None
    closing: Closing | None = None
    override: Override | None = None


def work_after(acts: Sequence[Act], now: datetime) -> Work:
    """Return what follows from the acts that stand, oldest first; leases and overrides that have ended are gone."""
    work = Work()
    for act in standing(acts):
        work = _after(work, act)
    if work.claim is not None and work.claim.expires_at <= now:
        work = replace(work, claim=None)
    if work.override is not None and work.override.expires_at <= now:
        work = replace(work, override=None)
    return work


def standing(acts: Sequence[Act]) -> tuple[Act, ...]:
    """Return the acts that were not taken back, without the undoing itself."""
    taken_back = {act.undoes for act in acts if act.undoes is not None}
    return tuple(act for act in acts if act.number not in taken_back and act.kind is not ActKind.UNDO)


def standing_verdicts(acts: Sequence[Act]) -> tuple[Act, ...]:
    """Return each reader's newest verdict on each finding, oldest first; what was added to the AI stands beside."""
    newest: dict[tuple[object, ...], Act] = {}
    for act in standing(acts):
        if act.verdict is not None:
            key = _subject(act)
            newest.pop(key, None)
            newest[key] = act
    return tuple(newest.values())


def is_open(study: Study, closing: Closing | None) -> bool:
    """Return whether the study still waits for a reader.

    A study that was read comes back when it receives more images, and when a model flags it only afterwards: that is
    what a second pair of eyes is for.
    """
    if closing is None or closing.revision < study.revision:
        return True
    flagged = study.ai_state is AiState.ANALYSED_FLAGGED
    return flagged and study.triaged_at is not None and study.triaged_at > closing.at


def listed_band(study: Study, override: Override | None) -> Priority:
    """Return the band that the list shows.

    A person's band stands above the platform's; but when the study's own band becomes more urgent than it was at
    that time, nothing that was decided before may hold it back.
    """
    if override is None:
        return study.priority
    if study.priority < override.base:
        return most_urgent(study.priority, override.band)
    return override.band


def due_at(study: Study, override: Override | None, targets: TargetTimes) -> datetime:
    """Return by when the study should be read, as the list shows it."""
    if override is None:
        return study.deadline
    wanted = deadline(study.received_at, override.band, targets)
    return min(study.deadline, wanted) if study.priority < override.base else wanted


def require_free(work: Work, reader: Actor) -> None:
    """Raise TakenByAnother where another reader has the study in hand; who leads may act all the same."""
    if work.claim is not None and work.claim.reader != reader.name and not reader.leads:
        raise TakenByAnother(f"{work.claim.reader} has the study until {work.claim.expires_at:%H:%M} UTC")


def require_whole(study: Study) -> None:
    """Raise ActNotPossible while images still arrive: nobody has read what is not there yet."""
    if study.status is StudyStatus.RECEIVING:
        raise ActNotPossible("images still arrive; a study can be read when it is complete")


def require_band(study: Study, band: Priority, reader: Actor) -> None:
    """Raise NotPermitted where the band would be less urgent than the study's own and the reader does not lead."""
    if band > study.priority and not reader.leads:
        raise NotPermitted(f"role {reader.role} may not move a study from {study.priority.name} down to {band.name}")


def verdict_on(findings: Sequence[Finding], answer: Answer, exposure: Exposure, wanted: Finding | None) -> Verdict:
    """Return the verdict on `wanted`, or on the finding that speaks for the study.

    Raises:
        ActNotPossible: there is nothing that could be answered so: no finding, no flag to reject, no place to correct.
    """
    if answer is Answer.ADD:
        return Verdict(answer, exposure)
    finding = wanted or leading_finding(findings)
    if finding is None:
        raise ActNotPossible("no model has answered, so there is nothing to agree or disagree with")
    if answer is not Answer.ACCEPT and not finding.flagged:
        raise ActNotPossible("the AI raised no flag; a finding that it missed is told as missed")
    if answer is Answer.MODIFY and not finding.regions:
        raise ActNotPossible("the AI showed no place, so none can be wrong")
    return Verdict(answer, exposure, finding.code, finding.model)


def leading_finding(findings: Sequence[Finding]) -> Finding | None:
    """Return the finding that speaks for the study: flagged ones first, then the nearest to its operating point."""
    return max(findings, key=lambda one: (one.flagged, one.probability / max(one.threshold, 1e-9)), default=None)


def _after(work: Work, act: Act) -> Work:
    match act.kind:
        case ActKind.CLAIM if act.until is not None:
            return replace(work, claim=Claim(act.reader, act.until))
        case ActKind.RELEASE:
            return replace(work, claim=None)
        case ActKind.READ:
            return replace(work, claim=None, closing=Closing(act.reader, act.at, act.revision))
        case ActKind.REOPEN:
            return replace(work, closing=None)
        case ActKind.REPRIORITISE if act.band is not None and act.base is not None and act.until is not None:
            return replace(work, override=Override(act.band, act.base, act.note, act.reader, act.until))
        case ActKind.RESTORE_ORDER:
            return replace(work, override=None)
    return work


def _subject(act: Act) -> tuple[object, ...]:
    verdict = act.verdict
    if verdict is None or verdict.code is None or verdict.model is None:
        return (act.number,)
    return (act.reader, verdict.model.name, verdict.code.scheme, verdict.code.value)
