"""P7: executing a script among 10,000 of its app, against one among 10."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from benches.conftest import HEADERS
from benches.ratio import take_turns
from pytest_benchmark.fixture import BenchmarkFixture
from uuid_utils.compat import uuid7

from picloud.control.apps import Apps
from picloud.control.scripts.draft import Draft
from picloud.control.scripts.model import Script
from picloud.control.scripts.modules import Modules
from picloud.control.scripts.service import Scripts
from picloud.core.generations import Generations
from picloud.db.changes import ChangeNotifier
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation
from picloud.execution.live_scripts import LiveScripts
from picloud.identity.actor import Actor
from picloud.sandbox.limits import Ceilings
from picloud.services.quotas import UNLIMITED, Quotas
from tests.scratch import scratch_folder

FEW, MANY = 10, 10_000
ROUNDS, ITERATIONS = 15, 200
REQUEST = ScriptRequest("GET", "/hello", HEADERS)
ACTOR = Actor.console("bench.fill")
FILL = """
INSERT INTO scripts (app_id, id, name, kind, version, source)
SELECT $1, gen_random_uuid(), 's' || n, 'endpoint', 1, '"script ' || n || '"'
FROM generate_series(2, $2::int) n
"""
Loop = asyncio.AbstractEventLoop


@dataclass(frozen=True)
class Instance:
    """An instance with one app.

    Attributes:
        database: its own.
        generations: its own.
        live: its scripts in memory, all of them.
        script: one of them.
    """

    database: Database
    generations: Generations
    live: LiveScripts
    script: Script

    @classmethod
    async def open(cls, parameters: ConnectionParameters, executor: Executor, scripts: int) -> Instance:
        await migrate(parameters)
        database, generations = await Database.open(parameters, 2), Generations()
        changes = ChangeNotifier(database, generations)
        service = Scripts(database, changes, executor, Ceilings(), Quotas(database, UNLIMITED))
        app = await Apps(database, changes).create("bench", "Bench", actor=ACTOR)
        script = await service.create(app.id, Draft("hello", '"hello"'), actor=ACTOR)
        await database.execute(FILL, app.id, scripts)
        await database.execute("ANALYZE")
        live = LiveScripts(database, Modules(database), generations, Ceilings())
        for row in await database.fetch("SELECT id FROM scripts"):
            await live.get(app.id, row["id"])
        return cls(database, generations, live, script)

    async def executions(self, executor: Executor, each: Callable[[], object]) -> list[float]:
        """Seconds of executions of the script by its id. Args: each: what happens before every one."""
        seconds = []
        for _ in range(ITERATIONS):
            each()
            began = time.perf_counter()
            version = (await self.live.get(self.script.app_id, self.script.id)).version
            outcome = await executor.execute(
                Invocation(uuid7(), version, HttpCause("execute", "0123456789abcdef", REQUEST))
            )
            seconds.append(time.perf_counter() - began)
            assert outcome.code == "ok", outcome
        return seconds

    def saved(self) -> None:
        """What a save of any script means to every other: it is read anew."""
        self.generations.bump("scripts")


@pytest.fixture(scope="module")
def instances(loop: Loop, executor: Executor) -> Iterator[dict[int, Instance]]:
    with scratch_folder(0o711) as folder, EmbeddedPostgres(folder, connections=20) as parameters:

        async def make(size: int) -> Instance:
            outside = await Database.open(parameters, 1)
            await outside.execute(f"CREATE DATABASE scripts_{size}")
            await outside.close()
            return await Instance.open(parameters.of_database(f"scripts_{size}"), executor, size)

        made = {size: loop.run_until_complete(make(size)) for size in (FEW, MANY)}
        yield made
        for instance in made.values():
            loop.run_until_complete(instance.database.close())


@pytest.mark.parametrize("when", ["from memory", "after a save"])
def test_p7_scripts(
    when: str,
    benchmark: BenchmarkFixture,
    instances: dict[int, Instance],
    executor: Executor,
    loop: Loop,
    report: Callable[[str, str, str], None],
    quiet: None,
) -> None:
    def of(size: int) -> Callable[[], list[float]]:
        instance = instances[size]
        each: Callable[[], object] = instance.saved if when == "after a save" else lambda: None
        return lambda: loop.run_until_complete(instance.executions(executor, each))

    of(FEW)()
    of(MANY)()
    ratio = take_turns(of(MANY), of(FEW), ROUNDS)
    benchmark.extra_info["ratio"] = ratio.value
    benchmark.pedantic(of(MANY), rounds=3)
    micro = f"{ratio.ours * 1e6:.0f} us : {ratio.baseline * 1e6:.0f} us"
    report(f"P7 execute, {when}: {MANY:,} scripts : {FEW}", f"{ratio}  {micro}", "<= 1.2x")
