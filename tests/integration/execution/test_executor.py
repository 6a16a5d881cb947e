"""The executor with a real guest: one way for requests, events and calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from picloud.core.errors import Overloaded
from picloud.execution.admission import Admission
from picloud.execution.cause import CallCause, Cause, EventCause, HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation
from picloud.identity.principal import Principal
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.call_context import Call
from tests.workbench import NOBODY, in_memory, script, value

EVENT = EventCause(
    UUID(int=3),
    "docs",
    "create",
    1,
    datetime(2026, 1, 31, tzinfo=UTC),
    {"id": "d", "data": {"n": 1, "b": b"12"}},
)
REQUEST = HttpCause("execute", "r", ScriptRequest())
ROOT, PARENT = UUID(int=0xA), UUID(int=0xB)


class Host:
    """Host functions of which `random_bytes` keeps its call and waits until it may go on."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.entered, self.goes_on = asyncio.Semaphore(0), asyncio.Event()
        self.goes_on.set()

    async def random_bytes(self, call: Call, count: int) -> bytes:
        self.calls.append(call)
        self.entered.release()
        await self.goes_on.wait()
        return bytes(count)


@pytest.fixture
async def host() -> Host:
    return Host()


@pytest.fixture
async def executor(engine: Engine, host: Host) -> AsyncIterator[Executor]:
    threads = Threads(2)
    functions = in_memory() | {"random_bytes": host.random_bytes}
    sandbox = Sandbox(engine, ImageCache(16, 16), threads, functions)
    yield Executor(Admission(2, 2, {"event": 1}), sandbox, None)
    threads.close()


def invocation(source: str, cause: Cause, **more: object) -> Invocation:
    return Invocation(uuid7(), script(source), cause, **more)  # type: ignore[arg-type]


async def test_a_script_reads_its_event(executor: Executor) -> None:
    source = """
        [ctx.invocation_type, ctx.request.path, ctx.request.body, ctx.request.params, "event" in ctx,
         ctx.event.source, ctx.event.op, ctx.event.attempt, ctx.event.occurred_at,
         ctx.event.docs.data.n, ctx.event.docs.data.b.len()]"""
    assert value(await executor.execute(invocation(source, EVENT))) == [
        "event", "/trigger/docs", None, {}, True, "docs", "create", 1, "2026-01-31T00:00:00.000Z", 1, 2
    ]  # fmt: skip
    assert value(await executor.execute(invocation('"event" in ctx', REQUEST))) is False


async def test_a_called_script_reads_its_arguments(executor: Executor) -> None:
    called = invocation(
        "[ctx.invocation_type, ctx.args.n + 1, ctx.args.b.len(), ctx.request.path]",
        CallCause({"n": 1, "b": b"123"}),
    )
    assert value(await executor.execute(called)) == ["function", 2, 3, ""]


@pytest.mark.parametrize("cause", [REQUEST, EVENT, CallCause(())])
async def test_a_host_call_knows_the_execution_for_every_cause(
    executor: Executor, host: Host, cause: Cause
) -> None:
    principal = Principal(UUID(int=9), "ada", "owner")
    made = invocation("random::uuid()", cause, principal=principal, root=ROOT, parent=PARENT, depth=3)
    assert (await executor.execute(made)).code == "ok"
    (call,) = host.calls
    assert (call.app_id, call.script_id, call.execution_id) == (
        NOBODY,
        made.script.script_id,
        made.execution_id,
    )
    assert (call.principal, call.root_execution_id, call.parent, call.depth) == (principal, ROOT, PARENT, 3)


async def test_the_first_execution_of_a_chain_is_its_root(executor: Executor, host: Host) -> None:
    made = invocation("random::uuid()", REQUEST)
    await executor.execute(made)
    (call,) = host.calls
    assert (call.root_execution_id, call.parent, call.depth) == (made.execution_id, None, 0)


async def test_the_deadline_is_the_earlier_of_the_scripts_and_the_callers(
    executor: Executor, host: Host
) -> None:
    began = time.monotonic()
    await executor.execute(invocation("random::uuid()", REQUEST))
    await executor.execute(invocation("random::uuid()", CallCause(()), deadline=began + 20))
    await executor.execute(invocation("random::uuid()", CallCause(()), deadline=began + 1_000_000))
    own, callers, own_again = [call.deadline for call in host.calls]
    assert began + 30 <= own <= time.monotonic() + 30
    assert callers == began + 20
    assert own_again <= time.monotonic() + 30


async def test_a_called_script_ends_at_the_deadline_of_its_caller(executor: Executor, host: Host) -> None:
    host.goes_on.clear()
    made = invocation("random::uuid()", CallCause(()), deadline=time.monotonic() + 0.1)
    outcome = await executor.execute(made)
    assert (outcome.code, outcome.status) == ("timeout", 504)


async def test_events_leave_permits_to_requests(executor: Executor, host: Host) -> None:
    host.goes_on.clear()
    event = asyncio.create_task(executor.execute(invocation("random::uuid()", EVENT)))
    await host.entered.acquire()
    with pytest.raises(Overloaded):
        await executor.execute(invocation("1", EVENT))
    assert executor.admission.running_of("event") == 1
    assert value(await executor.execute(invocation("1", REQUEST))) == 1
    host.goes_on.set()
    assert (await event).code == "ok"
    assert executor.admission.running == 0
    assert value(await executor.execute(invocation("1", EVENT))) == 1


async def test_a_call_needs_no_permit_of_its_own(executor: Executor, host: Host) -> None:
    host.goes_on.clear()
    waiting = [asyncio.create_task(executor.execute(invocation("random::uuid()", REQUEST))) for _ in range(2)]
    for _ in waiting:
        await host.entered.acquire()
    with pytest.raises(Overloaded):
        await executor.execute(invocation("1", REQUEST))
    assert value(await executor.execute(invocation("1", CallCause(())))) == 1
    assert executor.admission.running == 2
    host.goes_on.set()
    await asyncio.gather(*waiting)
    assert executor.admission.running == 0
