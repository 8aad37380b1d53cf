"""Deliveries to other systems, for those who look after them: listed, and sent again."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Security
from pydantic import BaseModel, ConfigDict, Field

from worklist.access import may
from worklist.auth import Identity
from worklist.noting import actor_of
from worklist.ports import WorklistServices
from worklist.roles import Permission

router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])


class DeliveryRow(BaseModel):
    """One object on its way to one destination; `id` is what replay takes.

    `kind` is "sr", "seg", "sc" or "original"; `state` is "planned", "delivered" or "refused".
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    sop_instance_uid: str
    destination: str
    study_instance_uid: str
    kind: str
    state: str
    attempts: int
    last_error: str
    planned_at: datetime
    last_try_at: datetime | None
    delivered_at: datetime | None
    sent_transfer_syntax_uid: str | None


class DestinationRow(BaseModel):
    """How one destination does; `retry_at` is set while it is not tried, because of `last_error`."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    failures: int
    retry_at: datetime | None
    last_error: str
    planned: int
    delivered: int
    refused: int
    last_delivered_at: datetime | None


class DeliveryList(BaseModel):
    """The deliveries, last tried first, and every destination that something was planned for."""

    deliveries: list[DeliveryRow]
    destinations: list[DestinationRow]


class Replay(BaseModel):
    """What to send again: everything that `destination` refused, or the one object `sop_instance_uid` of it."""

    model_config = ConfigDict(extra="forbid")

    destination: str = Field(min_length=1, max_length=200)
    sop_instance_uid: str = Field("", max_length=64, pattern=r"^[0-9.]*$")


class Replayed(BaseModel):
    """How many objects were planned again."""

    replayed: int


@router.get("")
def deliveries(
    request: Request,
    _identity: Annotated[Identity, Security(may(Permission.SEE_INCIDENTS))],
    failed: Annotated[bool, Query()] = False,
    destination: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> DeliveryList:
    """Return the deliveries: all of them, the refused ones, or those to one destination."""
    services: WorklistServices = request.app.state.services
    return DeliveryList(
        deliveries=[DeliveryRow.model_validate(one) for one in services.deliveries.newest(limit, failed, destination)],
        destinations=[DestinationRow.model_validate(one) for one in services.deliveries.destinations()],
    )


@router.post("/replay")
def replay(
    request: Request, wanted: Replay, identity: Annotated[Identity, Security(may(Permission.HANDLE_INCIDENTS))]
) -> Replayed:
    """Plan again what was refused; 409 where the one object is no refused delivery. Noted in the audit."""
    services: WorklistServices = request.app.state.services
    now = services.clock.now()
    actor = actor_of(identity)
    return Replayed(replayed=services.deliveries.replay(wanted.destination, wanted.sop_instance_uid, actor, now))
