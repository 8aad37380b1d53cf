"""Who is asking: passwords, sessions and API tokens."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from triage.errors import TooBusy
from triage.ports import Clock
from worklist.ports import Accounts
from worklist.roles import PERMISSIONS, Permission, Role

ADMIN_NAME = "admin"
MAX_PASSWORD_LENGTH = 1024

LOCKS = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 0, 0, 30, 60, 120, 240, 480, 900))
"""How long an account is locked after the first, second, … failure in a row; the last one repeats."""

_HASHES_AT_ONCE = 2
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, as which role; `expires_at` is None for API tokens, `session` tells their logins apart.

    `from_provider`: the identity provider vouches for the account. `sites` None: studies of every site.
    """

    name: str
    role: Role
    expires_at: datetime | None = None
    session: str = ""
    from_provider: bool = False
    sites: tuple[str, ...] | None = None

    @property
    def within(self) -> tuple[str, tuple[str, ...]] | None:
        """The account and its sites, None where it is for every site."""
        return None if self.sites is None else (self.name, self.sites)

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened; `token` is known to the person's browser and nobody else."""

    token: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class Passwords:
    """Hashes passwords with argon2id, few at a time: each takes 64 MiB of memory."""

    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_HASHES_AT_ONCE))
    decoy: str = field(default_factory=lambda: PasswordHasher().hash(new_token()))

    def hash(self, password: str) -> str:
        with self.turns:
            return self.hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password is right; without a hash one is checked all the same, in the same time.

        Raises:
            TooBusy: no turn came up in time.
        """
        if not self.turns.acquire(timeout=_PATIENCE_S):
            raise TooBusy("too many logins at once; try again in a moment")
        try:
            return self.hasher.verify(password_hash or self.decoy, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self.turns.release()

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than are used today."""
        return self.hasher.check_needs_rehash(password_hash)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Opens, recognises and closes sessions, and recognises API tokens."""

    accounts: Accounts
    clock: Clock
    session_lifetime: timedelta
    passwords: Passwords = field(default_factory=Passwords)

    def open_session(self, name: str, password: str) -> NewSession | None:
        """Return a new session, or None where the name is unknown, the password wrong or the account locked."""
        now = self.clock.now()
        claimed = self.accounts.claim_attempt(name, now, LOCKS)
        password_hash = None if claimed is None else claimed.password_hash
        if not self.passwords.matches(password_hash, password) or claimed is None:
            return None
        if self.passwords.is_outdated(claimed.password_hash):
            self.accounts.set_password_hash(name, self.passwords.hash(password))
        self.accounts.clear_failures(name)
        return self.open_proven(name)

    def open_proven(self, name: str) -> NewSession | None:
        """Return a new session of an account whose person was recognised; None where it was just removed."""
        now, token = self.clock.now(), new_token()
        self.accounts.add_session(digest_of(token), name, now, now + self.session_lifetime)
        identity = self.identity_of_session(token)
        return None if identity is None else NewSession(token, identity)

    def identity_of_session(self, token: str) -> Identity | None:
        digest = digest_of(token)
        session = self.accounts.find_session(digest, self.clock.now())
        if session is None:
            return None
        return Identity(
            name=session.account,
            role=Role(session.role),
            expires_at=session.expires_at,
            session=digest,
            from_provider=session.issuer is not None,
            sites=session.sites,
        )

    def identity_of_token(self, token: str) -> Identity | None:
        digest = digest_of(token)
        role = self.accounts.token_role(digest)
        # Its digest tells tokens apart in the audit, and the token cannot be worked out from it.
        return None if role is None else Identity(f"api token {digest[:8]}", Role(role), None, digest)

    def close_session(self, token: str) -> None:
        self.accounts.remove_session(digest_of(token))


def create_api_token(accounts: Accounts, role: Role, at: datetime) -> str:
    """Return a new API token; only its digest is kept, so it can be shown this once."""
    token = new_token()
    accounts.add_token(digest_of(token), role.value, at)
    return token


def ensure_admin(accounts: Accounts, password: str | None, clock: Clock) -> str | None:
    """Leave an account `admin`; return its generated password this once, None where it exists or one was given."""
    if accounts.has_account(ADMIN_NAME):
        return None
    chosen = password or secrets.token_urlsafe(12)
    created = accounts.create_account(ADMIN_NAME, Passwords().hash(chosen), Role.ADMIN.value, clock.now())
    return chosen if created and not password else None


def is_account_name(name: str) -> bool:
    """Return whether an account may be called so: 1 to 64 printable characters without blanks at the ends."""
    return 1 <= len(name) <= 64 and name.isprintable() and name == name.strip()


def new_token() -> str:
    """Return an opaque token of 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return what the database knows of a token: a fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
