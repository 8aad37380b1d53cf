"""Accounts, sessions and API tokens as rows; only digests of tokens and hashes of passwords are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from storage.audit import AuditRows
from storage.schema import accounts, api_tokens, sessions
from storage.transaction import transaction
from triage.audit import AuditEvent


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """What a password is checked against."""

    password_hash: str
    role: str


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as it is listed; `sites` None: every site; `issuer` is the provider that vouches for it, if any."""

    name: str
    role: str
    locked_until: datetime | None
    sites: tuple[str, ...] | None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Who a session belongs to, and until when; `issuer` is the provider that vouches for the account, if one does.

    `sites` None: every site.
    """

    account: str
    role: str
    expires_at: datetime
    issuer: str | None
    sites: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class AccountRows:
    """Accounts, sessions and tokens, each call in a transaction of its own, with the `event` that tells of it."""

    engine: Engine

    def create_account(
        self, name: str, password_hash: str, role: str, at: datetime, event: AuditEvent | None = None
    ) -> bool:
        """Add an account; False, and nothing changed, where the name is taken."""
        values = {"name": name, "password_hash": password_hash, "role": role, "created_at": at}
        statement = insert_or_skip(accounts).values(values).on_conflict_do_nothing().returning(accounts.c.name)
        return self._changed(statement, event)

    def has_account(self, name: str) -> bool:
        with transaction(self.engine) as connection:
            return connection.execute(select(accounts.c.name).where(accounts.c.name == name)).one_or_none() is not None

    def every(self) -> Sequence[StoredAccount]:
        """Return the accounts in the order of their names."""
        query = select(accounts).order_by(accounts.c.name)
        with transaction(self.engine) as connection:
            return [
                StoredAccount(row.name, row.role, row.locked_until, _sites(row.sites), row.issuer)
                for row in connection.execute(query)
            ]

    def set_sites(self, name: str, sites: Sequence[str] | None, event: AuditEvent | None = None) -> bool:
        """Give an account the studies of `sites` alone, None: of every site; False where there is none."""
        values = {"sites": None if sites is None else list(sites)}
        statement = update(accounts).where(accounts.c.name == name).values(values).returning(accounts.c.name)
        return self._changed(statement, event)

    def set_role(self, name: str, role: str, keeping: str = "", event: AuditEvent | None = None) -> bool:
        """Give an account another role and end its sessions.

        False, and nothing changed, where there is none, or where it is the last one of the role `keeping`.
        """
        statement = update(accounts).where(accounts.c.name == name).values(role=role).returning(accounts.c.name)
        with transaction(self.engine) as connection:
            if keeping and role != keeping and _is_last(connection, name, keeping):
                return False
            found = connection.execute(statement).one_or_none() is not None
            connection.execute(delete(sessions).where(sessions.c.account == name))
            _note(connection, event if found else None)
        return found

    def remove_account(self, name: str, keeping: str = "", event: AuditEvent | None = None) -> bool:
        """Remove an account with its sessions.

        False, and nothing changed, where there is none, or where it is the last one of the role `keeping`.
        """
        statement = delete(accounts).where(accounts.c.name == name).returning(accounts.c.name)
        with transaction(self.engine) as connection:
            if keeping and _is_last(connection, name, keeping):
                return False
            found = connection.execute(statement).one_or_none() is not None
            _note(connection, event if found else None)
        return found

    def give_password(self, name: str, password_hash: str, event: AuditEvent) -> None:
        """Give an account a new password, and end its sessions."""
        with transaction(self.engine) as connection:
            connection.execute(update(accounts).where(accounts.c.name == name).values(password_hash=password_hash))
            connection.execute(delete(sessions).where(sessions.c.account == name))
            _note(connection, event)

    def set_password_hash(self, name: str, password_hash: str) -> None:
        """Replace the hash of an account: its password hashed with newer parameters."""
        with transaction(self.engine) as connection:
            connection.execute(update(accounts).where(accounts.c.name == name).values(password_hash=password_hash))

    def claim_attempt(self, name: str, at: datetime, locks: Sequence[timedelta]) -> StoredCredentials | None:
        """Count one login attempt as failed and return what to check; None for an unknown or locked account.

        Counting comes before checking, so that attempts made at the same time cannot outrun the lock.
        `clear_failures` takes it back after a right password.

        Args:
            name: the account.
            at: now.
            locks: how long the account is locked after the first, second, … failure in a row; the last one repeats.
        """
        query = select(accounts).where(accounts.c.name == name, accounts.c.issuer.is_(None)).with_for_update()
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
            if row is None or (row.locked_until is not None and row.locked_until > at):
                return None
            lock = locks[min(row.failed_logins, len(locks) - 1)]
            values = {"failed_logins": row.failed_logins + 1, "locked_until": at + lock}
            connection.execute(update(accounts).where(accounts.c.name == name).values(values))
            return StoredCredentials(row.password_hash, row.role)

    def clear_failures(self, name: str, event: AuditEvent | None = None) -> None:
        values = {"failed_logins": 0, "locked_until": None}
        with transaction(self.engine) as connection:
            connection.execute(update(accounts).where(accounts.c.name == name).values(values))
            _note(connection, event)

    def add_session(self, token_sha256: str, account: str, at: datetime, expires_at: datetime) -> None:
        """Add a session, and forget those that have expired."""
        values = {"token_sha256": token_sha256, "account": account, "created_at": at, "expires_at": expires_at}
        with transaction(self.engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
            connection.execute(insert(sessions).values(values))

    def find_session(self, token_sha256: str, at: datetime) -> StoredSession | None:
        query = (
            select(sessions.c.account, sessions.c.expires_at, accounts.c.role, accounts.c.issuer, accounts.c.sites)
            .join(accounts)
            .where(sessions.c.token_sha256 == token_sha256, sessions.c.expires_at > at)
        )
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        return (
            None if row is None else StoredSession(row.account, row.role, row.expires_at, row.issuer, _sites(row.sites))
        )

    def remove_session(self, token_sha256: str) -> None:
        with transaction(self.engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))

    def add_token(self, token_sha256: str, role: str, at: datetime) -> None:
        values = {"token_sha256": token_sha256, "role": role, "created_at": at}
        with transaction(self.engine) as connection:
            connection.execute(insert(api_tokens).values(values))

    def token_role(self, token_sha256: str) -> str | None:
        query = select(api_tokens.c.role).where(api_tokens.c.token_sha256 == token_sha256)
        with transaction(self.engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    def _changed(self, statement: ReturningInsert[Any] | ReturningUpdate[Any], event: AuditEvent | None) -> bool:
        """Return whether the statement changed a row; the event is noted only then."""
        with transaction(self.engine) as connection:
            found = connection.execute(statement).one_or_none() is not None
            _note(connection, event if found else None)
        return found


def _note(connection: Connection, event: AuditEvent | None) -> None:
    if event is not None:
        AuditRows(connection).append(event)


def _is_last(connection: Connection, name: str, role: str) -> bool:
    """Return whether nobody else has the role; holds its rows, so that two who ask at once do not both go."""
    query = select(accounts.c.name).where(accounts.c.role == role).order_by(accounts.c.name).with_for_update()
    return list(connection.execute(query).scalars()) == [name]


def _sites(found: list[str] | None) -> tuple[str, ...] | None:
    return None if found is None else tuple(found)
