"""What the drift monitor noticed, and what people do about it."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, ConfigDict, Field

from triage.audit import AuditAction
from triage.surveillance import AlarmCause, AlarmState, Disposition, KeptAlarm, StreamKind
from worklist.access import may, noting_of
from worklist.auth import Identity
from worklist.noting import actor_of
from worklist.ports import WorklistServices
from worklist.roles import Permission

router = APIRouter(prefix="/api/v1/alarms", tags=["surveillance"])


class AlarmView(BaseModel):
    """One alarm; `concerns_reading` is said on the banner while the alarm is not closed."""

    number: int
    site: str
    scanner: str
    model: str
    stream: str
    kind: StreamKind
    noticed_on: date
    changed_on: date
    side: str
    statistic: float
    limit: float
    size: float
    amount: float | None
    studies: list[str]
    opened_at: datetime
    state: AlarmState
    owner: str
    cause: AlarmCause | None
    explanation: str
    action: str
    closed_at: datetime | None
    escalated_at: datetime | None
    flags_paused_at: datetime | None
    overdue: bool
    concerns_reading: bool


class BannerView(BaseModel):
    """An alarm as the list tells readers of it, without studies."""

    number: int
    site: str
    scanner: str
    model: str
    stream: str
    changed_on: date
    state: AlarmState


class Handling(BaseModel):
    """Who looks after an alarm from now on; empty: whoever asks."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field("", max_length=64)


class Closing(BaseModel):
    """What was found behind an alarm, and what was done."""

    model_config = ConfigDict(extra="forbid")

    cause: AlarmCause
    explanation: str = Field("", max_length=2000)
    action: str = Field("", max_length=200, description="reference of the action, a CAPA number for example")
    new_baseline: bool = Field(False, description="the change stays: learn anew what is usual")


_Sees = Annotated[Identity, Security(may(Permission.SEE_ALARMS))]
_Handles = Annotated[Identity, Security(may(Permission.HANDLE_ALARMS))]


@router.get("")
def alarms(request: Request, identity: _Sees) -> list[AlarmView]:
    """Return every alarm, newest first."""
    noting_of(request).view(identity, AuditAction.ALARMS_VIEWED)
    return [_view(request, one) for one in _services(request).alarms.all()]


@router.get("/concerning-reading")
def concerning_reading(request: Request, _identity: _Sees) -> list[BannerView]:
    """Return the alarms that readers must hear of: those that nobody has acknowledged first, then the newest."""
    found = [one for one in _services(request).alarms.all(only_open=True) if one.concerns_reading]
    return [
        BannerView(
            number=one.number,
            site=one.alarm.key.site,
            scanner=one.alarm.key.scanner,
            model=one.alarm.key.model,
            stream=one.alarm.key.stream,
            changed_on=one.alarm.changed_on,
            state=one.state,
        )
        for one in sorted(found, key=lambda one: one.state is not AlarmState.OPEN)
    ]


@router.post("/{number}/acknowledge")
def acknowledge(request: Request, identity: _Handles, number: int) -> AlarmView:
    """Take an open alarm."""
    services = _services(request)
    return _view(request, services.alarms.acknowledge(number, actor_of(identity), services.clock.now()))


@router.post("/{number}/assign")
def assign(request: Request, identity: _Handles, number: int, wanted: Handling) -> AlarmView:
    """Give an alarm to somebody."""
    services = _services(request)
    owner = wanted.owner or actor_of(identity).name
    return _view(request, services.alarms.assign(number, owner, actor_of(identity), services.clock.now()))


@router.post("/{number}/close")
def close(request: Request, identity: _Handles, number: int, wanted: Closing) -> AlarmView:
    """Close an alarm with its cause."""
    services = _services(request)
    how = Disposition(wanted.cause, wanted.explanation, wanted.action, wanted.new_baseline)
    return _view(request, services.alarms.close(number, how, actor_of(identity), services.clock.now()))


def _services(request: Request) -> WorklistServices:
    services: WorklistServices = request.app.state.services
    return services


def _view(request: Request, kept: KeptAlarm) -> AlarmView:
    alarm = kept.alarm
    return AlarmView(
        number=kept.number,
        site=alarm.key.site,
        scanner=alarm.key.scanner,
        model=alarm.key.model,
        stream=alarm.key.stream,
        kind=alarm.kind,
        noticed_on=alarm.noticed_on,
        changed_on=alarm.changed_on,
        side=alarm.side,
        statistic=alarm.statistic,
        limit=alarm.limit,
        size=alarm.size,
        amount=alarm.amount,
        studies=list(alarm.studies),
        opened_at=kept.opened_at,
        state=kept.state,
        owner=kept.owner,
        cause=kept.cause,
        explanation=kept.explanation,
        action=kept.action,
        closed_at=kept.closed_at,
        escalated_at=kept.escalated_at,
        flags_paused_at=kept.flags_paused_at,
        overdue=kept.is_overdue(_services(request).clock.now()),
        concerns_reading=kept.concerns_reading,
    )
