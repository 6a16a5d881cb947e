"""Promises of identity/users.py."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from picloud.errors import Conflict, Invalid, NotFound, Throttled, Unauthenticated
from tests.integration.conftest import Worker


async def test_a_user_is_made_and_logs_in_whatever_the_case_of_the_name(worker: Worker) -> None:
    users = worker.services.users
    made = await users.create_user("Ada", "correct horse")
    assert (made.username, made.role, made.is_active) == ("Ada", "owner", True)
    assert await users.log_in("aDA", "correct horse", "192.0.2.1") == made


async def test_a_name_is_taken_whatever_its_case(worker: Worker) -> None:
    await worker.services.users.create_user("ada", "correct horse")
    with pytest.raises(Conflict):
        await worker.services.users.create_user("ADA", "correct horse")


@pytest.mark.parametrize("username", ["", " ada", "a b", "-ada", "a\0", "x" * 65, "ädä"])
async def test_what_is_no_name_or_password_or_role_is_refused(worker: Worker, username: str) -> None:
    users = worker.services.users
    with pytest.raises(Invalid):
        await users.create_user(username, "correct horse")
    with pytest.raises(Invalid):
        await users.create_user("ada", "short")
    with pytest.raises(Invalid):
        await users.create_user("ada", "correct horse", role="king")
    assert not await users.exist()


async def test_a_reset_changes_the_password_and_ends_every_session(worker: Worker) -> None:
    users, sessions = worker.services.users, worker.services.sessions
    ada = await users.create_user("ada", "correct horse")
    token, _ = await sessions.open(ada.id)
    assert await sessions.principal(token) is not None
    await users.reset_password("ADA", "battery staple")
    assert await sessions.principal(token) is None
    with pytest.raises(Unauthenticated):
        await users.log_in("ada", "correct horse", "192.0.2.1")
    assert await users.log_in("ada", "battery staple", "192.0.2.1") == await users.log_in(
        "ada", "battery staple", "192.0.2.2"
    )
    with pytest.raises(NotFound):
        await users.reset_password("grace", "battery staple")


async def test_an_inactive_user_cannot_log_in(worker: Worker) -> None:
    users = worker.services.users
    await users.create_user("ada", "correct horse")
    await worker.database.execute("UPDATE admin_users SET is_active = false")
    with pytest.raises(Unauthenticated):
        await users.log_in("ada", "correct horse", "192.0.2.1")


async def test_one_address_that_tries_many_names_is_slowed_down_and_others_are_not(worker: Worker) -> None:
    users = worker.services.users
    await users.create_user("ada", "correct horse")
    for n in range(21):
        with pytest.raises(Unauthenticated):
            await users.log_in(f"name-{n}", "a wrong guess", "2001:db8::1")
    with pytest.raises(Throttled):
        await users.log_in("ada", "correct horse", "2001:db8::2")
    await users.log_in("ada", "correct horse", "2001:db8:0:1::1")


async def test_a_hash_of_older_parameters_is_renewed_at_login(worker: Worker) -> None:
    users = worker.services.users
    await users.create_user("ada", "correct horse")
    older = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("correct horse")
    await worker.database.execute("UPDATE admin_users SET password_hash = $1", older)
    await users.log_in("ada", "correct horse", "192.0.2.1")
    assert "t=1" in await worker.database.fetchval("SELECT password_hash FROM admin_users")
    await users.log_in("ada", "correct horse", "192.0.2.1")
