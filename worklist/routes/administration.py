"""What the administrator of the PACS looks at: senders, queues, destinations, disk and models; no patient data."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Security, status
from fastapi import Path as InPath
from fastapi.responses import PlainTextResponse

from models.lifecycle import RegisteredModel
from models.measured_here import with_measured
from worklist.access import may
from worklist.administration import (
    DiskView,
    GatewayView,
    ModelsView,
    destination_views,
    model_view,
    queue_views,
    sender_views,
    stage_views,
)
from worklist.auth import Identity
from worklist.ports import WorklistServices
from worklist.roles import Permission
from worklist.routes.listing import Looker
from worklist.settings import WebSettings

router = APIRouter(prefix="/api/v1", tags=["administration"])

LOOKED_BACK = timedelta(hours=24)

Digest = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]
Operator = Annotated[Identity, Security(may(Permission.SEE_OPERATIONS))]


@router.get("/gateway")
def gateway(request: Request, _identity: Operator) -> GatewayView:
    """Return the senders of the last 24 hours, the queues, the stages of the last hour, destinations and disk."""
    services: WorklistServices = request.app.state.services
    settings: WebSettings = request.app.state.settings
    now = services.clock.now()
    figures = services.workload.read()
    return GatewayView(
        senders=sender_views(services.gateway.senders(now - LOOKED_BACK)),
        queues=queue_views(figures.jobs),
        stages=stage_views(figures.stages),
        oldest_waiting_s=dict(figures.oldest_waiting_s),
        destinations=destination_views(services.deliveries.destinations(), settings.destinations),
        disk=_disk(settings),
        server_time=now,
    )


@router.get("/models")
def models(request: Request, _identity: Operator) -> ModelsView:
    """Return the registry of models."""
    services: WorklistServices = request.app.state.services
    return ModelsView(models=[model_view(one) for one in services.models.all()])


@router.get("/models/{model_id}/card", response_class=PlainTextResponse)
def card(request: Request, _identity: Operator, model_id: int) -> str:
    """Return a model's card (Markdown) and what was measured of it here; 404 where there is no such model or card."""
    return _card(request, lambda one: one.id == model_id)


@router.get("/cards/{digest}", response_class=PlainTextResponse)
def card_of_digest(request: Request, _identity: Looker, digest: Digest) -> str:
    """Return the card of the model that a finding names, for those who read; as above."""
    return _card(request, lambda one: one.record.identity.digest == digest)


def _card(request: Request, is_wanted: Callable[[RegisteredModel], bool]) -> str:
    services: WorklistServices = request.app.state.services
    for one in services.models.all():
        path = Path(one.record.folder) / "docs" / "README.md"
        if is_wanted(one) and path.is_file():
            card, digest = path.read_text(encoding="utf-8", errors="replace"), one.record.identity.digest
            return with_measured(card, services.evidence, digest)
    raise HTTPException(status.HTTP_404_NOT_FOUND, "no such model, or its bundle holds no card")


def _disk(settings: WebSettings) -> DiskView | None:
    if settings.data_folder is None:
        return None
    usage = shutil.disk_usage(settings.data_folder)
    return DiskView(total_bytes=usage.total, free_bytes=usage.free, kept_free_bytes=settings.kept_free_bytes)
