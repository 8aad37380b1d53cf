"""Puts the web application together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from triage.errors import (
    ActNotPossible,
    NotPermitted,
    StoreUnavailable,
    TakenByAnother,
    TooBusy,
    UnknownStudy,
    UnreadableInstance,
    UnsupportedPixels,
)
from worklist.auth import Authenticator
from worklist.dicomweb.answering import PREFIX
from worklist.guard import Guard
from worklist.live import LiveChanges
from worklist.noting import Noting
from worklist.oidc import SignIn
from worklist.page_files import serve_page, static_folder
from worklist.people import People
from worklist.ports import WorklistServices
from worklist.routes import (
    administration,
    alarms,
    audit,
    break_glass,
    deliveries,
    dicomweb_retrieve,
    dicomweb_search,
    dicomweb_store,
    events,
    images,
    listing,
    operations,
    people,
    preferences,
    provider,
    rules,
    session,
    surveillance,
    validations,
    views,
    work,
)
from worklist.settings import WebSettings
from worklist.shared_answers import SharedAnswers
from worklist.told_rows import ToldRows

_GZIP_FROM_BYTES = 1000


def create_app(services: WorklistServices, settings: WebSettings, sign_in: SignIn | None = None) -> FastAPI:
    """Return the web application; it opens nothing before it is started. `sign_in` lets people log in elsewhere."""
    app = FastAPI(
        title="Acuity worklist",
        description="Research use only, not a medical device.",
        docs_url=None,
        redoc_url=None,
        lifespan=_while_running,
    )
    app.state.services = services
    app.state.settings = settings
    app.state.sign_in = sign_in
    app.state.authenticator = Authenticator(services.accounts, services.clock, settings.session_lifetime)
    app.state.noting = Noting(services.audit, services.clock)
    app.state.people = People(services.accounts, services.clock)
    app.state.live = LiveChanges(services.changes)
    app.state.shared_answers = SharedAnswers()
    app.state.told_rows = ToldRows(services.rows, services.clock)
    listed = (session, provider, listing, work, images, events, alarms, audit, break_glass, validations)
    for module in (*listed, deliveries, views, preferences, administration, surveillance, operations, people, rules):
        app.include_router(module.router)
    if services.dicomweb is not None:
        for module in (dicomweb_search, dicomweb_retrieve, dicomweb_store):
            app.include_router(module.router)
    serve_page(app, static_folder())
    _answer_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=5)
    app.add_middleware(Guard, allowed_hosts=settings.allowed_hosts, https=settings.https)
    return app


@asynccontextmanager
async def _while_running(app: FastAPI) -> AsyncIterator[None]:
    live: LiveChanges = app.state.live
    following = asyncio.create_task(live.run(), name="change feed")
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(UnreadableInstance)
    @app.exception_handler(UnsupportedPixels)
    def unshowable(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "the image cannot be shown"}, status_code=422)

    @app.exception_handler(UnknownStudy)
    def unknown_study(_request: Request, _error: UnknownStudy) -> JSONResponse:
        return JSONResponse({"detail": "no study with this UID has been received"}, status_code=404)

    @app.exception_handler(TakenByAnother)
    @app.exception_handler(ActNotPossible)
    def not_possible(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=409)

    @app.exception_handler(NotPermitted)
    def not_permitted(_request: Request, error: NotPermitted) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=403)

    @app.exception_handler(StoreUnavailable)
    def store_unavailable(_request: Request, _error: StoreUnavailable) -> JSONResponse:
        return JSONResponse({"detail": "the database does not answer"}, status_code=503, headers={"Retry-After": "5"})

    @app.exception_handler(TooBusy)
    def too_busy(_request: Request, error: TooBusy) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503, headers={"Retry-After": "5"})

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The library would repeat what was sent: a password, or the name of a patient.
        told = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
        # PS3.18 8.5 knows only one status for a wrong request.
        return JSONResponse({"detail": told}, status_code=400 if request.url.path.startswith(PREFIX) else 422)
