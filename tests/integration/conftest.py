"""The whole of PiCloud below HTTP, wired as the server wires it, on a real database and a real guest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher

from picloud.db.changes import Changes
from picloud.db.migrate import latest_version
from picloud.db.pool import Database
from picloud.execution.executor import Executor
from picloud.execution.gate import Gate
from picloud.execution.record import Recorder, all_written
from picloud.execution.scripts import LiveScripts
from picloud.generations import Generations
from picloud.http.services import Services
from picloud.identity.passwords import Passwords
from picloud.identity.sessions import Sessions
from picloud.identity.setup import Setup
from picloud.identity.users import Users
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import clock, kv
from picloud.services.apps import Apps
from picloud.services.directory import Directory
from picloud.services.domains import Domains
from picloud.services.executions import Executions
from picloud.services.health import Health
from picloud.services.routes import Routes
from picloud.services.scripts import Scripts

SLOTS = 64


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The guest, compiled once."""
    engine = Engine(tmp_path_factory.mktemp("machine-code"), SLOTS, 256)
    yield engine
    engine.close()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """argon2id, as cheap as it can be: tests are not guessed at."""
    passwords = Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield passwords
    passwords.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """What the processes of a node share in production, and one worker's parts.

    Attributes:
        services: what HTTP stands on.
        database: the pool.
        changes: announces writes.
        generations: the shared page.
        recorder: writes the execution log.
        gate: bounds executions.
    """

    services: Services
    database: Database
    changes: Changes
    generations: Generations
    recorder: Recorder
    gate: Gate


@pytest.fixture
async def worker(database: Database, engine: Engine, passwords: Passwords) -> AsyncIterator[Worker]:
    """One worker on a database of this test's own; nothing is seeded."""
    generations = Generations()
    changes = Changes(database, generations)
    threads, images = Threads(2), ImageCache(64, 16)
    functions = {**kv.host_functions(kv.DatabaseKeyValue(database)), **clock.host_functions()}
    recorder = Recorder(database, generations)
    recorder.start()
    gate = Gate(32, 32)
    executor = Executor(gate, Sandbox(engine, images, threads, functions), recorder)
    ceilings = Ceilings()
    scripts = Scripts(database, changes, executor, ceilings)
    services = Services(
        apps=Apps(database),
        scripts=scripts,
        routes=Routes(database, changes),
        domains=Domains(database, changes),
        executions=Executions(database, lambda: all_written(generations)),
        users=Users(database, changes, passwords),
        sessions=Sessions(database, changes, generations),
        setup=Setup(database, changes, passwords),
        directory=Directory(database, generations),
        live_scripts=LiveScripts(scripts, generations, ceilings),
        executor=executor,
        ceilings=ceilings,
        health=Health(database, latest_version(), engine.info.sdk, engine.digest),
        body_seconds=5,
    )
    yield Worker(services, database, changes, generations, recorder, gate)
    await recorder.close(grace=1)
    threads.close()
