"""The audit chain, for those who check what was done."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Security

from triage.audit import AuditAction
from triage.identifiers import StudyInstanceUid
from worklist.access import may, noting_of
from worklist.auth import Identity
from worklist.ports import WorklistServices
from worklist.roles import Permission
from worklist.routes.listing import Uid
from worklist.work_schemas import AuditPage, audit_page

router = APIRouter(prefix="/api/v1", tags=["audit"])


@router.get("/audit")
def audit(
    request: Request,
    identity: Annotated[Identity, Security(may(Permission.SEE_AUDIT))],
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[int | None, Query(ge=1)] = None,
    study: Annotated[Uid | None, Query()] = None,
) -> AuditPage:
    """Return the newest events of the chain, newest first; looking is noted too."""
    services: WorklistServices = request.app.state.services
    noting_of(request).view(identity, AuditAction.AUDIT_VIEWED)
    wanted = None if study is None else StudyInstanceUid(study)
    return audit_page(services.audit.newest(limit, before, wanted), limit)
