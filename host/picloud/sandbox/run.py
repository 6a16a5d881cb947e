"""A run of one guest: calls of its functions, its host calls, and the limits that the host enforces.

A call of the guest is a coroutine that polls it on the event loop. A host call that waits suspends the guest
and awaits the service without blocking a thread. A guest that computes longer than `LOOP_FUEL` is then polled
on a thread. Cancelling the coroutine (deadline, disconnected client) unwinds the guest.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Coroutine, Generator, Mapping
from typing import Any
from uuid import UUID

from picloud.core import interface
from picloud.core.errors import PlatformError, ServiceError, StorageFull
from picloud.core.interface import HostFunction, Signature
from picloud.sandbox import abi, capi
from picloud.sandbox.engine import SLICE_FUEL, Engine
from picloud.sandbox.limits import FIXED, MIB, Limits
from picloud.sandbox.log_lines import LogLines
from picloud.sandbox.memory import GuestMemory, Reservation
from picloud.sandbox.outcome import Figures
from picloud.sandbox.threads import Threads

LOOP_FUEL = 3 * SLICE_FUEL
COMPILE_FUEL = 20_000_000_000
STOP_FUEL = 2 * SLICE_FUEL, 20 * SLICE_FUEL
"""Least and most fuel of a guest that was asked to stop: its operation can be a search in a long text."""
EARLY = 100
"""A guest that has this part of its fuel left is asked to stop, so that the error names a line."""
LARGE = 16 * MIB
"""Memory of a guest, in bytes, above which it is given back on a thread."""
CALL_FUEL = 1_000
"""Fuel of a host call, in addition to one per byte in and out."""

MAX_PLATFORM_TEXTS = 100

MAX_REQUEST = 16 * MIB
MAX_RESULT = FIXED["max_response_body"] + MIB


_THROWN = (ServiceError, StorageFull)
"""Errors of services that a script can catch."""


class Stopped(Exception):
    """The host stopped the execution.

    Attributes:
        code: the outcome code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Run:
    """A guest instance with its limits, for one use. The caller must call `close`, also on error.

    Attributes:
        figures: its figures, updated while it runs.
        log: log lines of the script.
        private: whether the script asked that only figures are recorded.
        platform_texts: texts of errors about the platform that the script got.
        suspended: whether the guest waits for a host call.
        stopping: why the guest was asked to stop, or None.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        memory: GuestMemory,
        reservation: Reservation,
        app_id: UUID,
        limits: Limits,
        deadline: float,
    ) -> None:
        """Create a guest. It can compile, and after `begin` it can run.

        Args:
            engine: creates the guest.
            threads: run long computations.
            memory: the memory of guests.
            reservation: what is reserved for this guest; `close` ends it, and so does an exception.
            app_id: the app of the script.
            limits: limits of the run.
            deadline: when it is stopped, in seconds of `time.monotonic`.

        Raises:
            Stopped: the memory limit is smaller than the initial memory of the interpreter.
            capi.WasmError: no free slot.
        """
        self._memory, self._reservation = memory, reservation
        self._wanted_memory = 0  # what the guest waits for, in bytes
        self._engine, self._threads, self._app_id, self._limits = engine, threads, app_id, limits
        self._functions: Mapping[str, HostFunction] | None = None
        self._call: object = None
        self._deadline = deadline
        self._pending: tuple[Signature, Coroutine[Any, Any, object] | _Begun] | None = None
        self._word: int | None = None
        self._deferred: tuple[bytes, int] | None = None
        self._on_loop = True
        self._fuel = self._accounted = (
            COMPILE_FUEL  # fuel left at the last host call; and already counted in _loop_fuel
        )
        self._loop_fuel = 0
        self._counted = 0
        self.figures = Figures()
        self.log = LogLines()
        self.private = False
        self.platform_texts: list[str] = []
        self.suspended = False
        self.stopping: Stopped | None = None
        self._granted, self._early = limits.max_fuel, 0
        try:
            if reservation.limit < len(engine.pristine):
                raise Stopped("memory_limit", "the memory limit is too low for the interpreter")
            self.guest = capi.Guest(engine.template, reservation.size, COMPILE_FUEL, SLICE_FUEL, self)
        except BaseException:
            reservation.end()
            raise

    @property
    def compiling(self) -> bool:
        """Whether it has not begun to run the script."""
        return self._functions is None

    @property
    def compile_fuel(self) -> int:
        """Fuel used so far, before `begin`."""
        return COMPILE_FUEL - self.guest.fuel()

    def begin(self, functions: Mapping[str, HostFunction], call: object) -> None:
        """Allow host calls, and set the fuel to that of the limits.

        Args:
            functions: host functions by import name.
            call: passed to every host function as its first argument.
        """
        self._functions, self._call = functions, call
        self._fuel = self._accounted = self._limits.max_fuel
        self._loop_fuel = 0
        self.guest.set_fuel(self._limits.max_fuel)
        early = min(self._limits.max_fuel // EARLY, STOP_FUEL[1])
        self._early = early if early >= SLICE_FUEL else 0

    async def invoke(self, export: bytes, data: bytes) -> bytes:
        """Call a function of the guest that takes and returns bytes.

        Args:
            export: `compile` or `run`.
            data: its input.

        Returns:
            The result, copied from the guest.

        Raises:
            Stopped: a limit was exceeded.
            capi.Trap: the guest trapped.
            interface.InterfaceViolation: the guest violated the interface.
        """
        address, capacity = self._engine.info.input
        if len(data) > capacity:
            self.guest.start(b"reserve", len(data))
            await self._drive()
            address = self.guest.result()
            if not address:
                raise Stopped("memory_limit", "the request exceeds the memory limit of the script")
        try:
            self.guest.write(address, data)
            self.guest.start(export, address, len(data))
            await self._drive()
            pointer, length = abi.unpack_address(self.guest.result())
            if length > MAX_RESULT:
                raise interface.InterfaceViolation(f"{export.decode()}: a result of {length} bytes")
            return self.guest.read(pointer, length)
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None

    async def close(self) -> None:
        """Unwind and free the guest, and set the final figures."""
        if self._pending is not None:
            self._pending[1].close()
            self._pending = None
        self.guest.unwind()
        if self._functions is not None:
            self.figures.fuel = min(self._granted - self.guest.fuel(), self._limits.max_fuel)
        self.figures.peak_memory_bytes = size = self.guest.memory_size()
        try:
            if size > LARGE:  # the loop would stand still for that
                self._reservation.will_end()
                await self._threads.give_back(self.guest)
        finally:
            self.guest.close()
            self._reservation.end()

    def out_of_memory(self) -> bool:
        """Return whether the guest failed to allocate memory before it trapped."""
        return self.guest.read(self._engine.info.oom, 4) != bytes(4)

    def panic_place(self) -> tuple[int | None, int | None]:
        """Return the line and column of the script where the interpreter panicked; None where not known."""
        address = self._engine.info.place
        line, column = struct.unpack("<2I", self.guest.read(address, 8)) if address else (0, 0)
        return line or None, column or None

    async def _drive(self) -> None:
        """Poll until the call ends."""
        guest = self.guest
        while True:
            if self._loop_fuel <= LOOP_FUEL:
                ended = guest.poll()
            else:
                self._on_loop = False
                try:
                    ended = await self._threads.turn(guest, self._app_id, self._deadline)
                finally:
                    self._on_loop = True
            if ended:
                return
            if self.suspended:
                await self._finish_host_call()
            else:
                self._accounted -= SLICE_FUEL
                self._loop_fuel += SLICE_FUEL
                if self.is_nearly_out_of_fuel():
                    self._stop(self._fuel_budget())
                elif self._loop_fuel <= LOOP_FUEL:
                    await asyncio.sleep(0)
            if time.monotonic() >= self._deadline and self.stopping is None:
                self._stop(self._timeout())

    def is_nearly_out_of_fuel(self) -> bool:
        """Return whether the budget is all but used; a small budget is left to the guest to the last unit."""
        return self._early > 0 and self.stopping is None and self.guest.fuel() < self._early

    def _stop(self, reason: Stopped) -> None:
        """Ask the guest to stop at its next operation, so that its error has a place.

        Raises:
            Stopped: it was asked before, or it cannot be asked.
        """
        if self.stopping is not None or self._functions is None or not self._engine.info.stop:
            raise self.stopping or reason
        self.stopping = reason
        self.guest.write(self._engine.info.stop, b"\1\0\0\0")
        left = self.guest.fuel()
        self._fuel = self._accounted = min(max(left, STOP_FUEL[0]), STOP_FUEL[1])
        self._granted += self._fuel - left
        self.guest.set_fuel(self._fuel)

    def called(self, index: int, pointer: int, length: int) -> int | None:
        """Handle a host call, on the stack of the guest (see `capi.OnCall`)."""
        functions = self._engine.interface.hosts
        if index == len(functions) + 1:
            return self._reserve(pointer)
        if self._functions is None:
            raise interface.InterfaceViolation("a host call while compiling")
        if index == len(functions):
            return self._take_reply(pointer, length)
        signature = functions[index]
        name = signature.name
        self.figures.host_calls[name] = self.figures.host_calls.get(name, 0) + 1
        if signature.counted:
            self._counted += 1
            if self._counted > self._limits.max_host_calls and self.stopping is None:
                self._stop(Stopped("host_call_budget", f"more than {self._limits.max_host_calls} host calls"))
        self._fuel = self.guest.fuel()
        if self.stopping is None:
            self._burn(CALL_FUEL + length)
        if self.stopping is not None:
            return self._answer(self._reply(abi.encode_error(str(self.stopping)), abi.ERROR_BIT))
        if length > MAX_REQUEST:
            message = f"more than {MAX_REQUEST} bytes in one call"
            return self._answer(self._reply(abi.encode_error(message), abi.ERROR_BIT))
        try:
            params = signature.decode(self.guest.read(pointer, length))
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None
        if name == "log_write":
            self.log.add(*params, time.time() * 1000)  # type: ignore[call-arg, arg-type]  # decoded by its signature
            return self._answer(self._reply(interface.NIL, 0))
        if name == "log_private":
            self.private = True
            return self._answer(self._reply(interface.NIL, 0))
        work = self._functions[name](self._call, *params)
        if not self._on_loop:  # services run in the event loop, after the turn of this thread
            self._suspend(signature, work)
            return None
        return self._begin(signature, work)

    def _begin(self, signature: Signature, work: Coroutine[Any, Any, object]) -> int | None:
        """Run the first step of a service at once; if it completes, the guest is not suspended."""
        began = time.perf_counter()
        try:
            first = work.send(None)
        except StopIteration as stop:
            reply = self._reply(signature.encode(stop.value), 0)
        except _THROWN as error:
            reply = self._reply_error(error)
        else:
            self._suspend(signature, _Begun(work, first))
            return None
        finally:
            self.figures.host_call_ms += (time.perf_counter() - began) * 1000
        return self._answer(reply)

    def _reserve(self, size: int) -> int | None:
        """Reserve memory, so that the guest can grow to `size` bytes; 0 above its limit."""
        self._fuel = self.guest.fuel()
        self._burn(CALL_FUEL)
        self.guest.set_fuel(self._fuel)
        if size > self._reservation.limit:
            return self._answer(0)
        if self._on_loop and self._memory.grow_now(self._reservation, size):
            self.guest.set_memory_limit(self._reservation.size)
            return self._answer(1)
        self._wanted_memory, self.suspended = size, True
        return None

    async def _grow(self) -> None:
        """Reserve the memory that the guest waits for."""
        size, self._wanted_memory = self._wanted_memory, 0
        if not self._memory.grow_now(self._reservation, size):
            await self._memory.grow(self._reservation, size, self._deadline)
        self.guest.set_memory_limit(self._reservation.size)

    def _answer(self, word: int) -> int | None:
        """Return a reply at once, unless the guest has used its slice: then suspend it, so that others run.

        Setting the fuel starts a new slice. Without this, a guest with many calls would never yield to the
        event loop or, on a thread, to its deadline.
        """
        if self._accounted - self._fuel > SLICE_FUEL:
            self._word, self.suspended = word, True
            return None
        return word

    def _suspend(self, signature: Signature, work: Coroutine[Any, Any, object] | _Begun) -> None:
        self._pending, self.suspended = (signature, work), True

    async def _finish_host_call(self) -> None:
        """Await the service that the guest waits for, and answer."""
        self._loop_fuel += self._accounted - self._fuel
        self._accounted = self._fuel
        if self._word is not None:
            word, self._word = self._word, None
            await asyncio.sleep(0)
        elif self._wanted_memory:
            await self._grow()
            word = 1
        else:
            assert self._pending is not None
            signature, work = self._pending
            began = time.perf_counter()
            limit = asyncio.timeout(self._deadline - time.monotonic())
            try:
                async with limit:
                    result = await work
                word = self._reply(signature.encode(result), 0)
            except _THROWN as error:
                word = self._reply_error(error)
            except TimeoutError:
                if not limit.expired():  # by the clock of the loop, which can be ahead of the deadline
                    raise  # raised by the service itself
                self._stop(self._timeout())
                word = self._reply(abi.encode_error("the time is up"), abi.ERROR_BIT)
            finally:
                self._pending = None
                self.figures.host_call_ms += (time.perf_counter() - began) * 1000
        self.suspended = False
        self.guest.answer(word)

    def _reply(self, data: bytes, flags: int) -> int:
        """Write a reply into the guest, and return the word that describes it."""
        self._burn(len(data))
        self.guest.set_fuel(self._fuel)
        address, capacity = self._engine.info.reply
        if len(data) > capacity:
            self._deferred = (data, flags)
            return len(data) | flags | abi.DEFERRED_BIT
        self.guest.write(address, data)
        return len(data) | flags

    def _reply_error(self, error: ServiceError | StorageFull) -> int:
        """Reply with an error, which the guest throws."""
        if isinstance(error, (PlatformError, StorageFull)) and len(self.platform_texts) < MAX_PLATFORM_TEXTS:
            self.platform_texts.append(str(error))
        return self._reply(abi.encode_error(str(error)), abi.ERROR_BIT)

    def _take_reply(self, pointer: int, length: int) -> int:
        if self._deferred is None or length < len(self._deferred[0]):
            raise interface.InterfaceViolation("reply_take: no such reply")
        (data, flags), self._deferred = self._deferred, None
        try:
            self.guest.write(pointer, data)
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None
        return len(data) | flags

    def _burn(self, amount: int) -> None:
        """Charge the guest for a host call; `_reply` then sets its fuel."""
        self._fuel -= amount
        if self._fuel <= 0:
            self.guest.set_fuel(0)
            self._stop(self._fuel_budget())

    def _fuel_budget(self) -> Stopped:
        return Stopped("fuel_budget", f"more than {self._limits.max_fuel} fuel")

    def _timeout(self) -> Stopped:
        return Stopped("timeout", f"longer than {self._limits.timeout_seconds} seconds")


class _Begun:
    """An awaitable for a coroutine whose first step has already run.

    Awaiting continues after the first step, and yields its result to the task first.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object], first: Any) -> None:
        self._coroutine, self._first = coroutine, first

    def __await__(self) -> Generator[Any, Any, object]:
        step = self._first
        while True:
            try:
                sent = yield step
            except BaseException as error:
                try:
                    step = self._coroutine.throw(error)
                except StopIteration as stop:
                    return stop.value
            else:
                try:
                    step = self._coroutine.send(sent)
                except StopIteration as stop:
                    return stop.value

    def close(self) -> None:
        self._coroutine.close()
