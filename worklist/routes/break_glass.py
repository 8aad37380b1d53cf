"""A study of another site, opened in an emergency: with a reason, for a time, and seen by the auditor."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Security
from pydantic import BaseModel, ConfigDict, Field, model_validator

from triage.audit import AuditAction
from triage.errors import NotPermitted
from worklist.access import may, noting_of
from worklist.administration_ports import Opening
from worklist.auth import Identity
from worklist.noting import actor_of
from worklist.ports import WorklistServices
from worklist.roles import Permission
from worklist.settings import WebSettings

router = APIRouter(prefix="/api/v1/break-glass", tags=["break-glass"])


class Cause(StrEnum):
    """Why somebody opens a study of another site."""

    EMERGENCY = "emergency"
    COVER = "cover"
    SECOND_OPINION = "second_opinion"
    OTHER = "other"


class OpeningWanted(BaseModel):
    """Which study, and why; in words where the cause is another one."""

    model_config = ConfigDict(extra="forbid")

    asked: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$", description="UID or accession number")
    cause: Cause
    note: str = Field("", max_length=500, pattern=r"^[^\x00]*$")

    @model_validator(mode="after")
    def _in_words(self) -> "OpeningWanted":
        if self.cause is Cause.OTHER and not self.note.strip():
            raise ValueError("the cause is needed in words")
        return self


class OpeningView(BaseModel):
    """A study that somebody may open until `expires_at`."""

    number: int
    account: str
    study_instance_uid: str
    cause: str
    note: str
    at: datetime
    expires_at: datetime


@router.post("")
def break_glass(
    request: Request, identity: Annotated[Identity, Security(may(Permission.READ_STUDIES))], wanted: OpeningWanted
) -> OpeningView:
    """Open a study of another site for some hours; 403 unless the settings allow it."""
    settings: WebSettings = request.app.state.settings
    services: WorklistServices = request.app.state.services
    if settings.break_glass_lasts is None:
        details = {"asked": "break_glass"}
        noting_of(request).view(identity, AuditAction.ACCESS_REFUSED, details=details, succeeded=False)
        raise NotPermitted("the settings do not allow opening studies of other sites")
    why, now = (wanted.cause.value, wanted.note.strip()), services.clock.now()
    lasts = settings.break_glass_lasts
    return _view(services.site_rights.break_glass(actor_of(identity), wanted.asked.strip(), why, now, lasts))


@router.get("")
def openings(
    request: Request,
    identity: Annotated[Identity, Security(may(Permission.SEE_AUDIT))],
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[OpeningView]:
    """Return the newest openings with their notes, for those who check what was done."""
    services: WorklistServices = request.app.state.services
    noting_of(request).view(identity, AuditAction.AUDIT_VIEWED)
    return [_view(one) for one in services.site_rights.openings(limit)]


def _view(opening: Opening) -> OpeningView:
    return OpeningView.model_validate(opening, from_attributes=True)
