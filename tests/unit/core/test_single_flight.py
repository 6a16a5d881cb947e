"""Promises of core/single_flight.py."""

from __future__ import annotations

import asyncio

import pytest

from picloud.core.errors import NotFound, Unavailable
from picloud.core.single_flight import SingleFlight
from tests.workbench import until, until_waiting


class Shelf:
    """Something that is read, at the test's pace."""

    def __init__(self) -> None:
        self.flights: SingleFlight[str] = SingleFlight()
        self.known: str | None = None
        self.reads = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def get(self) -> str:
        return await self.flights.get("key", lambda: self.known, self.read)

    async def read(self) -> str:
        self.reads += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.known = "read"
        return self.known


async def test_concurrent_callers_share_one_read() -> None:
    shelf = Shelf()
    asking = [asyncio.create_task(shelf.get()) for _ in range(50)]
    await until_waiting(asking)
    shelf.gate.set()
    assert await asyncio.gather(*asking) == ["read"] * 50
    assert await shelf.get() == "read"
    assert shelf.reads == 1


async def test_all_waiters_continue_in_the_same_loop_iteration() -> None:
    shelf = Shelf()
    reader, *waiting = [asyncio.create_task(shelf.get()) for _ in range(50)]
    await until_waiting([reader, *waiting])
    shelf.gate.set()
    await until(waiting[0].done)
    assert all(task.done() for task in waiting)


async def test_a_caller_without_a_usable_result_reads_again() -> None:
    shelf = Shelf()
    first, second = asyncio.create_task(shelf.get()), asyncio.create_task(shelf.get())
    await until_waiting([first, second])

    async def read() -> str:
        shelf.reads += 1
        return "stale"

    shelf.gate.set()
    await first
    shelf.known = None  # written while it was read
    shelf.read = read  # type: ignore[method-assign]
    assert await second == "read"
    assert shelf.reads == 2


async def test_a_cancelled_reader_leaves_the_read_to_the_next() -> None:
    shelf = Shelf()
    first, second = asyncio.create_task(shelf.get()), asyncio.create_task(shelf.get())
    await until_waiting([first, second])
    first.cancel()
    shelf.gate.set()
    assert await second == "read"
    assert first.cancelled()
    assert shelf.reads == 2
    assert not shelf.flights._under_way


async def test_a_cancelled_waiter_does_not_disturb_others() -> None:
    shelf = Shelf()
    asking = [asyncio.create_task(shelf.get()) for _ in range(3)]
    await until_waiting(asking)
    asking[1].cancel()
    shelf.gate.set()
    assert await asking[0] == await asking[2] == "read"
    assert shelf.reads == 1


async def test_a_failed_read_fails_all_waiters_and_is_retried() -> None:
    shelf = Shelf()
    shelf.error = Unavailable()
    asking = [asyncio.create_task(shelf.get()) for _ in range(20)]
    await until_waiting(asking)
    shelf.gate.set()
    assert all(
        isinstance(said, Unavailable) for said in await asyncio.gather(*asking, return_exceptions=True)
    )
    assert shelf.reads == 1
    shelf.error = None
    assert await shelf.get() == "read"


async def test_a_missing_value_is_looked_up_by_each_caller() -> None:
    """It may have been made after the first had looked."""
    shelf = Shelf()
    shelf.error = NotFound("script", "x")
    asking = [asyncio.create_task(shelf.get()) for _ in range(3)]
    await until_waiting(asking)
    shelf.gate.set()
    with pytest.raises(NotFound):
        await asking[0]
    shelf.error = None
    said = await asyncio.gather(*asking, return_exceptions=True)
    assert shelf.reads == 3 or said[2] == "read"
