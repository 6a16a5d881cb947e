"""Promises of identity/sessions.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from picloud.errors import Unavailable
from picloud.identity.sessions import ABSOLUTE, Sessions
from picloud.identity.tokens import token_hash
from picloud.identity.users import User
from tests.integration.conftest import Worker


@pytest.fixture
async def ada(worker: Worker) -> User:
    return await worker.services.users.create_user("ada", "correct horse")


async def test_a_token_stands_for_its_user_and_is_stored_as_a_hash_only(worker: Worker, ada: User) -> None:
    token, expires_at = await worker.services.sessions.open(ada.id)
    principal = await worker.services.sessions.principal(token)
    assert principal is not None
    assert (principal.user_id, principal.username, principal.role, principal.kind) == (
        ada.id,
        "ada",
        "owner",
        "user",
    )
    assert timedelta(hours=23) < expires_at - datetime.now(UTC) <= timedelta(hours=24)
    assert await worker.database.fetchval("SELECT token_hash FROM admin_sessions") == token_hash(token)
    for wrong in ("", "pis_", token[:-1], token + "x", token.removeprefix("pis_")):
        assert await worker.services.sessions.principal(wrong) is None


async def test_a_session_that_ended_is_refused_on_every_worker_with_the_next_request(
    worker: Worker, ada: User
) -> None:
    here = worker.services.sessions
    there = Sessions(worker.database, worker.changes, worker.generations)
    token, _ = await here.open(ada.id)
    assert await here.principal(token) is not None
    assert await there.principal(token) is not None
    await here.end(token)
    assert await here.principal(token) is None
    assert await there.principal(token) is None


async def test_a_deactivated_user_is_nobody_once_it_is_announced(worker: Worker, ada: User) -> None:
    token, _ = await worker.services.sessions.open(ada.id)
    assert await worker.services.sessions.principal(token) is not None
    async with worker.changes.announce("users") as connection:
        await connection.execute("UPDATE admin_users SET is_active = false")
    assert await worker.services.sessions.principal(token) is None


async def test_use_slides_the_end_but_never_beyond_the_absolute_one(worker: Worker, ada: User) -> None:
    sessions = worker.services.sessions
    token, _ = await sessions.open(ada.id)
    await worker.database.execute("UPDATE admin_sessions SET expires_at = now() + interval '1 hour'")
    await sessions.principal(token)
    left = "SELECT expires_at - now() FROM admin_sessions"
    assert await worker.database.fetchval(left) > timedelta(hours=23)
    await worker.database.execute(
        "UPDATE admin_sessions"
        " SET expires_at = now() + interval '1 hour', ends_at = now() + interval '2 hours'"
    )
    worker.generations.bump("sessions")
    await sessions.principal(token)
    assert timedelta(hours=1) < await worker.database.fetchval(left) <= timedelta(hours=2)


async def test_a_long_ttl_ends_with_the_absolute_limit(worker: Worker, ada: User) -> None:
    sessions = Sessions(worker.database, worker.changes, worker.generations, ttl=timedelta(days=365))
    _, expires_at = await sessions.open(ada.id)
    assert expires_at - datetime.now(UTC) <= ABSOLUTE


async def test_an_expired_session_is_nobody_and_is_swept_at_the_next_login(worker: Worker, ada: User) -> None:
    token, _ = await worker.services.sessions.open(ada.id)
    await worker.database.execute("UPDATE admin_sessions SET expires_at = now() - interval '1 second'")
    assert await worker.services.sessions.principal(token) is None
    await worker.services.sessions.open(ada.id)
    assert await worker.database.fetchval("SELECT count(*) FROM admin_sessions") == 1


async def test_a_session_in_memory_needs_no_database_until_something_changed(
    worker: Worker, ada: User
) -> None:
    token, _ = await worker.services.sessions.open(ada.id)
    await worker.services.sessions.principal(token)
    await worker.database.close()
    assert await worker.services.sessions.principal(token) is not None
    worker.generations.bump("sessions")
    with pytest.raises(Unavailable):
        await worker.services.sessions.principal(token)


async def test_a_change_that_fails_changes_nothing_but_is_announced(worker: Worker, ada: User) -> None:
    before = worker.generations.current("users")

    async def failing() -> None:
        async with worker.changes.announce("users") as connection:
            await connection.execute("DELETE FROM admin_users")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await failing()
    assert await worker.services.users.exist()
    assert worker.generations.current("users") != before
