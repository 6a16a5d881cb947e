"""Fixtures of the benchmarks, and the table at the end."""

from __future__ import annotations

import asyncio
import functools
import gc
import time
from collections.abc import Callable, Iterator
from uuid import uuid5

import ormsgpack
import pytest
from benches.native import SCRIPTS, Native
from uuid_utils.compat import uuid7

from picloud.execution.admission import Admission
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.outcome import Outcome
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import SERVICES
from picloud.services.call_context import Call
from picloud.services.kv import service as kv
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.service import Local, local_functions

APP = uuid7()
LIMITS = Ceilings().resolve({"max_operations": 10_000_000, "max_array_size": 100_000})
_rows: list[tuple[str, str, str]] = []


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("guest"), 32, 256)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="session")
def executor(engine: Engine, loop: asyncio.AbstractEventLoop) -> Iterator[Executor]:
    made, threads, memory = bench_executor(engine)
    widget = ormsgpack.packb({"name": "bolt", "price": 21})
    loop.run_until_complete(memory.set(Call(APP, APP, APP), "widgets", "w1", widget, None))
    yield made
    threads.close()


def bench_executor(engine: Engine) -> tuple[Executor, Threads, MemoryKeyValue]:
    """An executor without a database, with what is to be closed and what is to be filled."""
    memory, threads = MemoryKeyValue(), Threads(2)
    functions = local_functions(SERVICES, Local(), engine.interface) | kv.host_functions(memory)
    sandbox = Sandbox(engine, ImageCache(256, 64), threads, functions)
    return Executor(Admission(24, 24), sandbox, None), threads, memory


@pytest.fixture(scope="session")
def native() -> Iterator[Native]:
    native = Native()
    yield native
    native.close()


@pytest.fixture
def quiet() -> Iterator[None]:
    """No garbage collection in the middle of a measurement."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def report() -> Callable[[str, str, str], None]:
    """`report(what, figure, goal)`: a row of the table printed at the end."""
    return lambda what, figure, goal: _rows.append((what, figure, goal))


HEADERS = {"host": "localhost", "user-agent": "bench", "accept": "*/*"}
REQUEST = ScriptRequest("GET", "/hello", HEADERS)


def invocation(name: str, version: int = 1) -> Invocation:
    """An invocation of a script of benches/scripts, as a request would make it."""
    return Invocation(uuid7(), _script(name, version), HttpCause("execute", "0123456789abcdef", REQUEST))


@functools.lru_cache(4096)
def _script(name: str, version: int) -> ScriptVersion:
    source = (SCRIPTS / name).with_suffix(".rhai").read_bytes()
    return ScriptVersion(uuid5(APP, name), APP, version, name, "endpoint", source, LIMITS)


async def timed(
    executor: Executor, make: Callable[[], Invocation], iterations: int
) -> tuple[list[float], Outcome]:
    """Seconds of each of so many executions, from making the invocation to having the outcome."""
    seconds, outcome = [], Outcome()
    for _ in range(iterations):
        began = time.perf_counter()
        outcome = await executor.execute(make())
        seconds.append(time.perf_counter() - began)
    assert outcome.code == "ok", outcome
    return seconds, outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _rows:
        terminalreporter.section("figures")
        widths = [max(len(row[column]) for row in _rows) for column in range(3)]
        for row in _rows:
            terminalreporter.line(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            )
