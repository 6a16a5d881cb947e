"""The sandbox as the rest of PiCloud sees it: compile a script, execute it, get an `Outcome`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from picloud.core import interface
from picloud.core.errors import Overloaded, ScriptInvalid, Throttled, Unavailable
from picloud.core.interface import HostFunction
from picloud.core.msgpack import encode, require_plain
from picloud.sandbox import abi, capi
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.compiling import Compiling
from picloud.sandbox.engine import Engine
from picloud.sandbox.hints import hinted
from picloud.sandbox.image import Image
from picloud.sandbox.limits import Limits
from picloud.sandbox.memory import GuestMemory
from picloud.sandbox.outcome import Outcome, ScriptError
from picloud.sandbox.response import CheckedResult, script_error
from picloud.sandbox.run import Run, Stopped
from picloud.sandbox.threads import Threads

logger = logging.getLogger(__name__)

COMPILE_SECONDS = 10
_UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Program:
    """The sources to compile.

    Attributes:
        app_id: the app of the script.
        source: Rhai, UTF-8.
        kind: "endpoint" or "module".
        modules: sources of the modules it can import, by name.
    """

    app_id: UUID
    source: bytes
    kind: str
    modules: Mapping[str, bytes]


class Sandbox:
    """Runs scripts, each execution in a new guest instance.

    Attributes:
        engine: creates guests.
        cache: caches images.
        compiling: turns and budgets of compiles.
        memory: the memory of guests.
    """

    def __init__(
        self,
        engine: Engine,
        cache: ImageCache,
        threads: Threads,
        functions: Mapping[str, HostFunction],
        reserved_cookies: Collection[str] = (),
        compiling: Compiling | None = None,
        memory: GuestMemory | None = None,
    ) -> None:
        """Create a sandbox.

        Args:
            engine: creates guests.
            cache: caches images.
            threads: run long computations.
            functions: every host function of interface.toml except the log.
            reserved_cookies: names of cookies that no script can set.
            compiling: turns and budgets of compiles; None for the defaults.
            memory: the memory of guests; None for all that they ask for.

        Raises:
            InterfaceMismatch: a host function is missing or unknown.
        """
        engine.interface.check_table(functions)
        self.engine, self.cache = engine, cache
        self._threads, self._functions = threads, functions
        self._reserved_cookies = frozenset(map(str.lower, reserved_cookies))
        self.compiling = compiling or Compiling()
        self.memory = memory or GuestMemory(_UNLIMITED)

    async def check(self, program: Program, limits: Limits) -> tuple[str, ...]:
        """Check a script by compiling it; nothing is stored.

        Args:
            program: the script.

        Returns:
            The names of its literal imports.

        Raises:
            ScriptInvalid: it does not parse; the details have `line`, `column` and `message`.
            Throttled: the app has used up its budget for saves.
        """
        run: Run | None = None
        try:
            async with self.compiling.turn(program.app_id, "save") as charge:
                deadline = time.monotonic() + COMPILE_SECONDS
                compiling = replace(limits, timeout_seconds=COMPILE_SECONDS)
                run = await self._run(program.app_id, self._initial_memory, compiling, deadline)
                return (await self._compile(run, program, limits, charge)).imports
        except Throttled:
            raise
        except Exception as error:
            code, script_fault = _classify(error, run)
            if code in ("overloaded", "unavailable", "internal"):
                raise
            raise _invalid(script_fault) from None
        finally:
            if run is not None:
                await run.close()

    async def execute(
        self,
        key: Hashable,
        program: Program,
        request: bytes,
        limits: Limits,
        deadline: float,
        call: object,
        outcome: Outcome,
    ) -> None:
        """Run a script once.

        Args:
            key: key of the image: the versions of the script and its modules.
            program: compiled if there is no image.
            request: input of `run`, MessagePack.
            limits: limits of the run.
            deadline: when it is stopped, including the compile, in seconds of `time.monotonic`.
            call: first argument of every host function.
            outcome: always set; script errors and limits are outcomes, not exceptions.

        Raises:
            asyncio.CancelledError: the caller was cancelled; the guest is closed.
        """
        began = time.perf_counter()
        run: Run | None = None
        image = self.cache.find(key)
        cache = "cached" if image is not None else "cold"

        async def compile_() -> Image:
            nonlocal run  # the guest can run what it has compiled
            async with self.compiling.turn(program.app_id, "execution") as charge:
                run = await self._run(program.app_id, self._initial_memory, limits, deadline)
                return await self._compile(run, program, limits, charge)

        try:
            if image is None:
                image = await self._first(key, deadline, compile_)
            if run is None:
                run = await self._run(program.app_id, image.memory_size, limits, deadline)
                image.restore(run.guest)
            run.begin(self._functions, call)
            answer = CheckedResult(await run.invoke(b"run", request), self._reserved_cookies)
            if run.stopping is not None and answer.error is not None:
                outcome.code = run.stopping.code
                outcome.error = replace(answer.error, message=str(run.stopping), thrown=None)
            else:
                outcome.code, outcome.response = answer.code, answer.response
                outcome.error = answer.error and hinted(answer.error, program.source, program.modules)
            run.figures.operations = answer.operations
        except asyncio.CancelledError:
            outcome.code, outcome.error = "cancelled", ScriptError("the caller did not wait for the response")
            raise
        except Exception as error:
            outcome.code, outcome.error = _classify(error, run)
        finally:
            if run is not None:
                outcome.figures = run.figures
                outcome.logs, outcome.logs_dropped = run.log.kept(), run.log.dropped
                outcome.private, outcome.platform_texts = run.private, run.platform_texts
            outcome.figures.cache = cache
            outcome.figures.wall_ms = (time.perf_counter() - began) * 1000
            if run is not None:
                await run.close()

    async def _run(self, app_id: UUID, memory_size: int, limits: Limits, deadline: float) -> Run:
        """Reserve memory, and create a guest in it."""
        limit = limits.memory_limit_mb << 20
        reservation = self.memory.start(app_id, memory_size, limit)
        if not reservation.size:
            await self.memory.wait(reservation, deadline)
        return Run(self.engine, self._threads, self.memory, reservation, app_id, limits, deadline)

    @property
    def _initial_memory(self) -> int:
        return len(self.engine.pristine)

    async def _first(self, key: Hashable, deadline: float, compile_: Callable[[], Awaitable[Image]]) -> Image:
        """Get a missing image; waiting for the compile counts as running time."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self.cache.get(key, compile_)
        except TimeoutError:
            raise Stopped("timeout", "the script was not compiled in time") from None

    async def _compile(
        self, run: Run, program: Program, limits: Limits, charge: Callable[[int], None]
    ) -> Image:
        """Compile in a new guest, which can then run the script."""
        request = {
            "source": program.source,
            "kind": program.kind,
            "limits": limits.for_guest(),
            "modules": dict(program.modules),
        }
        try:
            result = await run.invoke(b"compile", encode(request))
        finally:
            charge(run.compile_fuel)
        try:
            answer = abi.COMPILE_RESULT.decode(result)
            if isinstance(answer, abi.CompileFailed):
                require_plain(answer.error)
        except ValueError as error:
            raise interface.InterfaceViolation(f"compile: invalid result: {error}") from None
        if isinstance(answer, abi.CompileFailed):
            raise _invalid(hinted(script_error(answer.error), program.source, program.modules))
        return Image.take(self.engine, run.guest, tuple(answer.script.imports))


