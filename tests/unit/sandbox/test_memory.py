"""The memory of guests of a worker: reservations, waiting, shares."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import pytest

from picloud.core.errors import Overloaded
from picloud.sandbox import memory as guest_memory
from picloud.sandbox.memory import GuestMemory, Reservation
from tests.workbench import until_waiting

MIB = 1024 * 1024
BUSY, QUIET = UUID(int=1), UUID(int=2)


async def start(memory: GuestMemory, app_id: UUID = BUSY, size: int = 2 * MIB) -> Reservation:
    reservation = memory.start(app_id, size, 256 * MIB)
    if not reservation.size:
        await memory.wait(reservation, time.monotonic() + 60)
    return reservation


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_memory, "WAIT_SECONDS", 0.05)


async def test_all_reservations_together_stay_within_the_budget_and_all_is_returned() -> None:
    memory = GuestMemory(64 * MIB)
    held = [await start(memory) for _ in range(10)]
    for one in held:
        while memory.grow_now(one, one.size + MIB):
            assert memory.used == sum(one.size for one in held) <= 48 * MIB
    assert memory.used > 46 * MIB
    for one in held:
        one.end()
        one.end()
    assert memory.used == 0


async def test_growth_leaves_the_last_quarter_to_executions_that_start() -> None:
    memory = GuestMemory(64 * MIB)
    large = await start(memory)
    while memory.grow_now(large, large.size + MIB):
        pass
    assert memory.used == 48 * MIB
    started = [await start(memory, QUIET, MIB) for _ in range(10)]
    assert all(one.size == MIB * 3 // 2 for one in started)
    with pytest.raises(Overloaded, match="memory for scripts is in use"):
        await memory.grow(started[0], 2 * MIB, time.monotonic() + 60)
    with pytest.raises(Overloaded):
        await start(memory, QUIET)


async def test_an_app_holds_no_more_than_its_share() -> None:
    memory = GuestMemory(64 * MIB, 32 * MIB)
    large = await start(memory)
    assert large.limit == 32 * MIB
    while memory.grow_now(large, large.size + MIB):
        pass
    assert memory.used == 32 * MIB
    with pytest.raises(Overloaded):
        await start(memory)
    other = await start(memory, QUIET)
    assert memory.grow_now(other, 8 * MIB)


async def test_a_limit_below_the_first_reservation_is_kept() -> None:
    memory = GuestMemory(64 * MIB)
    small = memory.start(BUSY, MIB, MIB + 4096)
    assert (small.size, small.limit) == (MIB + 4096, MIB + 4096)
    assert not memory.grow_now(small, 2 * MIB)


async def test_who_waits_gets_memory_when_it_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_memory, "WAIT_SECONDS", 60)
    memory = GuestMemory(8 * MIB)
    held = [await start(memory) for _ in range(3)]
    starting = asyncio.create_task(start(memory, QUIET))
    growing = asyncio.create_task(memory.grow(held[0], 4 * MIB, time.monotonic() + 60))
    await until_waiting([starting, growing])
    held[1].end()
    await starting
    assert not growing.done()
    held[2].end()
    starting.result().end()
    await growing
    assert (held[0].size, memory.used) == (4 * MIB, 4 * MIB)


async def test_who_gives_up_waiting_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_memory, "WAIT_SECONDS", 60)
    memory = GuestMemory(4 * MIB)
    held = await start(memory)
    waiting = asyncio.create_task(start(memory, QUIET))
    await until_waiting([waiting])
    held.end()  # in the same turn of the loop in which it is cancelled
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert memory.used == 0


async def test_no_one_waits_longer_than_until_the_deadline() -> None:
    memory = GuestMemory(2 * MIB)
    await start(memory, size=MIB)
    with pytest.raises(Overloaded):
        await memory.wait(memory.start(QUIET, MIB, MIB), time.monotonic() - 1)


@pytest.mark.parametrize("apps", [[BUSY] * 6, [UUID(int=number) for number in range(6)]])
async def test_executions_never_all_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, apps: list[UUID]
) -> None:
    monkeypatch.setattr(guest_memory, "WAIT_SECONDS", 60)
    memory = GuestMemory(64 * MIB)
    held = [await start(memory, app, 7 * MIB + MIB // 2) for app in apps]  # all of the part for growth
    growing = [asyncio.create_task(memory.grow(one, 9 * MIB, time.monotonic() + 60)) for one in held]
    await until_waiting(growing)
    assert [task.done() for task in growing] == [False] * 3 + [True] + [False] * 2  # the newest of four
    assert isinstance(growing[3].exception(), Overloaded)
    held[3].end()
    await asyncio.gather(*growing[:3], *growing[4:])
    assert [one.size // MIB for one in held] == [9, 9, 9, 0, 9, 9]
    assert memory.ending == 0
