"""Decides, for each request of the API, who is asking and whether they may."""

import re
from collections.abc import Callable

from fastapi import HTTPException, Request, Security, status
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from triage.audit import AuditAction
from triage.identifiers import StudyInstanceUid
from worklist.administration_ports import SiteRights
from worklist.auth import Authenticator, Identity
from worklist.noting import Noting
from worklist.roles import Permission
from worklist.settings import WebSettings

_BEARER = HTTPBearer(auto_error=False, description="API token from `acuity token create`")
_COOKIE = APIKeyCookie(name="acuity", auto_error=False, description="Session cookie of the page")


def authenticator_of(request: Request) -> Authenticator:
    """Return the application's authenticator."""
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def noting_of(request: Request) -> Noting:
    """Return what writes the application's audit."""
    noting: Noting = request.app.state.noting
    return noting


def session_token_of(request: Request) -> str | None:
    """Return the token of the session cookie, None when there is none."""
    settings: WebSettings = request.app.state.settings
    return request.cookies.get(settings.cookie_name)


def identity_of(
    request: Request,
    bearer: HTTPAuthorizationCredentials | None = Security(_BEARER),  # noqa: B008 (FastAPI reads the default)
    _cookie: str | None = Security(_COOKIE),
) -> Identity:
    """Return who is asking, from the bearer token or else the session cookie; 401 for anybody else."""
    identity = identity_or_none(request, bearer.credentials if bearer else None)
    if identity is None:
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED, "log in, or send a valid API token", {"WWW-Authenticate": "Bearer"}
        )
    return identity


def identity_or_none(request: Request, bearer: str | None) -> Identity | None:
    """Return who is asking; a bearer token that is wrong is not saved by a cookie beside it."""
    authenticator = authenticator_of(request)
    if bearer is not None:
        return authenticator.identity_of_token(bearer)
    token = session_token_of(request)
    return None if token is None else authenticator.identity_of_session(token)


def may(permission: Permission) -> Callable[[Request, Identity], Identity]:
    """Return a dependency that lets in whoever has `permission`; 403 for others, noted in the audit."""

    def check(request: Request, identity: Identity = Security(identity_of)) -> Identity:  # noqa: B008 (FastAPI reads it)
        if not identity.may(permission):
            noting_of(request).view(
                identity, AuditAction.ACCESS_REFUSED, details={"asked": permission.value}, succeeded=False
            )
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"role {identity.role.value} may not {permission.value}")
        if identity.sites is not None:
            _require_site(request, identity, identity.sites)
        return identity

    return check


def _require_site(request: Request, identity: Identity, sites: tuple[str, ...]) -> None:
    """Refuse studies of other sites, whatever is asked of them; here, so that no route can forget it."""
    study = request.path_params.get("study_instance_uid")
    if request.scope["path"].startswith("/dicom-web/"):
        refusal = "DICOMweb is for accounts of every site"
    elif study is None or _site_rights(request).may_open(identity.name, sites, study):
        return
    else:
        refusal = "the study is of another site"
    uid = StudyInstanceUid(study) if study is not None and re.fullmatch(r"[0-9.]{1,64}", study) else None
    noting_of(request).view(identity, AuditAction.ACCESS_REFUSED, uid, {"asked": "other_site"}, succeeded=False)
    raise HTTPException(status.HTTP_403_FORBIDDEN, refusal)


def _site_rights(request: Request) -> SiteRights:
    rights: SiteRights = request.app.state.services.site_rights
    return rights
