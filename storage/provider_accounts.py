"""Accounts that an identity provider vouches for, and logins there that have begun."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.audit import AuditRows
from storage.schema import accounts, sessions
from storage.schema_of_people import provider_logins
from storage.transaction import transaction
from triage.audit import PLATFORM, AuditAction, AuditEvent

_NO_PASSWORD = "!"
"""No hash of any password; an account with an issuer is never asked for one anyway."""


class Person(Protocol):
    """Who somebody is, by the word of the provider; `sites` None: every site."""

    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def sites(self) -> tuple[str, ...] | None: ...


@dataclass(frozen=True, slots=True)
class ProviderAccounts:
    """The rows, each call in a transaction of its own."""

    engine: Engine

    def begin(self, state_sha256: str, nonce: str, code_verifier: str, at: datetime, expires_at: datetime) -> None:
        """Keep a login that begins, and forget those that nobody came back from."""
        values = {"state_sha256": state_sha256, "nonce": nonce, "code_verifier": code_verifier}
        with transaction(self.engine) as connection:
            connection.execute(delete(provider_logins).where(provider_logins.c.expires_at <= at))
            connection.execute(insert(provider_logins).values(values | {"expires_at": expires_at}))

    def take(self, state_sha256: str, at: datetime) -> tuple[str, str] | None:
        """Return nonce and code verifier of a login that has begun, once; None where there is none, or too old."""
        statement = delete(provider_logins).where(provider_logins.c.state_sha256 == state_sha256)
        with transaction(self.engine) as connection:
            row = connection.execute(statement.returning(provider_logins)).one_or_none()
        return None if row is None or row.expires_at <= at else (row.nonce, row.code_verifier)

    def admit(self, person: Person, at: datetime) -> str | None:
        """Return the name of the person's account, made or changed to what the provider says now.

        A change of the role or the sites ends the account's sessions, and is noted in the audit. None where the account
        has to be made and its name belongs to somebody else.
        """
        whose = (accounts.c.issuer == person.issuer, accounts.c.subject == person.subject)
        sites = None if person.sites is None else list(person.sites)
        rights: dict[str, Any] = {"role": str(person.role), "sites": sites}
        with transaction(self.engine) as connection:
            known = connection.execute(select(accounts).where(*whose).with_for_update()).one_or_none()
            if known is None:
                values: dict[str, Any] = {"name": person.name, "password_hash": _NO_PASSWORD, "created_at": at}
                values |= rights | {"issuer": person.issuer, "subject": person.subject}
                adding = insert_or_skip(accounts).values(values)
                made = connection.execute(
                    adding.on_conflict_do_nothing().returning(accounts.c.name)
                ).scalar_one_or_none()
                if made is None:
                    return None
            elif (known.role, known.sites) != (rights["role"], rights["sites"]):
                connection.execute(update(accounts).where(*whose).values(rights))
                connection.execute(delete(sessions).where(sessions.c.account == known.name))
            else:
                return str(known.name)
            change, name = ("added", person.name) if known is None else ("rights", str(known.name))
            told = {"account": name, "change": change, "role": str(person.role), "provider": person.issuer}
            told |= {} if sites is None else {"sites": ", ".join(sites)}
            AuditRows(connection).append(AuditEvent(at, PLATFORM, AuditAction.ACCOUNT_CHANGED, details=told))
        return name

    def withdraw(self, issuer: str, subject: str) -> str | None:
        """End the sessions of somebody whom the provider gives no right any more; return the account, None if none."""
        query = select(accounts.c.name).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
        with transaction(self.engine) as connection:
            name = connection.execute(query).scalar_one_or_none()
            if name is not None:
                connection.execute(delete(sessions).where(sessions.c.account == name))
        return name
