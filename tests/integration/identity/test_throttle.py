"""Promises of identity/throttle.py; time passes by moving the rows back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from picloud.core.errors import Throttled, Unavailable
from picloud.db.pool import Database
from picloud.identity.throttle import FORGET, Throttle


async def wait_of(throttle: Throttle, who: str = "ada") -> int:
    """Seconds to wait, or 0 when the attempt counts."""
    try:
        await throttle.attempt(who)
    except Throttled as error:
        return int(error.headers["Retry-After"])
    return 0


async def later(database: Database, passed: timedelta) -> None:
    await database.execute(
        "UPDATE login_attempts SET not_before = not_before - $1::interval, last_at = last_at - $1::interval",
        passed,
    )


async def test_waits_double_up_to_the_longest_and_end(database: Database) -> None:
    throttle = Throttle(database, "account", free=2, longest_seconds=40)
    assert [await wait_of(throttle) for _ in range(3)] == [0, 0, 0]
    waits = []
    for _ in range(8):
        waits.append(wait := await wait_of(throttle))
        await later(database, timedelta(seconds=wait))
        assert await wait_of(throttle) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 40, 40]


async def test_a_rejected_attempt_does_not_extend_the_wait(database: Database) -> None:
    throttle = Throttle(database, "account", free=0, longest_seconds=60)
    await throttle.attempt("ada")
    assert {await wait_of(throttle) for _ in range(20)} <= {0, 1}
    assert await database.fetchval("SELECT count FROM login_attempts") <= 2


async def test_attempts_count_before_they_fail_so_that_many_at_once_do_not_slip_through(
    database: Database,
) -> None:
    workers = [Throttle(database, "account", free=5, longest_seconds=60) for _ in range(4)]
    waits = await asyncio.gather(*(wait_of(workers[n % 4]) for n in range(100)))
    assert waits.count(0) in (6, 7)  # on a slow machine the first wait may be over


async def test_those_that_are_free_are_free_also_at_once(database: Database) -> None:
    throttle = Throttle(database, "account", free=5, longest_seconds=60)
    for n in range(40):
        assert await asyncio.gather(*(wait_of(throttle, f"ada{n}") for _ in range(5))) == [0] * 5


async def test_success_and_time_forget(database: Database) -> None:
    throttle = Throttle(database, "account", free=1, longest_seconds=60)
    await throttle.attempt("ada")
    await throttle.reset("ada")
    await throttle.attempt("ada")
    await throttle.attempt("ada")
    assert await wait_of(throttle) == 1
    await later(database, FORGET + timedelta(seconds=1))
    assert [await wait_of(throttle), await wait_of(throttle)] == [0, 0]


async def test_an_attempt_that_was_not_a_guess_is_undone(database: Database) -> None:
    throttle = Throttle(database, "address", free=1, longest_seconds=60)
    await throttle.attempt("192.0.2.1")
    await throttle.attempt("192.0.2.1")
    await throttle.uncount("192.0.2.1")
    assert await wait_of(throttle, "192.0.2.1") == 0
    assert await wait_of(throttle, "192.0.2.1") == 1


async def test_accounts_and_kinds_do_not_disturb_each_other(database: Database) -> None:
    one, other = (Throttle(database, kind, free=0, longest_seconds=60) for kind in ("account", "address"))
    await one.attempt("ada")
    await one.attempt("grace")
    await other.attempt("ada")
    with pytest.raises(Throttled):
        await one.attempt("ada")


async def test_no_name_is_stored_as_it_was_typed(database: Database) -> None:
    await Throttle(database, "account", 5, 60).attempt("hunter2hunter2")
    (row,) = await database.fetch("SELECT l::text, length(key) AS length FROM login_attempts l")
    assert "hunter2" not in row["l"]
    assert row["length"] == 32


async def test_without_a_database_no_attempt_is_allowed(database: Database) -> None:
    throttle = Throttle(database, "account", 5, 60)
    await database.close()
    with pytest.raises(Unavailable):
        await throttle.attempt("ada")
