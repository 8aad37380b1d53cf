"""`acuity users`: who may log in, and as what."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.opened import opened_database
from deploy.settings import read_settings
from storage.accounts import AccountRows
from storage.database import connect
from triage.audit import PLATFORM
from worklist.people import People
from worklist.roles import Role


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
    with _people(options) as people:
        found = people.every()
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
    with _people(options) as people:
        password = people.add(PLATFORM, options.name, Role(options.role), _typed(options))
    _tell(options, {"name": options.name, "role": options.role} | _generated(options, password))
    return 0


def change_role(options: argparse.Namespace) -> int:
    """Give an account another role."""
    with _people(options) as people:
        people.give_role(PLATFORM, options.name, Role(options.role))
    _tell(options, {"name": options.name, "role": options.role})
    return 0


def change_sites(options: argparse.Namespace) -> int:
    """Say of which sites an account may see studies; it holds from the next request on."""
    sites = None if options.every_site else sorted(set(options.site))
    with _people(options) as people:
        people.give_sites(PLATFORM, options.name, sites)
    _tell(options, {"name": options.name, "sites": "every site" if sites is None else ", ".join(sites)})
    return 0


def change_password(options: argparse.Namespace) -> int:
    """Give an account a new password."""
    with _people(options) as people:
        password = people.give_password(PLATFORM, options.name, _typed(options))
    _tell(options, {"name": options.name} | _generated(options, password))
    return 0


def unlock_user(options: argparse.Namespace) -> int:
    """Let an account log in again."""
    with _people(options) as people:
        people.unlock(PLATFORM, options.name)
    _tell(options, {"name": options.name})
    return 0


def remove_user(options: argparse.Namespace) -> int:
    """Remove an account; what it did stays in the audit."""
    with _people(options) as people:
        people.remove(PLATFORM, options.name)
    _tell(options, {"name": options.name})
    return 0


@contextmanager
def _people(options: argparse.Namespace) -> Iterator[People]:
    with opened_database(read_settings(options.config)) as url:
        engine: Engine = connect(url)
        try:
            yield People(AccountRows(engine), SystemClock())
        finally:
            engine.dispose()


def _typed(options: argparse.Namespace) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if options.password_stdin else None


def _generated(options: argparse.Namespace, password: str) -> dict[str, str]:
    return {} if options.password_stdin else {"password": password}


def _tell(options: argparse.Namespace, answer: dict[str, str]) -> None:
    print(json.dumps(answer) if options.json else "  ".join(f"{name}: {value}" for name, value in answer.items()))
