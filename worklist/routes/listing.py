"""The list itself, one study of it, and what needs a person."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, Security
from pydantic import BaseModel, ConfigDict, Field

from triage.audit import AuditAction
from triage.findings import AiState
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority
from triage.reading import Reading
from worklist.access import may, noting_of
from worklist.auth import Identity
from worklist.noting import actor_of
from worklist.ports import ListFilter, WorklistServices
from worklist.roles import Permission
from worklist.schemas import (
    IncidentsView,
    StudyView,
    WorklistView,
    incidents_view,
    study_view,
)
from worklist.shared_answers import SharedAnswers
from worklist.told_rows import ToldRows
from worklist.work_schemas import IncidentAct

router = APIRouter(prefix="/api/v1", tags=["worklist"])

MAX_ROWS = 1000
INCIDENTS_PER_KIND = 100

Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]


class Wanted(BaseModel):
    """Which rows are wanted; what is left out demands nothing."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(200, ge=1, le=MAX_ROWS, description="at most this many rows")
    after: Uid | None = Field(None, description="`next_after` of the page before")
    q: str = Field("", max_length=128, description="part of name, patient ID, accession or description; or a UID")
    modality: str = Field("", max_length=16, description="for example CT")
    band: str | None = Field(None, pattern="^(CRITICAL|URGENT|ROUTINE)$")
    ai_state: AiState | None = None
    reading: Reading = Field(Reading.OPEN, description="open: waits for a reader; read; all")
    owner: str = Field("", max_length=128, description="who has claimed the study")
    site: str = Field("", max_length=64, description="institution, as the scanner writes it")

    def as_filter(self) -> ListFilter:
        return ListFilter(
            limit=self.limit,
            after=None if self.after is None else StudyInstanceUid(self.after),
            text=self.q.replace("\x00", "").strip(),
            modality=self.modality.replace("\x00", "").strip().upper(),
            band=None if self.band is None else Priority[self.band],
            ai_state=self.ai_state,
            reading=self.reading,
            owner=self.owner.replace("\x00", ""),
            site=self.site.replace("\x00", ""),
        )


Looker = Annotated[Identity, Security(may(Permission.SEE_LIST))]


@router.get("/worklist", response_model=WorklistView)
def worklist(request: Request, identity: Looker, wanted: Annotated[Wanted, Query()]) -> Response:
    """Return the list: earliest deadline first, ties by arrival, then by UID.

    Whoever searches for a patient uses the POST form: what stands in a URL ends up in logs.
    """
    return _page(request, identity, wanted)


@router.post("/worklist/search", response_model=WorklistView)
def search(request: Request, identity: Looker, wanted: Wanted) -> Response:
    """Return the list like GET /worklist, with what is looked for in the body, where no log sees it."""
    return _page(request, identity, wanted)


@router.get("/studies/{study_instance_uid}")
def study(request: Request, identity: Looker, study_instance_uid: Annotated[Uid, Path()]) -> StudyView:
    """Return all that is known of one study; 404 where it was never received."""
    services = _services(request)
    known = services.rows.detail(StudyInstanceUid(study_instance_uid))
    noting_of(request).view(identity, AuditAction.STUDY_VIEWED, known.row.study.study_instance_uid)
    return study_view(known, services.localising, services.site_ppv, services.clock.now())


@router.get("/incidents")
def incidents(
    request: Request, identity: Annotated[Identity, Security(may(Permission.SEE_INCIDENTS))]
) -> IncidentsView:
    """Return what needs a person: unreadable and conflicting objects, refused deliveries, failed studies."""
    noting_of(request).view(identity, AuditAction.INCIDENTS_VIEWED)
    return incidents_view(_services(request).incidents.newest(INCIDENTS_PER_KIND))


@router.post("/incidents/acts", status_code=204)
def handle_incident(
    request: Request, identity: Annotated[Identity, Security(may(Permission.HANDLE_INCIDENTS))], wanted: IncidentAct
) -> None:
    """Acknowledge, close or reopen an incident; a closed one leaves the list."""
    services = _services(request)
    services.incidents.handle(wanted.key, wanted.act, actor_of(identity), wanted.note, services.clock.now())


def _page(request: Request, identity: Identity, wanted: Wanted) -> Response:
    # What is searched for is not noted: it is often a name, and the audit holds none.
    noting_of(request).view(identity, AuditAction.LIST_SEARCHED if wanted.q else AuditAction.LIST_VIEWED)
    asked = replace(wanted.as_filter(), within=identity.within)
    shared: SharedAnswers = request.app.state.shared_answers
    told: ToldRows = request.app.state.told_rows
    return Response(shared.to(asked, lambda: told.page(asked)), media_type="application/json")


def _services(request: Request) -> WorklistServices:
    services: WorklistServices = request.app.state.services
    return services
