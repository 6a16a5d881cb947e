"""Scripts that grow, within one budget for all guests of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest

from picloud.sandbox import memory as guest_memory
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import MIB
from picloud.sandbox.memory import GuestMemory
from tests.workbench import Workbench, script, until, value

BUSY, QUIET = UUID(int=1), UUID(int=2)
# Rhai bounds the size of a value with all it holds, so the memory is that of many variables.
GROW = """
fn grow(n) {
    let s = "x";
    s.pad(1900, "x");
    for i in 0..9 { s += s; }
    if n > 1 { grow(n - 1) + s.len() - 972799 } else { 1 }
}
grow(40)"""
LARGE = {"max_string_size": 1_000_000, "max_call_levels": 128}
LIGHT = "let a = []; for i in 0..10 { a.push(i * i); } a.len()"


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    workbench = Workbench(engine, memory=GuestMemory(192 * MIB, 96 * MIB))
    yield workbench
    assert workbench.alive == 0
    assert workbench.memory is not None
    assert workbench.memory.used == 0
    workbench.close()


def memory_of(workbench: Workbench) -> GuestMemory:
    assert workbench.memory is not None
    return workbench.memory


def held(workbench: Workbench) -> int:
    """Linear memory of all guests that live, in bytes."""
    return sum(guest.memory_size() for guest in workbench.engine.template._guests.values())


async def test_a_script_grows_to_its_limit_and_no_further(workbench: Workbench) -> None:
    assert value(await workbench.run(GROW, memory_limit_mb=96, **LARGE)) == 40
    outcome = await workbench.run(GROW, memory_limit_mb=32, **LARGE)
    assert outcome.code == "memory_limit"
    assert 28 * MIB < outcome.figures.peak_memory_bytes <= 32 * MIB


async def test_a_script_that_may_have_more_than_there_is_ends_as_memory_limit(workbench: Workbench) -> None:
    outcome = await workbench.run(GROW.replace("(40)", "(120)"), memory_limit_mb=256, **LARGE)
    assert outcome.code == "memory_limit"
    assert outcome.figures.peak_memory_bytes <= 96 * MIB


async def test_many_scripts_that_grow_stay_within_the_budget_and_others_start(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_memory, "WAIT_SECONDS", 60)  # so that the last one ends for sure
    apps = (BUSY, UUID(int=3), UUID(int=4))
    flood = [
        asyncio.create_task(workbench.run(script(GROW, app=apps[n % 3], memory_limit_mb=256, **LARGE)))
        for n in range(20)
    ]
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while not all(task.done() for task in flood):
            peak = max(peak, held(workbench))
            assert held(workbench) <= memory_of(workbench).used <= 192 * MIB
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await until(lambda: memory_of(workbench).used > 100 * MIB)
    assert value(await workbench.run(script(LIGHT, app=QUIET))) == 10
    outcomes = await asyncio.gather(*flood)
    await watching
    assert {outcome.code for outcome in outcomes} <= {"ok", "overloaded"}
    assert any(outcome.code == "ok" for outcome in outcomes)
    assert peak > 100 * MIB
    denied = [outcome for outcome in outcomes if outcome.code == "overloaded"]
    assert all("memory for scripts is in use" in str(outcome.error) for outcome in denied)


async def test_freed_guests_keep_little_memory_and_after_a_while_none(workbench: Workbench) -> None:
    freed = workbench.engine._engine.freed
    await asyncio.gather(*(workbench.run(GROW, memory_limit_mb=24, **LARGE) for _ in range(4)))
    assert 0 < freed.bytes <= freed._max_bytes
    freed._clock = lambda: float("inf")
    workbench.engine.release_idle()
    assert freed.bytes == 0
    assert (
        value(await workbench.run(GROW, memory_limit_mb=96, **LARGE)) == 40
    )  # a slot that was given back is clean
