"""Logging in, asking who one is, logging out."""

import time
from datetime import datetime

import anyio
import structlog
from fastapi import APIRouter, HTTPException, Request, Response, Security, status
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from triage.audit import Actor, AuditAction
from worklist.access import authenticator_of, identity_of, noting_of, session_token_of
from worklist.auth import MAX_PASSWORD_LENGTH, Identity
from worklist.noting import actor_of
from worklist.roles import PERMISSIONS, Permission
from worklist.settings import WebSettings

router = APIRouter(prefix="/api/v1/session", tags=["session"])
log = structlog.get_logger()

_REFUSED = "Name or password is wrong. After five failures an account is locked for a while, longer each time."


class Login(BaseModel):
    """A name and a password."""

    name: str = Field(min_length=1, max_length=128)
    password: str = Field(min_length=1, max_length=MAX_PASSWORD_LENGTH)


class SessionView(BaseModel):
    """Who is logged in and what they may do; `expires_at` is None for API tokens."""

    name: str
    role: str
    permissions: list[str]
    viewer_url: str
    from_provider: bool
    sites: list[str] | None
    may_break_glass: bool
    expires_at: datetime | None


@router.post("")
async def log_in(login: Login, request: Request, response: Response) -> SessionView:
    """Open a session and set its cookie; the same 401 for a wrong password, an unknown name and a locked account."""
    began = time.monotonic()
    settings: WebSettings = request.app.state.settings
    opened = await run_in_threadpool(authenticator_of(request).open_session, login.name, login.password)
    if opened is None:
        await anyio.sleep(max(0.0, settings.answer_failures_after.total_seconds() - (time.monotonic() - began)))
        await run_in_threadpool(_note_refusal, request, login.name)
        log.warning("login_refused", client=request.client.host if request.client else None)
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, _REFUSED)
    if earlier := session_token_of(request):
        await run_in_threadpool(authenticator_of(request).close_session, earlier)
    await run_in_threadpool(noting_of(request).event, actor_of(opened.identity), AuditAction.LOGGED_IN)
    set_session_cookie(response, settings, opened.token)
    log.info("session_opened", account=opened.identity.name, role=opened.identity.role.value)
    return _view(opened.identity, settings)


@router.get("")
def who_am_i(
    request: Request,
    identity: Identity = Security(identity_of),  # noqa: B008 (FastAPI reads the default)
) -> SessionView:
    """Return who is logged in."""
    return _view(identity, request.app.state.settings)


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
def log_out(
    request: Request,
    response: Response,
    identity: Identity = Security(identity_of),  # noqa: B008 (FastAPI reads the default)
) -> None:
    """Close the session of the cookie; the browser is told to forget it."""
    settings: WebSettings = request.app.state.settings
    if token := session_token_of(request):
        authenticator_of(request).close_session(token)
    noting_of(request).event(actor_of(identity), AuditAction.LOGGED_OUT)
    response.delete_cookie(settings.cookie_name, path="/", secure=settings.https, httponly=True, samesite="strict")


def _note_refusal(request: Request, name: str) -> None:
    """Note a refused login; a name that is no account may be a password typed into the wrong field."""
    known = authenticator_of(request).accounts.has_account(name)
    actor = Actor(name if known else "unknown", "none")
    noting_of(request).event(actor, AuditAction.LOGIN_REFUSED, succeeded=False)


def set_session_cookie(response: Response, settings: WebSettings, token: str) -> None:
    """Let the browser keep the token of a session, for requests of our own pages alone."""
    response.set_cookie(
        settings.cookie_name,
        token,
        max_age=int(settings.session_lifetime.total_seconds()),
        path="/",
        secure=settings.https,
        httponly=True,
        samesite="strict",
    )


def _view(identity: Identity, settings: WebSettings) -> SessionView:
    return SessionView(
        name=identity.name,
        role=identity.role.value,
        permissions=sorted(PERMISSIONS[identity.role]),
        viewer_url=settings.viewer_url,
        from_provider=identity.from_provider,
        sites=None if identity.sites is None else list(identity.sites),
        may_break_glass=settings.break_glass_lasts is not None and identity.may(Permission.READ_STUDIES),
        expires_at=identity.expires_at,
    )
