"""Helpers for tests of the sandbox: run a script or a guest and return its outcome."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import ormsgpack
from uuid_utils.compat import uuid7

from picloud.control.record_bodies import RecordBodies
from picloud.core.interface import HostFunction, Interface
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.identity.tokens import SESSION_COOKIES
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.memory import GuestMemory
from picloud.sandbox.outcome import Outcome
from picloud.sandbox.sandbox import Program, Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import SERVICES
from picloud.services.call_context import Call
from picloud.services.service import Local, local_functions

NOBODY = UUID(int=0)
_scripts = itertools.count(1)


def in_memory(**variables: str) -> dict[str, HostFunction]:
    """Every host function, as `picloud run` has them. Args: variables: what `vars` reads."""
    return local_functions(SERVICES, Local(variables=variables), Interface.load())


def idle_functions(**functions: HostFunction) -> dict[str, HostFunction]:
    """Every host function as one that answers nothing, but for those given."""

    async def nothing(_call: object, *_params: object) -> None:
        return None

    names = [entry.name for entry in Interface.load().service_functions]
    return dict.fromkeys(names, nothing) | functions


def script(
    source: str,
    *,
    app: UUID = NOBODY,
    version: int = 1,
    record_bodies: RecordBodies = "all",
    **limits: int,
) -> ScriptVersion:
    """A version of a script that no other test has."""
    return ScriptVersion(
        UUID(int=next(_scripts)),
        app,
        version,
        "s",
        "endpoint",
        source.encode(),
        Ceilings().resolve(limits),
        record_bodies=record_bodies,
    )


def invocation(what: ScriptVersion | str, request: ScriptRequest | None = None, **limits: int) -> Invocation:
    """One execution of a script."""
    version = script(what, **limits) if isinstance(what, str) else what
    return Invocation(uuid7(), version, HttpCause("execute", "request-1", request or ScriptRequest()))


@dataclass(slots=True)
class Workbench:
    """A sandbox, driven by hand.

    Attributes:
        engine: what guests are made from.
        functions: the host functions.
        threads: where long computations go.
        memory: the memory of guests; None for all that they ask for.
    """

    engine: Engine
    functions: dict[str, HostFunction] = field(default_factory=in_memory)
    threads: Threads = field(default_factory=lambda: Threads(2))
    cache: ImageCache = field(default_factory=lambda: ImageCache(64, 64))
    memory: GuestMemory | None = None
    sandbox: Sandbox = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(
            self.engine, self.cache, self.threads, self.functions, SESSION_COOKIES, memory=self.memory
        )

    async def run(
        self, what: ScriptVersion | str, request: ScriptRequest | None = None, **limits: int
    ) -> Outcome:
        """Execute a script."""
        made = invocation(what, request, **limits)
        version = made.script
        call = Call(NOBODY, NOBODY, NOBODY, input=made.cause.input, limits=version.limits)
        key = (version.script_id, version.version)
        return await self.execute(key, version.source, made.pack("0.1"), version.limits, call, version.app_id)

    async def raw(self, data: bytes = b"\x80", key: object = "guest", **limits: int) -> Outcome:
        """Execute whatever the guest is, with this input."""
        return await self.execute(key, b"", data, Ceilings().resolve(limits))

    async def execute(
        self,
        key: object,
        source: bytes,
        data: bytes,
        limits: object,
        call: Call | None = None,
        app_id: UUID = NOBODY,
    ) -> Outcome:
        outcome = Outcome()
        await self.sandbox.execute(
            key,  # type: ignore[arg-type]
            Program(app_id, source, "endpoint", {}),
            data,
            limits,  # type: ignore[arg-type]
            time.monotonic() + limits.timeout_seconds,  # type: ignore[attr-defined]
            call,
            outcome,
        )
        return outcome

    @property
    def alive(self) -> int:
        """How many guests exist at this moment."""
        return len(self.engine.template._guests)

    def close(self) -> None:
        self.threads.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0)


async def until_waiting(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Let the loop run until each of these tasks waits for something, or is done."""
    tasks = list(tasks)
    await until(lambda: all(task.done() or task._fut_waiter is not None for task in tasks))  # type: ignore[attr-defined]


def computing(engine: Engine) -> int:
    """How many guests compute on a thread now, or queue for one."""
    return sum(not guest.owner._on_loop for guest in engine.template._guests.values())


def value(outcome: Outcome) -> object:
    """What an execution answered, as JSON."""
    assert outcome.code == "ok", (outcome.code, outcome.error)
    assert outcome.response is not None
    return orjson.loads(outcome.response.body)


def packed(*params: object) -> bytes:
    """The payload of a host call."""
    return ormsgpack.packb(list(params))
