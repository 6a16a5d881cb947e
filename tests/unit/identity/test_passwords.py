"""Promises of identity/passwords.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from picloud.core.errors import Invalid
from picloud.identity.passwords import Passwords, check_password


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield passwords
    passwords.close()


async def test_a_password_is_argon2id_and_salted(passwords: Passwords) -> None:
    one, other = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert one.startswith("$argon2id$")
    assert one != other
    assert await passwords.verify(one, "correct horse")
    assert not await passwords.verify(one, "wrong horse!")


async def test_a_user_that_is_not_there_has_no_password(passwords: Passwords) -> None:
    for guess in ("", "no user has this password", "x" * 10_000):
        assert not await passwords.verify(None, guess)


async def test_the_first_check_of_a_process_takes_as_long_for_a_user_as_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(PasswordHasher, "hash", lambda _, password: hashed.append(password) or "no hash")
    for stored in ("$argon2id$", None):
        passwords = Passwords()
        for _ in range(3):
            assert not await passwords.verify(stored, "correct horse")
        passwords.close()
    assert hashed == ["no user has this password"] * 2


async def test_a_broken_hash_fits_no_password(passwords: Passwords) -> None:
    assert not await passwords.verify("not a hash", "correct horse")


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("x" * 9, False),
        ("x" * 10, True),
        ("ü" * 5, True),
        ("x" * 256, True),
        ("x" * 257, False),
        ("ü" * 129, False),
        ("\udcff" * 10, False),
    ],
)
def test_length_is_counted_in_bytes_before_any_hashing(password: str, good: bool) -> None:
    if good:
        check_password(password)
    else:
        with pytest.raises(Invalid, match="password"):
            check_password(password)


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    assert not passwords.is_outdated(await passwords.hash("correct horse"))
    other = Passwords(hasher=PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert passwords.is_outdated(await other.hash("correct horse"))
    other.close()
