"""Logging in at the department's identity provider, and out of it."""

import secrets
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from triage.audit import Actor, AuditAction
from triage.errors import LoginRefused, ProviderAway
from worklist.access import authenticator_of, noting_of
from worklist.auth import NewSession, digest_of, new_token
from worklist.noting import actor_of
from worklist.oidc import Beginning, NotAdmitted, SignIn
from worklist.routes.session import set_session_cookie
from worklist.settings import WebSettings

router = APIRouter(prefix="/api/v1/session/provider", tags=["session"])
log = structlog.get_logger()

_MAY_TAKE = timedelta(minutes=10)
SEE_OTHER = 303


class ProviderView(BaseModel):
    """What the log-in page calls the identity provider; empty where there is none."""

    name: str


@router.get("")
def provider(request: Request) -> ProviderView:
    """Return whether one can log in elsewhere, for the log-in page."""
    sign_in: SignIn | None = request.app.state.sign_in
    return ProviderView(name="" if sign_in is None else sign_in.provider.settings.name)


@router.get("/start", response_class=RedirectResponse)
def start(request: Request) -> RedirectResponse:
    """Send the browser to the provider; what must come back is kept here, and bound to this browser by a cookie."""
    settings, sign_in, now = _settings(request), _sign_in(request), authenticator_of(request).clock.now()
    begun = Beginning(new_token(), new_token(), secrets.token_urlsafe(64))
    try:
        address = sign_in.provider.address(begun)
    except ProviderAway as error:
        return _refused(request, "away", str(error))
    sign_in.people.begin(digest_of(begun.state), begun.nonce, begun.code_verifier, now, now + _MAY_TAKE)
    answer = RedirectResponse(address, SEE_OTHER)
    # Lax, since the browser comes back from a foreign page; the session's own cookie stays Strict.
    age = int(_MAY_TAKE.total_seconds())
    answer.set_cookie(
        _cookie(settings), begun.state, max_age=age, path="/", secure=settings.https, httponly=True, samesite="lax"
    )
    return answer


@router.get("/callback", response_class=RedirectResponse)
def callback(
    request: Request,
    state: Annotated[str, Query(max_length=256)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
) -> RedirectResponse:
    """Let in whom the provider vouches for and the settings give a role; everybody else sees why not."""
    try:
        opened = _opened(request, state, code, error)
    except LoginRefused as refusal:
        return _refused(request, str(refusal))
    except ProviderAway as away:
        return _refused(request, "away", str(away))
    answer = RedirectResponse("/", SEE_OTHER)
    set_session_cookie(answer, _settings(request), opened.token)
    return _forgetting(request, answer)


@router.get("/logout", response_class=RedirectResponse)
def logout(request: Request) -> RedirectResponse:
    """Send the browser to where one logs out at the provider; the session here has ended before."""
    try:
        return RedirectResponse(_sign_in(request).provider.address_of_logout(), SEE_OTHER)
    except ProviderAway:
        return RedirectResponse("/", SEE_OTHER)


def _opened(request: Request, state: str, code: str, error: str) -> NewSession:
    sign_in, clock = _sign_in(request), authenticator_of(request).clock
    bound = request.cookies.get(_cookie(_settings(request)), "")
    if not state or not secrets.compare_digest(state.encode(), bound.encode()):
        raise LoginRefused("state")
    begun = sign_in.people.take(digest_of(state), clock.now())
    if begun is None:
        raise LoginRefused("state")
    if error or not code:
        raise LoginRefused("declined")
    try:
        person = sign_in.provider.prove(code, Beginning(state, *begun))
    except NotAdmitted as refusal:
        sign_in.people.withdraw(sign_in.provider.settings.issuer, refusal.subject)
        raise
    name = sign_in.people.admit(person, clock.now())
    opened = None if name is None else authenticator_of(request).open_proven(name)
    if opened is None:
        raise LoginRefused("taken")
    noting_of(request).event(actor_of(opened.identity), AuditAction.LOGGED_IN, details={"provider": person.issuer})
    log.info("session_opened", account=opened.identity.name, role=person.role.value, provider=person.issuer)
    return opened


def _refused(request: Request, reason: str, told: str = "") -> RedirectResponse:
    """Note why somebody was not let in, and show it; who it was is not known here, or not for certain."""
    details = {"provider": _sign_in(request).provider.settings.issuer, "reason": reason}
    noting_of(request).event(Actor("unknown", "none"), AuditAction.LOGIN_REFUSED, details=details, succeeded=False)
    log.warning("login_refused", provider=details["provider"], reason=reason, told=told)
    return _forgetting(request, RedirectResponse(f"/?login={reason}", SEE_OTHER))


def _forgetting(request: Request, answer: RedirectResponse) -> RedirectResponse:
    settings = _settings(request)
    answer.delete_cookie(_cookie(settings), path="/", secure=settings.https, httponly=True, samesite="lax")
    return answer


def _sign_in(request: Request) -> SignIn:
    sign_in: SignIn | None = request.app.state.sign_in
    if sign_in is None:
        raise HTTPException(404, "the settings name no identity provider")
    return sign_in


def _cookie(settings: WebSettings) -> str:
    return f"{settings.cookie_name}-login"


def _settings(request: Request) -> WebSettings:
    settings: WebSettings = request.app.state.settings
    return settings
