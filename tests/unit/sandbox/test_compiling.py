"""Turns and budgets of compiling."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from picloud.core.errors import Overloaded, Throttled
from picloud.sandbox.compiling import AT_ONCE, SAVES_AT_ONCE, Compiling, Purpose
from tests.workbench import until_waiting

FLOOD, QUIET = UUID(int=1), UUID(int=2)


class Clock:
    now = 30.0

    def __call__(self) -> float:
        return self.now


class Compiles:
    """Compiles that last until they are released, in the order in which they began."""

    def __init__(self, compiling: Compiling, fuel: int = 1) -> None:
        self.compiling, self.fuel = compiling, fuel
        self.began: list[UUID] = []
        self.release = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, app_id: UUID, purpose: Purpose = "save", count: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._compile(app_id, purpose)) for _ in range(count)]

    async def _compile(self, app_id: UUID, purpose: Purpose) -> None:
        async with self.compiling.turn(app_id, purpose) as charge:
            self.began.append(app_id)
            await self.release.wait()
            charge(self.fuel)

    async def end(self) -> None:
        self.release.set()
        await asyncio.gather(*self.tasks)


async def test_a_flood_of_saves_of_one_app_delays_neither_other_apps_nor_its_own_first_runs() -> None:
    compiles = Compiles(Compiling())
    compiles.start(FLOOD, count=60)
    await until_waiting(compiles.tasks)
    compiles.start(QUIET)
    compiles.start(FLOOD, "execution")
    await until_waiting(compiles.tasks)
    assert sorted(compiles.began) == [FLOOD] * (AT_ONCE + 1) + [QUIET]
    await compiles.end()
    assert len(compiles.began) == 62


async def test_saves_of_all_apps_together_never_need_more_than_the_spare_slots() -> None:
    compiles = Compiles(Compiling())
    for app in range(40):
        compiles.start(UUID(int=app))
    await until_waiting(compiles.tasks)
    assert len(compiles.began) == SAVES_AT_ONCE
    await compiles.end()
    assert len(compiles.began) == 40


@pytest.mark.parametrize(("purpose", "error"), [("save", Throttled), ("execution", Overloaded)])
async def test_an_app_that_used_up_its_budget_is_refused_until_the_next_minute(
    purpose: Purpose, error: type[Exception]
) -> None:
    clock = Clock()
    compiles = Compiles(Compiling(100, clock), fuel=100)
    compiles.release.set()
    compiles.start(FLOOD, purpose)
    await compiles.end()
    with pytest.raises(error, match="budget for compiling") as refused:
        async with compiles.compiling.turn(FLOOD, purpose):
            pass
    assert refused.value.headers["Retry-After"] == ("30" if purpose == "save" else "1")  # type: ignore[attr-defined]
    compiles.start(QUIET, purpose)  # another app
    compiles.start(FLOOD, "execution" if purpose == "save" else "save")  # another purpose
    await compiles.end()
    clock.now += 30
    compiles.start(FLOOD, purpose)
    await compiles.end()
    assert len(compiles.began) == 4


async def test_compiles_that_wait_are_refused_when_those_before_them_use_up_the_budget() -> None:
    compiles = Compiles(Compiling(100), fuel=100)
    compiles.start(FLOOD, count=10)
    await until_waiting(compiles.tasks)
    compiles.release.set()
    ends = await asyncio.gather(*compiles.tasks, return_exceptions=True)
    assert sum(isinstance(end, Throttled) for end in ends) == 10 - AT_ONCE
