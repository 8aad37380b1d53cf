"""Passwords, and how an account locks."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from worklist.auth import LOCKS, Passwords, digest_of, new_token
from worklist.roles import PERMISSIONS, Permission, Role

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords():
    return Passwords(hasher=QUICK, decoy=QUICK.hash("decoy"))


def test_only_the_right_password_matches(passwords):
    hashed = passwords.hash("right")

    assert passwords.matches(hashed, "right")
    assert not passwords.matches(hashed, "wrong")
    assert not passwords.matches("no hash at all", "right")


def test_without_a_hash_not_even_the_decoys_password_matches(passwords):
    assert not passwords.matches(None, "decoy")


def test_hashes_are_argon2id_and_old_parameters_are_noticed(passwords):
    assert Passwords().hash("x").startswith("$argon2id$")
    assert Passwords().is_outdated(passwords.hash("x"))


def test_the_lock_comes_with_the_fifth_failure_and_grows():
    assert LOCKS[:5] == (timedelta(0), timedelta(0), timedelta(0), timedelta(0), timedelta(seconds=30))
    assert list(LOCKS) == sorted(LOCKS)
    assert LOCKS[-1] == timedelta(minutes=15)


def test_tokens_are_never_the_same_and_are_known_by_their_digest():
    first, second = new_token(), new_token()

    assert first != second
    assert len(digest_of(first)) == 64
    assert first not in digest_of(first)


def test_every_role_has_permissions_and_an_auditor_sees_no_list():
    assert set(PERMISSIONS) == set(Role)
    assert Permission.SEE_LIST not in PERMISSIONS[Role.AUDITOR]
