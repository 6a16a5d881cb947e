"""P6: memory of an execution that waits, of a cached script, of an idle app."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import ormsgpack
from benches.conftest import APP, LIMITS, invocation
from benches.memory import private_bytes

from picloud.execution.admission import Admission
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import SERVICES
from picloud.services.call_context import Call
from picloud.services.kv import service as kv
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.service import Local, local_functions

WAITING = 2000
# Ten functions of ten lines: about what a script of that length looks like.
HUNDRED_LINES = "\n".join(
    f"""fn orders_{i}(items, customer) {{
    let total = 0;
    for item in items {{
        if item.price > {i} {{
            total += item.price * item.count;
        }} else if customer.vip {{
            total += item.count;
        }}
    }}
    #{{ total: total, customer: `${{customer.name}} ({i})` }}
}}"""
    for i in range(9)
)


class SlowKeyValue(MemoryKeyValue):
    """kv whose answers come when the benchmark lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.everyone_waits = asyncio.Event()
        self.go = asyncio.Event()

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        self.waiting += 1
        if self.waiting == WAITING:
            self.everyone_waits.set()
        await self.go.wait()
        return ormsgpack.packb({"name": "bolt", "price": 21})


async def waiting_executions(folder: Path) -> float:
    """Bytes of each of `WAITING` executions that wait for the same slow host call."""
    slow, threads, engine = SlowKeyValue(), Threads(2), Engine(folder, WAITING + 8, 256)
    functions = local_functions(SERVICES, Local(), engine.interface) | kv.host_functions(slow)
    executor = Executor(
        Admission(WAITING, WAITING), Sandbox(engine, ImageCache(8, 8), threads, functions), None
    )
    slow.go.set()
    await executor.execute(invocation("kv_once"))
    slow.go.clear()
    slow.waiting = 0
    gc.collect()
    before = private_bytes()
    tasks = [asyncio.create_task(executor.execute(invocation("kv_once"))) for _ in range(WAITING)]
    await slow.everyone_waits.wait()
    each = (private_bytes() - before) / WAITING
    slow.go.set()
    outcomes = await asyncio.gather(*tasks)
    assert {outcome.code for outcome in outcomes} == {"ok"}
    threads.close()
    engine.close()
    return each


def test_p6_memory_per_waiting_execution(
    tmp_path: Path, loop: asyncio.AbstractEventLoop, report: Callable[[str, str, str], None]
) -> None:
    each = loop.run_until_complete(waiting_executions(tmp_path))
    report(f"P6 one of {WAITING} waiting executions", f"{each / 2**20:.3f} MiB", "<= 0.25 MiB")
    report("P6 waiting executions per GiB", f"{2**30 / each:,.0f}", ">= 4,000")


def test_p6_image_of_a_hundred_lines(
    executor: Executor, loop: asyncio.AbstractEventLoop, report: Callable[[str, str, str], None]
) -> None:
    script = ScriptVersion(
        APP, APP, 1, "hundred", "endpoint", f"{HUNDRED_LINES}\norders_1([], #{{ name: 1 }})".encode(), LIMITS
    )
    hundred = Invocation(APP, script, HttpCause("execute", "bench", ScriptRequest()))
    outcome = loop.run_until_complete(executor.execute(hundred))
    assert outcome.code == "ok", outcome
    image = executor.sandbox.cache.find(script.image_key)
    assert image is not None
    report("P6 image of a 100-line script", f"{image.size / 1024:.0f} KiB", "<= 64 KiB")
