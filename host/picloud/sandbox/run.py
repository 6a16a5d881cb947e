"""One guest at work: calls into it, host calls out of it, and every limit the host holds.

A call into the guest is a coroutine: it polls on the event loop; a host call that must wait suspends the
guest and awaits the service, with no thread parked; a guest that computes longer than `LOOP_FUEL` is polled
on a thread from then on. Cancelling the coroutine (deadline, client gone) unwinds the guest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

from picloud.core import interface
from picloud.core.errors import ServiceError
from picloud.core.interface import HostFunction, Signature
from picloud.sandbox import abi, capi
from picloud.sandbox.engine import SLICE_FUEL, Engine
from picloud.sandbox.limits import FIXED, MIB, Limits
from picloud.sandbox.outcome import Figures, LogLine
from picloud.sandbox.threads import Threads

LOOP_FUEL = 3 * SLICE_FUEL
COMPILE_FUEL = 20_000_000_000
CALL_FUEL = 1_000
"""What a host call costs, besides one fuel for each byte in and out."""

MAX_REQUEST = 16 * MIB
MAX_ANSWER = FIXED["max_response_body"] + MIB


class Stopped(Exception):
    """The host ended the execution.

    Attributes:
        code: the outcome's code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Run:
    """A guest instance and what it may do. Use once; `close` is owed in every case.

    Attributes:
        figures: filled while it runs.
        logs: lines the script logged.
        logs_dropped: lines over the limits.
        suspended: the guest waits for a host call.
    """

    def __init__(self, engine: Engine, threads: Threads, limits: Limits, deadline: float) -> None:
        """Instantiate a guest: it can compile, and run after `begin`.

        Args:
            engine: what to instantiate.
            threads: where it computes when that takes long.
            limits: what it may use.
            deadline: when it is stopped, in seconds of `time.monotonic`.

        Raises:
            Stopped: the memory limit is below what the interpreter begins with.
            capi.WasmError: no free slot.
        """
        self._engine, self._threads, self._limits = engine, threads, limits
        self._functions: Mapping[str, HostFunction] | None = None
        self._call: object = None
        self._deadline = deadline
        self._pending: tuple[Signature, Coroutine[Any, Any, object] | _Begun] | None = None
        self._word: int | None = None
        self._deferred: tuple[bytes, int] | None = None
        self._on_loop = True
        self._fuel = self._accounted = COMPILE_FUEL  # left at the last host call; as counted in _loop_fuel
        self._loop_fuel = 0
        self._counted = self._log_bytes = 0
        self.figures = Figures()
        self.logs: list[LogLine] = []
        self.logs_dropped = 0
        self.suspended = False
        if limits.memory_limit_mb << 20 < len(engine.pristine):
            raise Stopped("memory_limit", "the interpreter alone needs more memory")
        memory = limits.memory_limit_mb << 20
        self.guest = capi.Guest(engine.template, memory, COMPILE_FUEL, SLICE_FUEL, self)

    def begin(self, functions: Mapping[str, HostFunction], call: object) -> None:
        """Let the guest call the host; the fuel of the limits is what it has from here on.

        Args:
            functions: the host functions, by import name.
            call: passed to every host function as its first argument.
        """
        self._functions, self._call = functions, call
        self._fuel = self._accounted = self._limits.max_fuel
        self._loop_fuel = 0
        self.guest.set_fuel(self._limits.max_fuel)

    async def invoke(self, export: bytes, data: bytes) -> bytes:
        """Call a function of the guest that takes and gives bytes.

        Args:
            export: `compile` or `run`.
            data: its input.

        Returns:
            Its answer, copied out of the guest.

        Raises:
            Stopped: a limit of the host's was reached.
            capi.Trap: the guest trapped.
            interface.InterfaceViolation: the guest broke its interface.
        """
        address, capacity = self._engine.info.input
        if len(data) > capacity:
            self.guest.start(b"reserve", len(data))
            await self._drive()
            address = self.guest.result()
            if not address:
                raise Stopped("memory_limit", "the request does not fit into the script's memory")
        try:
            self.guest.write(address, data)
            self.guest.start(export, address, len(data))
            await self._drive()
            pointer, length = abi.unpack_address(self.guest.result())
            if length > MAX_ANSWER:
                raise interface.InterfaceViolation(f"{export.decode()}: an answer of {length} bytes")
            return self.guest.read(pointer, length)
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None

    def close(self) -> None:
        """Unwind the guest and free it; the final figures are taken here."""
        if self._pending is not None:
            self._pending[1].close()
            self._pending = None
        self.guest.unwind()
        if self._functions is not None:
            self.figures.fuel = self._limits.max_fuel - self.guest.fuel()
        self.figures.peak_memory_bytes = self.guest.memory_size()
        self.guest.close()

    def out_of_memory(self) -> bool:
        """Whether the guest's allocator was refused memory before it trapped."""
        return self.guest.read(self._engine.info.oom, 4) != bytes(4)

    async def _drive(self) -> None:
        """Poll until the call ends."""
        guest = self.guest
        while True:
            if self._loop_fuel <= LOOP_FUEL:
                ended = guest.poll()
            else:
                self._on_loop = False
                try:
                    ended = await self._threads.turn(guest, self._deadline)
                finally:
                    self._on_loop = True
            if ended:
                return
            if self.suspended:
                await self._finish_host_call()
            else:
                self._accounted -= SLICE_FUEL
                self._loop_fuel += SLICE_FUEL
                if self._loop_fuel <= LOOP_FUEL:
                    await asyncio.sleep(0)
            if time.monotonic() >= self._deadline:
                raise self._timeout()

    def called(self, index: int, pointer: int, length: int) -> int | None:
        """A host call: runs in the middle of guest code, on its stack (see `capi.OnCall`)."""
        if self._functions is None:
            raise interface.InterfaceViolation("a host call while compiling")
        functions = self._engine.interface.hosts
        if index == len(functions):
            return self._take_reply(pointer, length)
        signature = functions[index]
        name = signature.name
        self.figures.host_calls[name] = self.figures.host_calls.get(name, 0) + 1
        if signature.counted:
            self._counted += 1
            if self._counted > self._limits.max_host_calls:
                raise Stopped("host_call_budget", f"more than {self._limits.max_host_calls} host calls")
        self._fuel = self.guest.fuel()
        self._burn(CALL_FUEL + length)
        if length > MAX_REQUEST:
            refusal = f"more than {MAX_REQUEST} bytes in one call"
            return self._turn_over(self._reply(abi.encode_error(refusal), abi.ERROR_BIT))
        try:
            params = signature.decode(self.guest.read(pointer, length))
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None
        if name == "log_write":
            self._log(*params)  # type: ignore[arg-type]  # decoded by its signature
            return self._turn_over(self._reply(interface.NIL, 0))
        work = self._functions[name](self._call, *params)
        if not self._on_loop:  # a service belongs to the loop; it will run when this thread's turn ends
            self._suspend(signature, work)
            return None
        return self._begin(signature, work)

    def _begin(self, signature: Signature, work: Coroutine[Any, Any, object]) -> int | None:
        """Run a service's first step at once: what needs no waiting is answered without suspending."""
        began = time.perf_counter()
        try:
            first = work.send(None)
        except StopIteration as stop:
            reply = self._reply(signature.encode(stop.value), 0)
        except ServiceError as error:
            reply = self._reply(abi.encode_error(str(error)), abi.ERROR_BIT)
        else:
            self._suspend(signature, _Begun(work, first))
            return None
        finally:
            self.figures.host_call_ms += (time.perf_counter() - began) * 1000
        return self._turn_over(reply)

    def _turn_over(self, word: int) -> int | None:
        """Answer at once, unless the guest has had its slice: then it is suspended for others to run.

        Setting the fuel begins a new slice, so without this a guest that keeps calling would never yield:
        not to the loop, and on a thread not to its deadline either.
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
        else:
            assert self._pending is not None
            signature, work = self._pending
            began = time.perf_counter()
            limit = asyncio.timeout(self._deadline - time.monotonic())
            try:
                async with limit:
                    result = await work
                word = self._reply(signature.encode(result), 0)
            except ServiceError as error:
                word = self._reply(abi.encode_error(str(error)), abi.ERROR_BIT)
            except TimeoutError:
                if not limit.expired():  # by the loop's clock, which may be ahead of the deadline's
                    raise  # the service's own, which it should have translated
                raise self._timeout() from None
            finally:
                self._pending = None
                self.figures.host_call_ms += (time.perf_counter() - began) * 1000
        self.suspended = False
        self.guest.answer(word)

    def _reply(self, data: bytes, flags: int) -> int:
        """Put a reply where the guest finds it, and make the word that tells how."""
        self._burn(len(data))
        self.guest.set_fuel(self._fuel)
        address, capacity = self._engine.info.reply
        if len(data) > capacity:
            self._deferred = (data, flags)
            return len(data) | flags | abi.DEFERRED_BIT
        self.guest.write(address, data)
        return len(data) | flags

    def _take_reply(self, pointer: int, length: int) -> int:
        if self._deferred is None or length < len(self._deferred[0]):
            raise interface.InterfaceViolation("reply_take: there is no such reply")
        (data, flags), self._deferred = self._deferred, None
        try:
            self.guest.write(pointer, data)
        except IndexError as error:
            raise interface.InterfaceViolation(str(error)) from None
        return len(data) | flags

    def _burn(self, amount: int) -> None:
        """Charge the guest for a host call; it feels that when it goes on (`_reply` sets its fuel)."""
        self._fuel -= amount
        if self._fuel <= 0:
            self.guest.set_fuel(0)
            raise Stopped("fuel_budget", f"more than {self._limits.max_fuel} fuel")

    def _log(self, level: str, message: str, data: str | None) -> None:
        size = sum(len(text.encode()) for text in (level, message, data or ""))
        self._log_bytes += size
        if len(self.logs) >= FIXED["max_log_lines"] or self._log_bytes > FIXED["max_log_bytes"]:
            self._log_bytes -= size
            self.logs_dropped += 1
            return
        self.logs.append(LogLine(level, message, data, time.time() * 1000))

    def _timeout(self) -> Stopped:
        return Stopped("timeout", f"longer than {self._limits.timeout_seconds} seconds")


class _Begun:
    """A coroutine whose first step has run, as something to await.

    Awaiting goes on where the first step stopped: what it waits for is yielded to the task first.
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
