"""Many executions: nothing grows; and many that wait at once: all finish, each for little memory."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from uuid import UUID

import psutil
import pytest

from picloud.core.errors import Overloaded
from picloud.execution.admission import Admission
from picloud.execution.executor import Executor
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import MIB
from picloud.sandbox.outcome import Outcome
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from tests.cache import machine_code
from tests.workbench import idle_functions, in_memory, invocation, script

pytestmark = pytest.mark.soak
ROUNDS, AT_ONCE = 100_000, 16
WAITING = 2_000

FINE = script("let a = []; for i in 0..20 { a.push(i * i); } #{ statusCode: 200, body: a }")
MIX = {
    "ok": FINE,
    "script_error": script('fn f(n) { if n == 0 { throw "no" } else { f(n - 1) } } f(20)'),
    "fuel_budget": script("let a = 0; loop { a += 1; }", max_fuel=300_000),
    "operation_budget": script("let a = 0; loop { a += 1; }", max_operations=1_000),
    "response_invalid": script("#{ statusCode: 99 }"),
    "memory_limit": script(
        'let s = "x"; s.pad(900000, "y"); let t = s + "z"; t.len()', memory_limit_mb=2, max_string_size=MIB
    ),
    "script_invalid": script("let x = ;"),
}
ENDLESS = script("loop { }", max_operations=10_000_000, max_fuel=50_000_000_000)
ODD = [code for code in MIX if code != "ok"]


def figures(process: psutil.Process) -> dict[str, int]:
    gc.collect()
    memory = process.memory_info()
    return {
        "rss": memory.rss,
        "address space": memory.vms,
        "handles": process.num_fds(),
        "threads": process.num_threads(),
        "tasks": len(asyncio.all_tasks()),
    }


async def drive(executor: Executor, rounds: int) -> dict[str, int]:
    """`rounds` executions, `AT_ONCE` at a time: one in twenty odd, one in two hundred cancelled."""
    counts: dict[str, int] = {}
    numbers = iter(range(rounds))

    async def one(number: int) -> str:
        if number % 200 == 7:
            task = asyncio.create_task(executor.execute(invocation(ENDLESS)))
            for _ in range(number // 200 % 9):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return "cancelled"
            raise AssertionError
        code = ODD[number // 20 % len(ODD)] if number % 20 == 3 else "ok"
        outcome = await executor.execute(invocation(MIX[code]))
        assert outcome.code == code, (code, outcome.error)
        return code

    async def worker() -> None:
        for number in numbers:
            code = await one(number)
            counts[code] = counts.get(code, 0) + 1
            if number % 8 == 0:
                await asyncio.sleep(0)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return counts


async def test_a_hundred_thousand_executions_leave_nothing_behind(
    record_property: Callable[[str, object], None],
) -> None:
    process, threads = psutil.Process(), Threads(2)
    engine = Engine(machine_code(), AT_ONCE + 8, 256)
    sandbox = Sandbox(engine, ImageCache(64, 16), threads, in_memory())
    executor = Executor(Admission(AT_ONCE, AT_ONCE), sandbox, None)
    await drive(executor, ROUNDS // 10)
    before = figures(process)
    counts = await drive(executor, ROUNDS)
    after = figures(process)
    for name in before:
        record_property(name, f"{before[name]:,} -> {after[name]:,}")
        print(f"{name}: {before[name]:,} -> {after[name]:,}")
    print(counts)
    assert sum(counts.values()) == ROUNDS
    assert counts["cancelled"] == ROUNDS // 200
    assert executor.admission.running == 0
    assert not engine.template._guests
    # A slot keeps up to 8 MiB resident from its largest guest so far, so this may still step up a few times;
    # a leak of 250 bytes an execution would go over.
    assert after["rss"] - before["rss"] < 24 * MIB
    assert after["address space"] - before["address space"] < 64 * MIB
    assert {name: after[name] for name in ("handles", "threads", "tasks")} == {
        name: before[name] for name in ("handles", "threads", "tasks")
    }
    threads.close()
    engine.close()


async def test_two_thousand_concurrent_executions_finish(
    record_property: Callable[[str, object], None],
) -> None:
    go, waiting, all_here = asyncio.Event(), 0, asyncio.Event()

    async def get(_call: object, *_params: object) -> bytes:
        nonlocal waiting
        waiting += 1
        if waiting == WAITING:
            all_here.set()
        await go.wait()
        return b"\x07"

    process, threads = psutil.Process(), Threads(2)
    engine = Engine(machine_code(), WAITING + 8, 256)
    sandbox = Sandbox(engine, ImageCache(64, 16), threads, idle_functions(kv_get=get))
    executor = Executor(Admission(WAITING, WAITING), sandbox, None)
    version = script('let n = kv::collection("c").get("k"); n + 1', timeout_seconds=300)
    await executor.execute(invocation(FINE))
    before = process.memory_info().rss
    tasks = [asyncio.create_task(executor.execute(invocation(version))) for _ in range(WAITING)]
    async with asyncio.timeout(200):
        await all_here.wait()
    each = (process.memory_info().rss - before) // WAITING
    record_property("bytes of memory per waiting execution", each)
    print(f"{each:,} bytes of memory per waiting execution")
    with pytest.raises(Overloaded):
        await executor.execute(invocation(version))
    go.set()
    outcomes: list[Outcome] = await asyncio.gather(*tasks)
    assert {outcome.code for outcome in outcomes} == {"ok"}
    assert {outcome.response.body for outcome in outcomes if outcome.response} == {b"8"}
    assert {outcome.figures.fuel for outcome in outcomes} == {outcomes[0].figures.fuel}
    assert len({id(outcome) for outcome in outcomes}) == WAITING
    assert executor.admission.running == 0
    assert not engine.template._guests
    assert each < MIB  # design: about 0.33 MB
    assert UUID(int=0) not in executor.admission._by_app
    threads.close()
    engine.close()
