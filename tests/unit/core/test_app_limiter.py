"""Promises of core/app_limiter.py."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from picloud.core.app_limiter import AppLimiter
from tests.workbench import until, until_waiting

LOUD, QUIET = UUID(int=1), UUID(int=2)


async def test_an_app_that_wants_much_does_not_keep_others_waiting() -> None:
    turns, order = AppLimiter(2, 3), list[UUID]()
    ends = asyncio.Event()

    async def take(app_id: UUID) -> None:
        async with turns.slot(app_id):
            order.append(app_id)
            await ends.wait()

    tasks = [asyncio.create_task(take(LOUD)) for _ in range(50)]
    await until(lambda: len(order) == 2)
    tasks += [asyncio.create_task(take(QUIET)) for _ in range(2)]
    await until(lambda: len(order) == 3)
    assert order == [LOUD, LOUD, QUIET]
    ends.set()
    await asyncio.gather(*tasks)
    assert QUIET in order[3:6]


@pytest.mark.parametrize("of_all", [None, 1])
async def test_a_cancelled_waiter_takes_no_slot(of_all: int | None) -> None:
    turns = AppLimiter(1, of_all)
    ends = asyncio.Event()

    async def take(app_id: UUID) -> UUID:
        async with turns.slot(app_id):
            await ends.wait()
        return app_id

    first = asyncio.create_task(take(LOUD))
    waiting = [asyncio.create_task(take(app_id)) for app_id in (LOUD, QUIET, QUIET)]
    await until_waiting([first, *waiting])
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    ends.set()
    assert await first == LOUD
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(take(app_id) for app_id in (LOUD, QUIET))) == [LOUD, QUIET]


async def test_started_work_is_finished_after_a_cancellation() -> None:
    turns, ends = AppLimiter(1, 1), asyncio.Event()
    done: list[str] = []

    async def work(name: str) -> None:
        await ends.wait()
        done.append(name)

    first = asyncio.create_task(turns.run_to_completion(LOUD, lambda: work("first")))
    await until(lambda: bool(turns._working))
    never = asyncio.create_task(turns.run_to_completion(QUIET, lambda: work("never")))
    await until_waiting([never])
    for task in (first, never):
        task.cancel()
    await asyncio.gather(first, never, return_exceptions=True)
    assert done == []
    ends.set()
    await turns.drain()
    assert done == ["first"]
    await turns.run_to_completion(QUIET, lambda: work("last"))
    assert done == ["first", "last"]
