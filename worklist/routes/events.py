"""The event stream that keeps open pages up to date."""

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Security
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from worklist.access import identity_or_none, may
from worklist.auth import Identity
from worklist.live import LiveChanges, Watcher, wait_for
from worklist.ports import WorklistServices
from worklist.roles import Permission
from worklist.settings import WebSettings

router = APIRouter(prefix="/api/v1", tags=["events"])


@router.get("/events", response_class=EventSourceResponse)
async def events(
    request: Request,
    _identity: Annotated[Identity, Security(may(Permission.SEE_LIST))],
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> EventSourceResponse:
    """Stream `changed` with the UIDs of studies that changed, and `ping` with whether changes are heard at present.

    With Last-Event-ID it begins with what was missed; some of it may have been told before.
    """
    settings: WebSettings = request.app.state.settings
    # Our own `ping` events can be seen by the page; the library's comments cannot, so they are left out.
    quiet = 24 * 3600
    return EventSourceResponse(
        _stream(request, last_event_id, settings.ping_every.total_seconds()),
        ping=quiet,
        headers={"X-Accel-Buffering": "no"},
        send_timeout=30,
    )


async def _stream(request: Request, last_event_id: int | None, ping_every_s: float) -> AsyncIterator[ServerSentEvent]:
    live: LiveChanges = request.app.state.live
    services: WorklistServices = request.app.state.services
    with live.watch() as watcher:
        if last_event_id is not None:
            watcher.tell(await services.changes.since(last_event_id))
        yield _ping(live, watcher)
        next_ping, connected = time.monotonic() + ping_every_s, live.connected
        while True:
            await wait_for(watcher, max(0.0, next_ping - time.monotonic()))
            if uids := watcher.take():
                yield ServerSentEvent(
                    event="changed", id=str(watcher.last_id), data=json.dumps({"study_instance_uids": uids})
                )
            if live.connected != connected or time.monotonic() >= next_ping:
                if not await run_in_threadpool(_still_welcome, request):
                    return
                next_ping, connected = time.monotonic() + ping_every_s, live.connected
                yield _ping(live, watcher)


def _ping(live: LiveChanges, watcher: Watcher) -> ServerSentEvent:
    identifier = str(watcher.last_id) if watcher.last_id else None
    return ServerSentEvent(event="ping", id=identifier, data=json.dumps({"connected": live.connected}))


def _still_welcome(request: Request) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    identity = identity_or_none(request, token if scheme.lower() == "bearer" else None)
    return identity is not None and identity.may(Permission.SEE_LIST)