def _invalid(error: ScriptError) -> ScriptInvalid:
    place = {"module": error.module} if error.module else {}
    return ScriptInvalid(error.message, line=error.line, column=error.column, message=error.message, **place)


def _classify(error: Exception, run: Run | None = None) -> tuple[str, ScriptError]:
    """Return the outcome code of an exception, and the error for the script author."""
    match error:
        case Stopped():
            return error.code, ScriptError(str(error))
        case capi.Trap() if run is not None and run.stopping is not None:
            return run.stopping.code, ScriptError(str(run.stopping))
        case capi.Trap() if run is not None:
            code, message = _trapped(error, run)
            return code, ScriptError(message, *run.panic_place())
        case ScriptInvalid(details={"line": line, "column": column}):
            module = error.details.get("module")
            return error.code, ScriptError(error.message, line, column, module)  # type: ignore[arg-type]
        case interface.InterfaceViolation():
            logger.error("a guest violated its interface: %s", error)
            return "script_error", ScriptError("the interpreter violated the interface of the host")
        case Overloaded():
            return error.code, ScriptError(error.message)
        case Unavailable():  # the pool logs it
            return Unavailable.code, ScriptError(error.message)
        case _:
            logger.exception("an execution failed", exc_info=error)
            return "internal", ScriptError("something went wrong inside PiCloud")


def _trapped(trap: capi.Trap, run: Run) -> tuple[str, str]:
    if trap.code == capi.TRAP_OUT_OF_FUEL:
        if run.compiling:
            return "fuel_budget", "the script takes too long to compile; split it into modules"
        return "fuel_budget", "the script used up its fuel"
    if run.out_of_memory():
        return "memory_limit", "the script used up its memory"
    if trap.code == capi.TRAP_STACK_OVERFLOW:
        return "script_error", "the script used up the interpreter's stack"
    return "script_error", "the interpreter stopped in the middle of the script"
