"""Promises of identity/sessions.py and of sessions in identity/principals.py."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from picloud.core.background import Background
from picloud.core.errors import NotFound, Unauthenticated, Unavailable
from picloud.core.pagination import PageRequest
from picloud.identity.account import User
from picloud.identity.principals import Principals
from picloud.identity.sessions import ABSOLUTE, MAX_USER_AGENT, Sessions
from picloud.identity.tokens import token_hash
from tests.integration.conftest import CONSOLE, PASSWORD, Worker
from tests.integration.identity.later import an_hour_later


@pytest.fixture
async def ada(worker: Worker) -> User:
    return await worker.person("ada", "owner")


def another_worker(worker: Worker) -> Principals:
    """A worker of the same node: its own memory, the same shared page."""
    return Principals(worker.database, worker.generations, Background())


async def test_a_token_stands_for_its_user_and_is_stored_as_a_hash_only(worker: Worker, ada: User) -> None:
    opened = await worker.platform.sessions.open(ada.id, "ada", "owner", CONSOLE)
    token = opened.token
    principal = await worker.platform.principals.of_token(token)
    assert principal is not None
    assert (principal.user_id, principal.username, principal.role, principal.kind) == (
        ada.id,
        "ada",
        "owner",
        "user",
    )
    assert timedelta(hours=23) < opened.expires_at - datetime.now(UTC) <= timedelta(hours=24)
    assert await worker.database.fetchval("SELECT token_hash FROM admin_sessions") == token_hash(token)
    for wrong in (
        "",
        "pis_",
        token[:-1],
        token + "x",
        token.removeprefix("pis_"),
        token + "\0",
        "pis_\udcff",
    ):
        assert await worker.platform.principals.of_token(wrong) is None


async def test_an_ended_session_is_rejected_on_every_worker_by_the_next_request(
    worker: Worker, ada: User
) -> None:
    here, there = worker.platform.principals, another_worker(worker)
    token = await worker.session_of(ada)
    principal = await here.of_token(token)
    assert principal is not None
    assert principal.session_id is not None
    assert await there.of_token(token) == principal
    await worker.platform.sessions.end(ada.id, principal.session_id, CONSOLE)
    assert await here.of_token(token) is None
    assert await there.of_token(token) is None
    with pytest.raises(NotFound):
        await worker.platform.sessions.end(ada.id, principal.session_id, CONSOLE)


async def test_no_user_ends_or_sees_the_session_of_another(worker: Worker, ada: User) -> None:
    token = await worker.session_of(ada)
    principal = await worker.platform.principals.of_token(token)
    assert principal is not None
    assert principal.session_id is not None
    with pytest.raises(NotFound):
        await worker.platform.sessions.end(uuid4(), principal.session_id, CONSOLE)
    assert (await worker.platform.sessions.list(uuid4(), PageRequest())).items == []
    assert await worker.platform.principals.of_token(token) is not None


async def test_use_slides_the_end_but_never_beyond_the_absolute_one(worker: Worker, ada: User) -> None:
    token = await worker.session_of(ada)

    async def use() -> timedelta:
        worker.generations.bump("sessions")
        await worker.platform.principals.of_token(token)
        await worker.platform.background.drain()
        left: timedelta = await worker.database.fetchval("SELECT expires_at - now() FROM admin_sessions")
        return left

    hour = "expires_at = now() + interval '1 hour'"
    await worker.database.execute(f"UPDATE admin_sessions SET {hour}")
    assert await use() <= timedelta(hours=1)  # seen less than a minute ago: nothing is written
    await worker.database.execute("UPDATE admin_sessions SET last_seen_at = now() - interval '61 seconds'")
    assert await use() > timedelta(hours=23)
    await worker.database.execute(
        f"UPDATE admin_sessions SET {hour}, ends_at = now() + interval '2 hours',"
        " last_seen_at = now() - interval '61 seconds'"
    )
    assert timedelta(hours=1) < await use() <= timedelta(hours=2)


async def test_a_long_ttl_ends_with_the_absolute_limit(worker: Worker, ada: User) -> None:
    sessions = Sessions(worker.database, worker.changes, ttl=timedelta(days=365))
    opened = await sessions.open(ada.id, "ada", "owner", CONSOLE)
    assert opened.expires_at - datetime.now(UTC) <= ABSOLUTE


async def test_an_expired_session_is_rejected_also_from_memory(
    worker: Worker, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await worker.session_of(ada)
    expire = "UPDATE admin_sessions SET expires_at = now() + $1, last_seen_at = now()"
    await worker.database.execute(expire, timedelta(hours=1))
    assert await worker.platform.principals.of_token(token) is not None
    # No write is announced: only the end that was kept in memory can tell.
    await worker.database.execute(expire, timedelta(0))
    an_hour_later(monkeypatch)
    assert await worker.platform.principals.of_token(token) is None


async def test_a_session_in_memory_needs_no_database_until_something_changed(
    worker: Worker, ada: User
) -> None:
    token = await worker.session_of(ada)
    await worker.platform.principals.of_token(token)
    await worker.database.close()
    assert await worker.platform.principals.of_token(token) is not None
    worker.generations.bump("sessions")
    with pytest.raises(Unavailable):
        await worker.platform.principals.of_token(token)


async def test_one_session_too_many_ends_the_one_that_was_not_used_for_the_longest_time(
    worker: Worker, ada: User
) -> None:
    sessions = Sessions(worker.database, worker.changes, max_sessions=3)
    there = another_worker(worker)

    async def opened() -> tuple[str, UUID]:
        token = (await sessions.open(ada.id, "ada", "owner", CONSOLE)).token
        principal = await there.of_token(token)
        assert principal is not None
        assert principal.session_id is not None
        return token, principal.session_id

    first, second, third = [await opened() for _ in range(3)]
    await worker.database.execute("UPDATE admin_sessions SET last_seen_at = now() - interval '10 seconds'")
    seen = "UPDATE admin_sessions SET last_seen_at = now() - interval '30 seconds' WHERE id = $1"
    await worker.database.execute(seen, second[1])
    fourth = await opened()
    left = {token: await there.of_token(token) is not None for token, _ in (first, second, third, fourth)}
    assert list(left.values()) == [True, False, True, True]  # on another worker, with the next request
    told = await worker.database.fetchrow("SELECT * FROM audit_log WHERE action = 'session.displace'")
    assert told is not None
    assert (told["user_id"], told["target"]) == (ada.id, str(fourth[1]))
    assert told["before"] == {"sessions": [str(second[1])]}
    over = "UPDATE admin_sessions SET expires_at = now() WHERE id = $1"
    await worker.database.execute(over, first[1])
    await opened()
    assert await there.of_token(third[0]) is not None  # what is over goes first


async def test_concurrent_logins_keep_the_limit_of_sessions(worker: Worker, ada: User) -> None:
    sessions = Sessions(worker.database, worker.changes, max_sessions=3)
    bob = await worker.person("bob")
    token = await worker.session_of(bob)
    await asyncio.gather(*(sessions.open(ada.id, "ada", "owner", CONSOLE) for _ in range(20)))
    count = "SELECT count(*) FROM admin_sessions WHERE user_id = $1"
    assert await worker.database.fetchval(count, ada.id) == 3
    assert await worker.platform.principals.of_token(token) is not None


async def test_a_session_is_listed_with_where_it_came_from_and_what_the_client_called_itself(
    worker: Worker, ada: User
) -> None:
    strange = "Mozilla \udcff \0" + "x" * 1000
    for agent in ("curl", strange):
        await worker.platform.sessions.open(ada.id, "ada", "owner", CONSOLE, user_agent=agent)
    first, second = (await worker.platform.sessions.list(ada.id, PageRequest())).items
    assert (first.user_agent, first.address) == ("curl", "")
    assert second.user_agent.startswith("Mozilla \ufffd \ufffdxxx")
    assert len(second.user_agent) == MAX_USER_AGENT
    page = await worker.platform.sessions.list(ada.id, PageRequest(1))
    assert page.items == [first]
    assert page.next_cursor is not None


async def test_no_session_is_opened_after_a_change_in_the_meantime(worker: Worker, ada: User) -> None:
    sessions = worker.platform.sessions
    stored = await worker.database.fetchval("SELECT password_hash FROM admin_users")
    await sessions.open(ada.id, "ada", "owner", CONSOLE, password_hash=stored)
    await worker.platform.accounts.update("ada", {"password": "battery staple"}, CONSOLE)
    with pytest.raises(Unauthenticated):
        await sessions.open(ada.id, "ada", "owner", CONSOLE, password_hash=stored)
    await worker.person("bob", "owner")
    await worker.platform.accounts.update("ada", {"is_active": False}, CONSOLE)
    with pytest.raises(Unauthenticated):
        await sessions.open(ada.id, "ada", "owner", CONSOLE)


@pytest.mark.parametrize("change", [{"password": "battery staple"}, {"is_active": False}])
async def test_a_log_in_at_the_time_of_a_change_never_outlives_it(
    worker: Worker, ada: User, change: dict[str, object]
) -> None:
    await worker.person("root", "owner")
    nobody = CONSOLE
    for _ in range(10):
        await worker.platform.accounts.update("ada", {"password": PASSWORD, "is_active": True}, CONSOLE)
        answers = await asyncio.gather(
            *(worker.platform.log_in.log_in("ada", PASSWORD, nobody) for _ in range(3)),
            worker.platform.accounts.update("ada", change, CONSOLE),  # type: ignore[arg-type]
            return_exceptions=True,
        )
        assert not isinstance(answers[-1], BaseException)
        for answer in answers[:-1]:
            if not isinstance(answer, BaseException):
                assert await worker.platform.principals.of_token(answer.session.token) is None
        await worker.database.execute("DELETE FROM login_attempts")


async def test_a_change_that_fails_changes_nothing_but_is_announced(worker: Worker, ada: User) -> None:
    before = worker.generations.current("users")

    async def failing() -> None:
        async with worker.changes.transaction("users") as connection:
            await connection.execute("DELETE FROM admin_users")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await failing()
    assert await worker.platform.setup.is_complete()
    assert worker.generations.current("users") != before
