"""http in scripts: through the guest, the capability check and admission, into the execution's record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from picloud.core.generations import Generations
from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.capability_check import with_capability_checks
from picloud.execution.executor import Executor
from picloud.execution.record import Recorder
from picloud.identity.principal import Principal
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.outcome import Outcome
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.outbound.client import host_functions
from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import WebServer, response
from tests.workbench import NOBODY, in_memory, invocation, until, value

ROWS = "SELECT outcome, outbound, outbound_dropped FROM execution_logs ORDER BY started_at, id"


@dataclass(slots=True)
class Scripts:
    """Runs scripts and reads their records."""

    executor: Executor
    recorder: Recorder
    database: Database

    async def run(self, source: str, principal: Principal | None = None, **limits: int) -> Outcome:
        return await self.executor.execute(replace(invocation(source, **limits), principal=principal))

    async def records(self) -> list[dict[str, Any]]:
        await self.recorder.close()
        return [dict(row) for row in await self.database.fetch(ROWS)]


async def _scripts(way: WayOut, engine: Engine, database: Database) -> AsyncIterator[Scripts]:
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'nobody', 'Nobody')", NOBODY)
    threads, recorder = Threads(2), Recorder(database, Generations())
    recorder.start()
    functions = with_capability_checks(in_memory() | host_functions(way.outbound), engine.interface)
    sandbox = Sandbox(engine, ImageCache(16, 16), threads, functions)
    yield Scripts(Executor(Admission(16, 16), sandbox, recorder), recorder, database)
    await recorder.close()
    threads.close()


@pytest.fixture
async def scripts(dev: WayOut, engine: Engine, database: Database) -> AsyncIterator[Scripts]:
    """Scripts on an instance for development."""
    async for one in _scripts(dev, engine, database):
        yield one


@pytest.fixture
async def kept_in(strict: WayOut, engine: Engine, database: Database) -> AsyncIterator[Scripts]:
    """Scripts as in production."""
    async for one in _scripts(strict, engine, database):
        yield one


async def test_a_script_gets_a_response_and_the_call_is_recorded(scripts: Scripts, web: WebServer) -> None:
    web.responses["/a"] = response("201 Made", b'{"n": [1, 2]}', "Content-Type: application/json", "X-A: b")
    source = f"""
        let made = http::post("{web.url("/a")}", #{{ name: "bolt" }}, #{{ headers: #{{ "X-Key": "k" }} }});
        #{{ status: made.status, n: made.body.n, a: made.headers["x-a"], url: made.url }}"""
    got = value(await scripts.run(source))
    assert got == {"status": 201, "n": [1, 2], "a": "b", "url": web.url("/a")}
    arrived = web.requests[0]
    assert (arrived.line, arrived.body, arrived.header("x-key")) == ("POST /a", b'{"name":"bolt"}', "k")
    assert arrived.header("content-type") == "application/json"
    (record,) = await scripts.records()
    (decision,) = record["outbound"]
    assert decision.pop("ms") > 0
    assert decision == {
        "method": "POST",
        "host": f"127.0.0.1:{web.port}",
        "category": "allowed",
        "status": 201,
        "error": None,
        "hops": 0,
        "bytes_out": 15,
        "bytes_in": 13,
    }


async def test_a_script_cannot_reach_this_machine(kept_in: Scripts, web: WebServer) -> None:
    tries = [web.url(), web.url(host="localhost"), "http://169.254.169.254/latest", "http://2130706433/", "x"]
    caught = "".join(f'try {{ http::get("{url}"); }} catch (e) {{ said.push(e); }}' for url in tries)
    said = value(await kept_in.run(f"let said = []; {caught} said"))
    assert [message.startswith("http::get: denied: ") for message in said] == [True] * 5
    assert web.connections == 0
    (record,) = await kept_in.records()
    assert [one["category"] for one in record["outbound"]] == [*["private address"] * 3, "url", "url"]


async def test_a_caller_without_the_capability_cannot_call_out_by_a_script(
    scripts: Scripts, web: WebServer
) -> None:
    viewer = Principal(uuid4(), "eve", "member", {NOBODY: "viewer"})
    source = f'http::get("{web.url()}").status'
    denied = await scripts.run(source, viewer)
    assert denied.error is not None
    assert "http::get: " in denied.error.message
    assert "http.request" in denied.error.message
    assert web.connections == 0
    assert value(await scripts.run(source)) == 200
    assert value(await scripts.run(source, replace(viewer, memberships={NOBODY: "editor"}))) == 200


async def test_an_execution_past_its_deadline_ends_its_call(scripts: Scripts, web: WebServer) -> None:
    async def silence(reader: asyncio.StreamReader, _writer: Any) -> None:
        await reader.read()

    web.responses["/"] = silence
    outcome = await scripts.run(f'http::get("{web.url()}")', timeout_seconds=1)
    assert outcome.code == "timeout"
    await until(lambda: web.gone == 1)
    (record,) = await scripts.records()
    assert (record["outcome"], record["outbound"][0]["error"]) == ("timeout", "cancelled")


async def test_a_caller_that_disconnects_ends_the_call(scripts: Scripts, web: WebServer) -> None:
    async def silence(reader: asyncio.StreamReader, _writer: Any) -> None:
        await reader.read()

    web.responses["/"] = silence
    running = asyncio.create_task(scripts.run(f'http::get("{web.url()}")'))
    await until(lambda: bool(web.requests))
    running.cancel()
    await asyncio.wait([running])
    await until(lambda: web.gone == 1)
    (record,) = await scripts.records()
    assert (record["outcome"], record["outbound"][0]["error"]) == ("cancelled", "cancelled")


async def test_a_script_that_computes_on_a_thread_calls_out_too(scripts: Scripts, web: WebServer) -> None:
    source = f'let n = 0; for i in 0..200000 {{ n += i; }} http::get("{web.url()}").status'
    assert value(await scripts.run(source)) == 200


async def test_concurrent_scripts_each_get_their_own_response(
    make: Make, web: WebServer, engine: Engine, database: Database
) -> None:
    for number in range(16):
        web.responses[f"/{number}"] = response(
            "200 OK", str(number).encode(), "Content-Type: application/json"
        )
    async for scripts in _scripts(make(allow_private=True), engine, database):
        sources = [f'http::get("{web.url(f"/{number}")}").body' for number in range(16)]
        outcomes = await asyncio.gather(*map(scripts.run, sources))
    assert list(map(value, outcomes)) == list(range(16))
