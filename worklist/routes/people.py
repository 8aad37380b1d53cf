"""Accounts, for those who manage them; nobody changes the role of, or removes, the account that asks."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Security, status
from pydantic import BaseModel, ConfigDict, Field

from triage.errors import ActNotPossible, InvalidSetting
from worklist.access import may
from worklist.auth import MAX_PASSWORD_LENGTH, Identity
from worklist.noting import actor_of
from worklist.people import People
from worklist.roles import Permission, Role

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"])

Manager = Annotated[Identity, Security(may(Permission.MANAGE_USERS))]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(max_length=MAX_PASSWORD_LENGTH)]
Site = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Named(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name


class NewAccount(_Named):
    """An account to make; without a password one is generated."""

    role: Role
    password: Password | None = None


class NewRole(_Named):
    """The role that an account gets."""

    role: Role


class NewSites(_Named):
    """The sites whose studies an account may see; null: those of every site."""

    sites: list[Site] | None = Field(max_length=200)


class NewPassword(_Named):
    """Without a password one is generated."""

    password: Password | None = None


class AccountView(BaseModel):
    """One account; `locked_until` is set while it cannot log in, `from_provider` where the provider logs it in."""

    name: str
    role: str
    sites: list[str] | None
    locked_until: datetime | None
    from_provider: bool


class AccountsView(BaseModel):
    """The accounts in the order of their names, and the roles there are."""

    accounts: list[AccountView]
    roles: list[str]


class Given(BaseModel):
    """A generated password, told this once; null where one was given."""

    password: str | None


@router.get("")
def accounts(request: Request, _identity: Manager) -> AccountsView:
    """Return every account, without its password."""
    now = request.app.state.services.clock.now()
    found = [
        AccountView(
            name=one.name,
            role=one.role,
            sites=None if one.sites is None else list(one.sites),
            locked_until=one.locked_until if one.locked_until and one.locked_until > now else None,
            from_provider=one.issuer is not None,
        )
        for one in _people(request).every()
    ]
    return AccountsView(accounts=found, roles=[role.value for role in Role])


@router.post("", status_code=201)
def add(request: Request, identity: Manager, wanted: NewAccount) -> Given:
    """Make an account; 409 where the name is taken or cannot be, or the password is too short."""
    with _Refusals():
        password = _people(request).add(actor_of(identity), wanted.name, wanted.role, wanted.password)
    return Given(password=None if wanted.password else password)


@router.post("/role", status_code=204)
def role(request: Request, identity: Manager, wanted: NewRole) -> None:
    """Give another account a role; its logins end."""
    with _Refusals(identity, wanted.name):
        _people(request).give_role(actor_of(identity), wanted.name, wanted.role)


@router.post("/sites", status_code=204)
def sites(request: Request, identity: Manager, wanted: NewSites) -> None:
    """Say of which sites an account may see studies."""
    with _Refusals():
        _people(request).give_sites(actor_of(identity), wanted.name, wanted.sites)


@router.post("/password")
def password(request: Request, identity: Manager, wanted: NewPassword) -> Given:
    """Give an account a new password; its logins end."""
    with _Refusals():
        given = _people(request).give_password(actor_of(identity), wanted.name, wanted.password)
    return Given(password=None if wanted.password else given)


@router.post("/unlock", status_code=204)
def unlock(request: Request, identity: Manager, wanted: _Named) -> None:
    """Let an account log in again that failed too often."""
    with _Refusals():
        _people(request).unlock(actor_of(identity), wanted.name)


@router.post("/remove", status_code=204)
def remove(request: Request, identity: Manager, wanted: _Named) -> None:
    """Remove another account; what it did stays in the audit."""
    with _Refusals(identity, wanted.name):
        _people(request).remove(actor_of(identity), wanted.name)


class _Refusals:
    """Answers 409 in words where the rules refuse, and where somebody would change the account that asks."""

    def __init__(self, identity: Identity | None = None, name: str = "") -> None:
        self._is_own = identity is not None and identity.name == name

    def __enter__(self) -> None:
        if self._is_own:
            raise HTTPException(status.HTTP_409_CONFLICT, "this is your own account; another administrator must do it")

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, InvalidSetting | ActNotPossible):
            raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people
