"""`acuity users`: who may log in, and as what."""

import argparse
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from deploy.opened import opened_database
from deploy.settings import read_settings
from storage.accounts import AccountRows
from storage.audit import AuditTrail
from storage.database import connect
from triage.audit import PLATFORM, AuditAction, AuditEvent
from triage.errors import InvalidSetting
from worklist.auth import MAX_PASSWORD_LENGTH, Passwords, is_account_name
from worklist.roles import Role

MIN_PASSWORD_LENGTH = 12


def add_users(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `users` to the command line."""
    actions = verbs.add_parser("users", help="accounts of people").add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", parents=[printing], help="every account").set_defaults(run=list_users)
    add = actions.add_parser("add", parents=[printing], help="make an account; prints a generated password once")
    add.add_argument("--role", required=True, choices=[role.value for role in Role], help="what it may do")
    add.set_defaults(run=add_user)
    role = actions.add_parser("role", parents=[printing], help="give an account another role; ends its logins")
    role.add_argument("--role", required=True, choices=[role.value for role in Role], help="what it may do")
    role.set_defaults(run=change_role)
    sites = actions.add_parser("sites", parents=[printing], help="say of which sites an account may see studies")
    which = sites.add_mutually_exclusive_group(required=True)
    which.add_argument("--site", action="append", metavar="NAME", help="institution, as scanners write it; repeatable")
    which.add_argument("--every-site", action="store_true", help="studies of every site")
    sites.set_defaults(run=change_sites)
    password = actions.add_parser(
        "password", parents=[printing], help="give an account a new password; ends its logins"
    )
    password.set_defaults(run=change_password)
    unlock = actions.add_parser("unlock", parents=[printing], help="let an account log in again that was locked")
    unlock.set_defaults(run=unlock_user)
    remove = actions.add_parser("remove", parents=[printing], help="remove an account and end its logins")
    remove.set_defaults(run=remove_user)
    for one in (add, password):
        one.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    for one in (add, role, sites, password, unlock, remove):
        one.add_argument("name", help="name of the account")


def list_users(options: argparse.Namespace) -> int:
    """Print every account, without its password; `sites` is left out where it is every site."""
    now = datetime.now(UTC)
    with _accounts(options) as (accounts, _):
        found = accounts.every()
    if options.json:
        told = [
            {"name": one.name, "role": one.role, "locked": bool(one.locked_until and one.locked_until > now)}
            | ({} if one.sites is None else {"sites": list(one.sites)})
            for one in found
        ]
        print(json.dumps(told))
        return 0
    for one in found:
        locked = "  (locked)" if one.locked_until and one.locked_until > now else ""
        sites = "" if one.sites is None else f"  sites: {', '.join(one.sites)}"
        print(f"{one.role:9}  {one.name}{locked}{sites}")
    return 0


def add_user(options: argparse.Namespace) -> int:
    """Make an account; raises InvalidSetting where the name is taken."""
    name, password = _name(options.name), _password(options)
    with _accounts(options) as (accounts, audit):
        if not accounts.create_account(name, Passwords().hash(password), options.role, datetime.now(UTC)):
            raise InvalidSetting(f"account {name!r}: is there already, needed a new name")
        _note(audit, name, "added", options.role)
    _tell(options, {"name": name, "role": options.role} | _generated(options, password))
    return 0


def change_role(options: argparse.Namespace) -> int:
    """Give an account another role."""
    with _accounts(options) as (accounts, audit):
        _require(accounts.set_role(options.name, options.role), options.name)
        _note(audit, options.name, "role", options.role)
    _tell(options, {"name": options.name, "role": options.role})
    return 0


def change_sites(options: argparse.Namespace) -> int:
    """Say of which sites an account may see studies; it holds from the next request on."""
    sites = None if options.every_site else sorted(set(options.site))
    told = "every site" if sites is None else ", ".join(sites)
    with _accounts(options) as (accounts, audit):
        _require(accounts.set_sites(options.name, sites), options.name)
        _note(audit, options.name, "sites", "", {"sites": told})
    _tell(options, {"name": options.name, "sites": told})
    return 0


def change_password(options: argparse.Namespace) -> int:
    """Give an account a new password."""
    password = _password(options)
    with _accounts(options) as (accounts, audit):
        _require(accounts.has_account(options.name), options.name)
        accounts.set_password_hash(options.name, Passwords().hash(password))
        accounts.end_sessions(options.name)
        _note(audit, options.name, "password", "")
    _tell(options, {"name": options.name} | _generated(options, password))
    return 0


def unlock_user(options: argparse.Namespace) -> int:
    """Let an account log in again."""
    with _accounts(options) as (accounts, audit):
        _require(accounts.has_account(options.name), options.name)
        accounts.clear_failures(options.name)
        _note(audit, options.name, "unlocked", "")
    _tell(options, {"name": options.name})
    return 0


def remove_user(options: argparse.Namespace) -> int:
    """Remove an account; what it did stays in the audit."""
    with _accounts(options) as (accounts, audit):
        _require(accounts.remove_account(options.name), options.name)
        _note(audit, options.name, "removed", "")
    _tell(options, {"name": options.name})
    return 0


@contextmanager
def _accounts(options: argparse.Namespace) -> Iterator[tuple[AccountRows, AuditTrail]]:
    with opened_database(read_settings(options.config)) as url:
        engine: Engine = connect(url)
        try:
            yield AccountRows(engine), AuditTrail(engine)
        finally:
            engine.dispose()


def _note(audit: AuditTrail, name: str, change: str, role: str, more: dict[str, str] | None = None) -> None:
    details = {"account": name, "change": change, **({"role": role} if role else {}), **(more or {})}
    audit.note(AuditEvent(datetime.now(UTC), PLATFORM, AuditAction.ACCOUNT_CHANGED, details=details))


def _require(is_there: bool, name: str) -> None:
    if not is_there:
        raise InvalidSetting(f"account {name!r}: there is none; see acuity users list")


def _name(name: str) -> str:
    if not is_account_name(name):
        raise InvalidSetting(f"account {name!r}: needed 1 to 64 printable characters without blanks at the ends")
    return name


def _password(options: argparse.Namespace) -> str:
    if not options.password_stdin:
        return secrets.token_urlsafe(12)
    password = sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InvalidSetting(f"password: {len(password)} characters, needed at least {MIN_PASSWORD_LENGTH}")
    return password


def _generated(options: argparse.Namespace, password: str) -> dict[str, str]:
    return {} if options.password_stdin else {"password": password}


def _tell(options: argparse.Namespace, answer: dict[str, str]) -> None:
    print(json.dumps(answer) if options.json else "  ".join(f"{name}: {value}" for name, value in answer.items()))
