"""Promises of identity/login.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from picloud.core.errors import Overloaded, PicloudError, Throttled, Unauthenticated
from picloud.db.pool import Database
from picloud.identity import passwords as passwords_module
from picloud.identity.actor import Actor
from tests.integration.conftest import CONSOLE, PASSWORD, Worker

NOBODY = Actor(None, "nobody", "192.0.2.1", "r1", "session.login")


def from_address(address: str) -> Actor:
    return replace(NOBODY, address=address)


async def test_a_user_logs_in_with_any_case_of_the_name(worker: Worker) -> None:
    made = await worker.person("Ada", "owner")
    done = await worker.platform.log_in.log_in("aDA", PASSWORD, NOBODY)
    assert done.user == replace(made, last_login_at=done.user.last_login_at)
    assert done.user.last_login_at is not None
    principal = await worker.platform.principals.of_token(done.session.token)
    assert principal is not None
    assert principal.user_id == made.id


async def test_each_log_in_has_a_token_of_its_own(worker: Worker) -> None:
    await worker.person("ada", "owner")
    done = [await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY) for _ in range(3)]
    assert len({one.session.token for one in done}) == 3


@pytest.mark.parametrize(
    "username", ["nobody", "", "a\0", "\u212aada", "ad\u0430", "x" * 5000, "\udcff", "ada "]
)
async def test_an_unknown_name_gets_the_response_of_a_wrong_password(worker: Worker, username: str) -> None:
    await worker.person("ada", "owner")
    with pytest.raises(Unauthenticated) as wrong:
        await worker.platform.log_in.log_in("ada", "a wrong guess", NOBODY)
    with pytest.raises(Unauthenticated) as unknown:
        await worker.platform.log_in.log_in(username, PASSWORD, NOBODY)
    assert (wrong.value.message, wrong.value.details) == (unknown.value.message, unknown.value.details)


async def test_an_inactive_user_cannot_log_in(worker: Worker) -> None:
    await worker.person("root", "owner")
    await worker.person("ada", "owner")
    await worker.platform.accounts.update("ada", {"is_active": False}, CONSOLE)
    with pytest.raises(Unauthenticated):
        await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY)


async def test_one_address_that_tries_many_names_is_slowed_down_and_others_are_not(worker: Worker) -> None:
    await worker.person("ada", "owner")
    for n in range(21):
        with pytest.raises(Unauthenticated):
            await worker.platform.log_in.log_in(f"name-{n}", "a wrong guess", from_address("2001:db8::1"))
    with pytest.raises(Throttled):
        await worker.platform.log_in.log_in("ada", PASSWORD, from_address("2001:db8::2"))
    await worker.platform.log_in.log_in("ada", PASSWORD, from_address("2001:db8:0:1::1"))


async def test_a_good_log_in_now_and_then_does_not_free_an_address_that_guesses(worker: Worker) -> None:
    await worker.person("eve")
    for n in range(20):
        with pytest.raises(Unauthenticated):
            await worker.platform.log_in.log_in(f"name-{n}", "a wrong guess", NOBODY)
    await worker.platform.log_in.log_in("eve", PASSWORD, NOBODY)
    with pytest.raises(Unauthenticated):
        await worker.platform.log_in.log_in("name", "a wrong guess", NOBODY)
    with pytest.raises(Throttled):
        await worker.platform.log_in.log_in("name", "a wrong guess", NOBODY)


async def test_an_account_is_slowed_down_wherever_the_guesses_come_from(worker: Worker) -> None:
    await worker.person("ada", "owner")
    for n in range(6):
        with pytest.raises(Unauthenticated):
            await worker.platform.log_in.log_in("ADA", "a wrong guess", from_address(f"192.0.2.{n}"))
    with pytest.raises(Throttled):
        await worker.platform.log_in.log_in("ada", PASSWORD, from_address("198.51.100.1"))


async def _guess(worker: Worker, *addresses: str) -> None:
    for address in addresses:
        with pytest.raises(Unauthenticated):
            await worker.platform.log_in.log_in("ada", "a wrong guess", from_address(address))


async def test_guesses_from_elsewhere_do_not_block_a_recent_address(
    worker: Worker,
) -> None:
    await worker.person("ada", "owner")
    log_in = worker.platform.log_in.log_in
    await log_in("ada", PASSWORD, from_address("2001:db8::1"))
    await _guess(worker, *(f"192.0.2.{n}" for n in range(6)))
    for name in ("ada", "ADA"):
        await log_in(name, PASSWORD, from_address("2001:db8::2"))  # of the same network
    with pytest.raises(Throttled):
        await log_in("ada", PASSWORD, from_address("2001:db8:0:1::1"))
    await worker.database.execute("UPDATE login_sources SET last_at = last_at - interval '31 days'")
    with pytest.raises(Throttled):
        await log_in("ada", PASSWORD, from_address("2001:db8::1"))


async def test_where_someone_logged_in_from_guesses_are_slowed_down_too_and_for_that_account_only(
    worker: Worker,
) -> None:
    await worker.person("ada", "owner")
    await worker.person("eve")
    log_in = worker.platform.log_in.log_in
    for name in ("ada", "eve"):
        await log_in(name, PASSWORD, NOBODY)
    await _guess(worker, *[NOBODY.address] * 6)
    with pytest.raises(Throttled):
        await log_in("ada", PASSWORD, NOBODY)
    await log_in("eve", PASSWORD, NOBODY)
    await log_in("ada", PASSWORD, from_address("198.51.100.1"))


async def test_a_log_in_from_a_known_place_gives_no_new_guesses_to_others(worker: Worker) -> None:
    await worker.person("ada", "owner")
    log_in = worker.platform.log_in.log_in
    await log_in("ada", PASSWORD, NOBODY)
    await _guess(worker, *(f"198.51.100.{n}" for n in range(6)))
    await log_in("ada", PASSWORD, NOBODY)
    with pytest.raises(Throttled):
        await log_in("ada", "a wrong guess", from_address("198.51.100.9"))


async def test_of_where_someone_logged_in_from_only_a_hash_is_kept_and_of_failures_nothing(
    worker: Worker,
) -> None:
    await worker.person("ada", "owner")
    await _guess(worker, "198.51.100.1")
    assert await worker.database.fetchval("SELECT count(*) FROM login_sources") == 0
    await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY)
    (row,) = await worker.database.fetch("SELECT s::text, length(key) AS length FROM login_sources s")
    assert row["length"] == 32
    assert "ada" not in row["s"]
    assert "192.0.2" not in row["s"]


async def test_a_throttled_attempt_is_not_a_guess(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.person("ada", "owner")
    with monkeypatch.context() as patched:
        patched.setattr(passwords_module, "MAX_WAITING", 0)
        for _ in range(30):
            with pytest.raises(Overloaded):
                await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY)
    await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY)


async def test_a_hash_of_older_parameters_is_renewed_at_login_also_at_several_at_once(worker: Worker) -> None:
    await worker.person("ada", "owner")
    older = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    await worker.database.execute("UPDATE admin_users SET password_hash = $1", older)
    done = await asyncio.gather(*(worker.platform.log_in.log_in("ada", PASSWORD, NOBODY) for _ in range(4)))
    assert len(done) == 4
    assert "t=1" in await worker.database.fetchval("SELECT password_hash FROM admin_users")
    await worker.platform.log_in.log_in("ada", PASSWORD, NOBODY)


async def test_a_failure_is_written_down_for_accounts_that_exist_and_never_what_was_typed(
    worker: Worker,
) -> None:
    ada = await worker.person("Ada", "owner")
    for username, password in (("ada", "my secret guess"), ("my password in the name field", "x" * 12)):
        with pytest.raises(Unauthenticated):
            await worker.platform.log_in.log_in(username, password, NOBODY)
    await worker.platform.background.drain()
    rows = await worker.database.fetch("SELECT * FROM audit_log WHERE outcome = 'refused'")
    (row,) = rows
    assert (row["username"], row["user_id"], row["target"], row["reason"]) == (
        "Ada",
        None,
        str(ada.id),
        "unauthenticated",
    )
    assert (row["action"], row["address"]) == ("session.login", "192.0.2.1")
    everything = await worker.database.fetchval(
        "SELECT (SELECT string_agg(a::text, '') FROM audit_log a)"
        " || (SELECT string_agg(l::text, '') FROM login_attempts l)"
    )
    assert "secret guess" not in everything
    assert "my password" not in everything


class Work:
    """What a log-in does: statements in their order, and passwords that are checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        for name in ("execute", "fetch", "fetchrow", "fetchval"):
            monkeypatch.setattr(Database, name, self._noting(getattr(Database, name)))
        verify = PasswordHasher.verify

        def noting(hasher: PasswordHasher, stored: str, password: str) -> Any:
            self.done.append("argon2 " + stored.rpartition("$")[0].rpartition("$")[0])  # with its parameters
            return verify(hasher, stored, password)

        monkeypatch.setattr(PasswordHasher, "verify", noting)

    def _noting(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def noting(database: Database, statement: str, *values: Any) -> Any:
            self.done.append(statement)
            return await method(database, statement, *values)

        return noting


async def test_a_rejected_login_does_the_same_work_for_every_name(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.person("ada", "owner")
    await worker.person("ida")
    await worker.platform.accounts.update("ida", {"is_active": False}, CONSOLE)
    work = Work(monkeypatch)

    async def works(username: str, password: str, address: str, refusal: type[PicloudError]) -> list[str]:
        work.done.clear()
        with pytest.raises(refusal):
            await worker.platform.log_in.log_in(username, password, from_address(address))
        await worker.platform.background.drain()
        return list(work.done)

    each = (("ada", "a wrong guess"), ("ida", PASSWORD), ("eve", "a wrong guess"))
    attempts = [
        [await works(name, password, "192.0.2.1", Unauthenticated) for name, password in each]
        for _ in range(6)
    ]
    expected = attempts[0][0]
    assert [one.startswith("argon2") for one in expected].count(True) == 1
    assert [[one == expected for one in three] for three in attempts] == [[True] * 3] * 6
    await worker.database.execute("UPDATE login_attempts SET not_before = now() + interval '1 minute'")
    for address in ("192.0.2.1", "198.51.100.1"):
        throttled = [await works(name, password, address, Throttled) for name, password in each]
        assert throttled[0] == throttled[1] == throttled[2]
        assert not any(one.startswith("argon2") for one in throttled[0])
