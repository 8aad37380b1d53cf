"""What the API answers about the work of readers, and what it takes from them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from triage.audit import AuditRecord
from triage.reading import Act, Answer, Exposure, Work, standing, standing_verdicts

_TEXT = 2000


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VerdictWanted(_Wanted):
    """What a reader says to the AI; `about` is "model code" of a finding, or empty for the leading one."""

    answer: Answer
    exposure: Exposure = Exposure.ROW
    note: str = Field("", max_length=_TEXT)
    about: str = Field("", max_length=200)


class NoteWanted(_Wanted):
    """A free note."""

    note: str = Field(min_length=1, max_length=_TEXT)


class PriorityWanted(_Wanted):
    """The band that a person gives a study, why, and for how long."""

    band: str = Field(pattern="^(CRITICAL|URGENT|ROUTINE)$")
    reason: str = Field(min_length=1, max_length=500)
    hours: float = Field(4, gt=0, le=24)


class IncidentAct(_Wanted):
    """What somebody did about the incident `key`."""

    key: str = Field(min_length=1, max_length=300)
    act: Literal["acknowledged", "closed", "reopened"]
    note: str = Field("", max_length=_TEXT)


class UndoWanted(_Wanted):
    """Which act is taken back; None: the newest of one's own."""

    act: int | None = None


class ClaimView(BaseModel):
    """Who has the study in hand, and until when."""

    reader: str
    expires_at: datetime


class ClosingView(BaseModel):
    """Who read the study, when, and which revision."""

    reader: str
    at: datetime
    revision: int


class OverrideView(BaseModel):
    """The band that a person gave the study, why, and until when."""

    band: str
    reason: str
    author: str
    expires_at: datetime


class WorkView(BaseModel):
    """Where a study stands with its readers."""

    claim: ClaimView | None
    closing: ClosingView | None
    override: OverrideView | None


class ActView(BaseModel):
    """One act of a reader; `stands` is false for one that was taken back, and for the undoing itself."""

    number: int
    kind: str
    reader: str
    at: datetime
    revision: int
    stands: bool
    is_newest_verdict: bool
    note: str
    band: str | None
    until: datetime | None
    undoes: int | None
    answer: str | None
    finding: str | None
    model: str | None


class ActDone(BaseModel):
    """The act that was recorded."""

    number: int
    kind: str
    undoes: int | None


class FrameView(BaseModel):
    """One image, or one frame of a multi-frame image; `frame_number` counts from 1."""

    sop_instance_uid: str
    frame_number: int | None


class WindowView(BaseModel):
    """A preset of grey values."""

    name: str
    centre: float
    width: float


class SeriesImagesView(BaseModel):
    """The frames of one series in the order in which they are scrolled, and the usual windows, the first one first."""

    series_instance_uid: str
    modality: str
    description: str
    frames: list[FrameView]
    windows: list[WindowView]


class StudyImagesView(BaseModel):
    """What can be looked at, and where to look first."""

    series: list[SeriesImagesView]
    key_series: str | None
    key_frame: FrameView | None


class AuditEventView(BaseModel):
    """One link of the audit chain."""

    number: int
    at: datetime
    actor: str
    role: str
    action: str
    succeeded: bool
    study_instance_uid: str | None
    details: dict[str, str]
    digest: str


class AuditPage(BaseModel):
    """Links of the chain, newest first; `next_before` begins the next page, None when this is the last."""

    events: list[AuditEventView]
    next_before: int | None


def work_view(work: Work) -> WorkView:
    """Return the work as the API answers it."""
    override = work.override
    return WorkView(
        claim=None if work.claim is None else ClaimView.model_validate(work.claim, from_attributes=True),
        closing=None if work.closing is None else ClosingView.model_validate(work.closing, from_attributes=True),
        override=None
        if override is None
        else OverrideView(
            band=override.band.name,
            reason=override.reason,
            author=override.author,
            expires_at=override.expires_at,
        ),
    )


def act_views(acts: Sequence[Act]) -> list[ActView]:
    """Return the acts as the API answers them, newest first."""
    stands = {act.number for act in standing(acts)}
    newest = {act.number for act in standing_verdicts(acts)}
    return [_act_view(act, act.number in stands, act.number in newest) for act in reversed(acts)]


def act_done(act: Act) -> ActDone:
    """Return the recorded act as the API answers it."""
    return ActDone(number=act.number, kind=act.kind.value, undoes=act.undoes)


def audit_page(records: Sequence[AuditRecord], limit: int) -> AuditPage:
    """Return links of the chain as the API answers them."""
    events = [
        AuditEventView(
            number=one.number,
            at=one.event.at,
            actor=one.event.actor.name,
            role=one.event.actor.role,
            action=one.event.action.value,
            succeeded=one.event.succeeded,
            study_instance_uid=one.event.study_instance_uid,
            details=dict(one.event.details),
            digest=one.digest,
        )
        for one in records
    ]
    return AuditPage(events=events, next_before=events[-1].number if len(events) == limit else None)


def _act_view(act: Act, stands: bool, is_newest_verdict: bool) -> ActView:
    verdict = act.verdict
    return ActView(
        number=act.number,
        kind=act.kind.value,
        reader=act.reader,
        at=act.at,
        revision=act.revision,
        stands=stands,
        is_newest_verdict=is_newest_verdict,
        note=act.note,
        band=None if act.band is None else act.band.name,
        until=act.until,
        undoes=act.undoes,
        answer=None if verdict is None else verdict.answer.value,
        finding=verdict.code.meaning if verdict and verdict.code else None,
        model=f"{verdict.model.name} {verdict.model.version}" if verdict and verdict.model else None,
    )
