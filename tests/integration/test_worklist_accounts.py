"""Accounts, sessions and tokens on a real database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from storage.accounts import AccountRows
from worklist.auth import LOCKS, Authenticator, Passwords, create_api_token, ensure_admin
from worklist.roles import Role

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(slots=True)
class HandClock:
    """A clock that is moved by hand."""

    at: datetime = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def passes(self, time: timedelta) -> None:
        self.at += time


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def accounts(engine):
    return AccountRows(engine)


@pytest.fixture
def authenticator(accounts, clock):
    passwords = Passwords(hasher=QUICK, decoy=QUICK.hash("decoy"))
    accounts.create_account("rad", passwords.hash("right"), Role.READER.value, clock.now())
    return Authenticator(accounts, clock, timedelta(hours=12), passwords)


def test_the_right_password_opens_a_session(authenticator, clock):
    opened = authenticator.open_session("rad", "right")

    identity = authenticator.identity_of_session(opened.token)
    assert (identity.name, identity.role, identity.expires_at) == (
        "rad",
        Role.READER,
        clock.now() + timedelta(hours=12),
    )


def test_a_wrong_password_and_an_unknown_name_open_none(authenticator):
    assert authenticator.open_session("rad", "wrong") is None
    assert authenticator.open_session("nobody", "right") is None


def test_a_session_ends_at_its_time_and_when_it_is_closed(authenticator, clock):
    first, second = authenticator.open_session("rad", "right"), authenticator.open_session("rad", "right")

    authenticator.close_session(first.token)
    assert authenticator.identity_of_session(first.token) is None
    assert authenticator.identity_of_session(second.token) is not None

    clock.passes(timedelta(hours=12))
    assert authenticator.identity_of_session(second.token) is None


def test_five_failures_lock_the_account_for_a_while_that_grows(authenticator, clock):
    for _ in range(5):
        assert authenticator.open_session("rad", "wrong") is None
    assert authenticator.open_session("rad", "right") is None

    clock.passes(timedelta(seconds=31))
    assert authenticator.open_session("rad", "wrong") is None
    clock.passes(timedelta(seconds=31))
    assert authenticator.open_session("rad", "right") is None  # the second lock takes 60 s

    clock.passes(timedelta(seconds=30))
    assert authenticator.open_session("rad", "right") is not None


def test_the_right_password_begins_the_count_again(authenticator):
    for _ in range(4):
        authenticator.open_session("rad", "wrong")
    authenticator.open_session("rad", "right")
    for _ in range(4):
        authenticator.open_session("rad", "wrong")

    assert authenticator.open_session("rad", "right") is not None


def test_attempts_made_at_the_same_time_cannot_outrun_the_lock(authenticator, accounts, clock):
    with ThreadPoolExecutor(20) as pool:
        claims = list(pool.map(lambda _: accounts.claim_attempt("rad", clock.now(), LOCKS), range(20)))

    assert sum(claim is not None for claim in claims) == 5


def test_neither_passwords_nor_tokens_are_kept(authenticator, accounts, engine, clock):
    token = create_api_token(accounts, Role.VIEWER, clock.now())
    opened = authenticator.open_session("rad", "right")

    with engine.connect() as connection:
        kept = [
            str(row)
            for table in ("accounts", "sessions", "api_tokens")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]

    assert len(kept) == 3
    assert not [row for row in kept if token in row or opened.token in row or "'right'" in row]


def test_an_api_token_has_its_role_and_no_other_works(authenticator, accounts, clock):
    token = create_api_token(accounts, Role.VIEWER, clock.now())

    assert authenticator.identity_of_token(token).role is Role.VIEWER
    assert authenticator.identity_of_token(token + "x") is None
    assert authenticator.identity_of_session(token) is None


def test_old_hashes_are_renewed_at_the_next_login(accounts, clock):
    accounts.create_account("rad", QUICK.hash("right"), Role.READER.value, clock.now())
    newer = Passwords(hasher=PasswordHasher(time_cost=2, memory_cost=8, parallelism=1), decoy=QUICK.hash("decoy"))
    authenticator = Authenticator(accounts, clock, timedelta(hours=12), newer)

    assert authenticator.open_session("rad", "right") is not None

    claimed = accounts.claim_attempt("rad", clock.now(), LOCKS)
    assert not newer.is_outdated(claimed.password_hash)
    assert newer.matches(claimed.password_hash, "right")


def test_the_first_start_creates_the_admin_and_tells_a_generated_password_once(accounts, clock):
    password = ensure_admin(accounts, None, clock)

    assert ensure_admin(accounts, None, clock) is None
    opened = Authenticator(accounts, clock, timedelta(hours=1)).open_session("admin", password)
    assert opened.identity.role is Role.ADMIN


def test_a_given_admin_password_is_used_and_not_told(accounts, clock):
    assert ensure_admin(accounts, "given by hand", clock) is None
    assert ensure_admin(accounts, "another one", clock) is None

    assert Authenticator(accounts, clock, timedelta(hours=1)).open_session("admin", "given by hand") is not None
