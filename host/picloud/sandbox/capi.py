r"""wasmtime's C API, typed: the only file of PiCloud that touches ctypes.

The public `wasmtime` Python classes cannot run guest code as a future, so this declares the few C
functions an execution needs, on the library that the `wasmtime` package ships (exactly pinned: the
layouts below are those of `wasmtime.h` of that version, and `tests/unit/sandbox/test_capi.py`
compares them with the package's own declarations).

Two handles on the same library: calls through `_held` keep the GIL, which is right for the many calls
of well under a microsecond; `_released` gives the GIL up and is for running guest code on a thread.

How a host call suspends without a second callback: wasmtime asks a *continuation* function of type
`bool f(void *env)` whether the call is complete. Ours is C's `strlen` on a two-byte string of the
guest's block: "" (0, pending) until the reply is written, then "\x01" (1, complete). So polling a
suspended guest never enters Python.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Callable, Iterable
from ctypes import c_bool, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from wasmtime import _bindings

from picloud.sandbox.slots import FreedSlots

WASMTIME_VERSION: Final = "50.0.1"
PAGE: Final = 65_536

_I32, _I64 = 0, 1
_EXTERN_FUNC, _EXTERN_MEMORY = b"\0", b"\3"

_path: str = _bindings.dll._name  # type: ignore[attr-defined]  # the library the package loaded
_held = ctypes.PyDLL(_path)
_released = ctypes.CDLL(_path)
_strlen = ctypes.cast(ctypes.CDLL(None).strlen, c_void_p).value or 0
_memcmp = ctypes.PyDLL(None).memcmp
_memcmp.argtypes = (c_void_p, c_void_p, c_size_t)
_madvise = ctypes.PyDLL(None, use_errno=True).madvise
_madvise.argtypes = (c_void_p, c_size_t, ctypes.c_int)
_madvise_released = ctypes.CDLL(None).madvise
_madvise_released.argtypes = _madvise.argtypes
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc


def _declare(name: str, result: Any, *arguments: Any, library: ctypes.CDLL = _held) -> Callable[..., Any]:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]  # ctypes knows no signature


_P, _S = c_void_p, c_size_t
_error_message = _declare("wasmtime_error_message", None, _P, _P)
_error_delete = _declare("wasmtime_error_delete", None, _P)
_trap_message = _declare("wasm_trap_message", None, _P, _P)
_trap_code = _declare("wasmtime_trap_code", c_bool, _P, _P)
_trap_delete = _declare("wasm_trap_delete", None, _P)
_byte_vec_delete = _declare("wasm_byte_vec_delete", None, _P)
_config_new = _declare("wasm_config_new", _P)
_pool_new = _declare("wasmtime_pooling_allocation_config_new", _P)
_pool_delete = _declare("wasmtime_pooling_allocation_config_delete", None, _P)
_pool_use = _declare("wasmtime_pooling_allocation_strategy_set", None, _P, _P)
_engine_new = _declare("wasm_engine_new_with_config", _P, _P)
_engine_delete = _declare("wasm_engine_delete", None, _P)
_module_new = _declare("wasmtime_module_new", _P, _P, ctypes.c_char_p, _S, _P, library=_released)
_module_serialize = _declare("wasmtime_module_serialize", _P, _P, _P)
_module_load = _declare("wasmtime_module_deserialize_file", _P, _P, ctypes.c_char_p, _P)
_module_delete = _declare("wasmtime_module_delete", None, _P)
_linker_new = _declare("wasmtime_linker_new", _P, _P)
_linker_delete = _declare("wasmtime_linker_delete", None, _P)
_valtype_new = _declare("wasm_valtype_new", _P, c_uint8)
_valtype_vec_new = _declare("wasm_valtype_vec_new", None, _P, _S, _P)
_functype_new = _declare("wasm_functype_new", _P, _P, _P)
_functype_delete = _declare("wasm_functype_delete", None, _P)
_instantiate_pre = _declare("wasmtime_linker_instantiate_pre", _P, _P, _P, _P)
_pre_delete = _declare("wasmtime_instance_pre_delete", None, _P)
_store_new = _declare("wasmtime_store_new", _P, _P, _P, _P)
_store_delete = _declare("wasmtime_store_delete", None, _P)
_store_context = _declare("wasmtime_store_context", _P, _P)
_store_limiter = _declare("wasmtime_store_limiter", None, _P, c_int64, c_int64, c_int64, c_int64, c_int64)
_caller_context = _declare("wasmtime_caller_context", _P, _P)
_set_fuel = _declare("wasmtime_context_set_fuel", _P, _P, c_uint64)
_get_fuel = _declare("wasmtime_context_get_fuel", _P, _P, _P)
_yield_interval = _declare("wasmtime_context_fuel_async_yield_interval", _P, _P, c_uint64)
_instantiate = _declare("wasmtime_instance_pre_instantiate_async", _P, _P, _P, _P, _P, _P)
_export_get = _declare("wasmtime_instance_export_get", c_bool, _P, _P, ctypes.c_char_p, _S, _P)
_memory_data = _declare("wasmtime_memory_data", _P, _P, _P)
_memory_size = _declare("wasmtime_memory_data_size", _S, _P, _P)
_memory_grow = _declare("wasmtime_memory_grow", _P, _P, _P, c_uint64, _P)
_call = _declare("wasmtime_func_call_async", _P, _P, _P, _P, _S, _P, _S, _P, _P)
_poll_held = _declare("wasmtime_call_future_poll", c_bool, _P)
_poll_released = _declare("wasmtime_call_future_poll", c_bool, _P, library=_released)
_future_delete = _declare("wasmtime_call_future_delete", None, _P)
_HostCallback = ctypes.CFUNCTYPE(None, _P, _P, _P, _S, _P, _S, _P, _P)
_define_async = _declare(
    "wasmtime_linker_define_async_func",
    _P,
    _P,
    ctypes.c_char_p,
    _S,
    ctypes.c_char_p,
    _S,
    _P,
    _HostCallback,
    _P,
    _P,
)

# One block of C memory per live guest, laid out by hand: allocating it once and reusing it is a third of
# the cost of an execution's ctypes objects. Offsets in bytes; sizes from wasmtime.h.
_INSTANCE, _FUNC, _MEMORY = 0, 16, 48  # wasmtime_instance_t 16, wasmtime_extern_t 32 each (payload at +8)
_ARGUMENTS, _RESULT = 80, 144  # wasmtime_val_t is 32: kind at +0, value at +8
_TRAP, _ERROR, _READY, _FUEL, _BLOCK = 176, 184, 192, 200, 208
_TWO_I32 = struct.Struct("=B7xI20xB7xI20x")
_ONE_I64 = struct.Struct("=B7xq")
_TWO_POINTERS = struct.Struct("=QQ")
_ONE_U64 = struct.Struct("=Q")

# wasmtime/trap.h
TRAP_STACK_OVERFLOW, TRAP_UNREACHABLE, TRAP_OUT_OF_FUEL = 0, 9, 11


class WasmError(Exception):
    """An error of wasmtime: invalid module, no free slot in the pool, or a failure in the host."""


class Trap(Exception):
    """The guest trapped.

    Attributes:
        code: wasmtime's trap code (`TRAP_*`), or None for a trap without one.
    """

    def __init__(self, code: int | None, message: str) -> None:
        """Create a trap from the code and message of wasmtime."""
        super().__init__(message)
        self.code = code


def _take_message(reader: Callable[..., Any], pointer: int) -> str:
    vector = (c_size_t * 2)()
    reader(pointer, ctypes.addressof(vector))
    text = ctypes.string_at(vector[1], vector[0]).decode(errors="replace").rstrip("\0")
    _byte_vec_delete(ctypes.addressof(vector))
    return text


def _check(error: int | None) -> None:
    if error:
        message = _take_message(_error_message, error)
        _error_delete(error)
        raise WasmError(message)


def give_back(address: int, length: int) -> None:
    """Give the pages of a freed slot back to the kernel.

    A freed slot of the pool holds the initial memory of the module and zeros, and the kernel makes the same
    of pages that were given back (MADV_DONTNEED, Linux). So wasmtime does not see a difference.
    """
    if sys.platform == "linux":
        _madvise(address, length, mmap.MADV_DONTNEED)


def trim_heap() -> None:
    """Give the free pages of the C heap back to the kernel (glibc)."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class WasmEngine:
    """A wasmtime engine with fuel metering, asynchronous calls and a pool of instance slots.

    Attributes:
        freed: the slots that keep pages of guests that have ended.
    """

    def __init__(
        self, slots: int, max_memory: int, max_wasm_stack: int, async_stack: int, keep_resident: int
    ) -> None:
        """Create an engine.

        Args:
            slots: maximum of guest instances; each only reserves address space.
            max_memory: largest linear memory of an instance, in bytes.
            max_wasm_stack: maximum stack of a guest, in bytes.
            async_stack: size of the separate stack of an execution, in bytes; the part above
                `max_wasm_stack` is for host calls, which run on it.
            keep_resident: bytes of a freed slot's memory that are zeroed rather than given back
                to the kernel, which saves page faults at the next use.

        Raises:
            WasmError: the installed wasmtime is not the supported version.
        """
        if (installed := version("wasmtime")) != WASMTIME_VERSION:
            raise WasmError(f"wasmtime {WASMTIME_VERSION} is required, but {installed} is installed")
        config = _config_new()
        for name, kind, value in (
            ("consume_fuel", c_bool, True),
            ("memory_may_move", c_bool, False),
            ("wasm_threads", c_bool, False),
            ("wasm_memory64", c_bool, False),
            ("wasm_multi_memory", c_bool, False),
            ("wasm_gc", c_bool, False),
            ("wasm_component_model", c_bool, False),
            ("wasm_wide_arithmetic", c_bool, True),
            ("cranelift_opt_level", c_uint8, 1),  # speed
            ("max_wasm_stack", c_size_t, max_wasm_stack),
            ("async_stack_size", c_size_t, async_stack),
        ):
            _declare(f"wasmtime_config_{name}_set", None, _P, kind)(config, value)
        pool = _pool_new()
        for name, value in (
            ("total_core_instances", slots),
            ("total_memories", slots),
            ("total_tables", slots),
            ("total_stacks", slots),
            ("max_memory_size", max_memory),
            ("table_elements", TABLE_ELEMENTS),
            ("linear_memory_keep_resident", keep_resident),
            ("table_keep_resident", TABLE_ELEMENTS * 8),
            ("async_stack_keep_resident", 64 * 1024),
            ("max_unused_warm_slots", slots),
        ):
            _declare(f"wasmtime_pooling_allocation_config_{name}_set", None, _P, c_size_t)(pool, value)
        _pool_use(config, pool)
        _pool_delete(pool)
        self._keep_resident = keep_resident
        self.freed = FreedSlots(give_back)
        self._pointer = _engine_new(config)
        if not self._pointer:
            raise WasmError("wasmtime could not create an engine with this configuration")

    def compile(self, wasm: bytes) -> bytes:
        """Compile a module to machine code.

        Args:
            wasm: a WebAssembly binary.

        Returns:
            The serialized artifact that `Template` loads; only for this engine configuration and CPU.

        Raises:
            WasmError: the module is not valid.
        """
        module, vector = c_void_p(), (c_size_t * 2)()
        _check(_module_new(self._pointer, wasm, len(wasm), ctypes.addressof(module)))
        try:
            _check(_module_serialize(module, ctypes.addressof(vector)))
            artifact = ctypes.string_at(vector[1], vector[0])
            _byte_vec_delete(ctypes.addressof(vector))
            return artifact
        finally:
            _module_delete(module)

    def close(self) -> None:
        """Free the engine. Close its templates and guests first."""
        self.freed.forget()
        _engine_delete(self._pointer)


TABLE_ELEMENTS: Final = 10_000

OnCall = Callable[["Guest", int, int, int], int | None]
"""Called during guest code: (guest, import index, pointer, length) -> the reply word, or None to suspend
the guest until `Guest.answer`. It runs on the polling thread, on the stack of the guest."""


class Template:
    """A compiled module with bound imports; creates guests."""

    def __init__(self, engine: WasmEngine, artifact: Path, imports: list[str], on_call: OnCall) -> None:
        """Load a compiled artifact and bind its imports.

        Args:
            engine: the engine it was compiled for.
            artifact: file written from `Engine.compile`; it is machine code and must be trusted.
            imports: names of the host functions under module `picloud`, each `(i32, i32) -> i64`.
            on_call: receives every call of an import, with the index into `imports`.

        Raises:
            WasmError: the artifact does not fit this engine, or needs an import not listed.
        """
        self._engine = engine
        self._module, self._pre = c_void_p(), c_void_p()
        self._guests: dict[int, Guest] = {}
        self._blocks: list[ctypes.Array[ctypes.c_char]] = []
        self._callbacks = [self._callback(index, on_call) for index in range(len(imports))]
        _check(_module_load(engine._pointer, str(artifact).encode(), ctypes.addressof(self._module)))
        linker = _linker_new(engine._pointer)
        signature = self._signature()
        try:
            for name, callback in zip(imports, self._callbacks, strict=True):
                encoded = name.encode()
                _check(
                    _define_async(
                        linker, b"picloud", 7, encoded, len(encoded), signature, callback, None, None
                    )
                )
            _check(_instantiate_pre(linker, self._module, ctypes.addressof(self._pre)))
        except WasmError:
            _module_delete(self._module)
            raise
        finally:
            _functype_delete(signature)
            _linker_delete(linker)

    @staticmethod
    def _signature() -> int:
        def vector(*kinds: int) -> Any:
            types = (c_void_p * len(kinds))(*(_valtype_new(kind) for kind in kinds))
            made = (c_size_t * 2)()
            _valtype_vec_new(ctypes.addressof(made), len(kinds), ctypes.addressof(types))
            return made

        parameters, results = vector(_I32, _I32), vector(_I64)
        return int(_functype_new(ctypes.addressof(parameters), ctypes.addressof(results)))

    def _callback(self, index: int, on_call: OnCall) -> Any:
        guests = self._guests

        def called(
            _d: int, caller: int, arguments: int, _n: int, results: int, _m: int, _t: int, then: int
        ) -> None:
            guest = guests[_caller_context(caller)]
            continuation = (c_size_t * 3).from_address(then)
            continuation[0], continuation[1], continuation[2] = _strlen, guest._address + _READY, 0
            guest._reply = results
            c_uint8.from_address(results).value = _I64
            try:
                pointer = c_uint32.from_address(arguments + 8).value
                length = c_uint32.from_address(arguments + 40).value
                word = on_call(guest, index, pointer, length)
            except (
                BaseException
            ) as error:  # an exception must not unwind through wasm; `poll` raises it again
                guest.failure = error
                word = None
            if word is None:
                guest._block[_READY] = b"\0"
            else:
                guest.answer(word)

        return _HostCallback(called)

    def close(self) -> None:
        """Free the module. Close its guests first."""
        _pre_delete(self._pre)
        _module_delete(self._module)


class Guest:
    """One store with one guest instance, for one use.

    Only one thread can poll it at a time. The caller must call `close`, also on error.

    Attributes:
        owner: the object that polls this guest, for the `on_call` function.
        failure: an exception raised inside a host call; the guest is suspended permanently.
    """

    __slots__ = (
        "_address",
        "_base",
        "_block",
        "_context",
        "_future",
        "_reply",
        "_size",
        "_store",
        "_template",
        "failure",
        "owner",
    )

    def __init__(
        self, template: Template, memory_limit: int, fuel: int, slice_fuel: int, owner: Any = None
    ) -> None:
        """Create an instance of the template.

        Args:
            template: the template.
            memory_limit: largest linear memory, in bytes.
            fuel: fuel of the guest.
            slice_fuel: fuel after which `poll` returns, so that others can run.
            owner: see the attributes.

        Raises:
            WasmError: no free slot, the module needs more than the limits, or its start function calls out.
            Trap: its start function trapped.
        """
        self._template, self.owner = template, owner
        self.failure: BaseException | None = None
        self._future: int | None = None
        self._reply = self._size = self._base = 0
        self._block = template._blocks.pop() if template._blocks else ctypes.create_string_buffer(_BLOCK)
        self._address = address = ctypes.addressof(self._block)
        self._store = _store_new(template._engine._pointer, None, None)
        try:
            self._context = context = _store_context(self._store)
            template._guests[context] = self
            self.set_memory_limit(memory_limit)
            _check(_set_fuel(context, slice_fuel))  # the limit of a start function, which is not interrupted
            _TWO_POINTERS.pack_into(self._block, _TRAP, 0, 0)
            future = _instantiate(template._pre, context, address, address + _TRAP, address + _ERROR)
            ended = _poll_held(future)
            _future_delete(future)
            self._raise_if_failed()
            if not ended:  # its instance was never written
                raise WasmError("a start function must not call the host")
            _check(_set_fuel(context, fuel))
            _check(_yield_interval(context, slice_fuel))
            if not self._export(b"memory", _MEMORY, _EXTERN_MEMORY):
                raise WasmError("the module exports no memory")
            self._base = _memory_data(context, address + _MEMORY + 8)
            template._engine.freed.take(self._base)
        except BaseException:
            self.close()
            raise

    def exports(self, name: bytes) -> bool:
        """Return whether the module exports a function."""
        return self._export(name, _FUNC, _EXTERN_FUNC)

    def start(self, export: bytes, *arguments: int) -> None:
        """Start a call of an exported function; `poll` runs it.

        Args:
            export: its name.
            arguments: none, one or two i32 arguments, as unsigned.

        Raises:
            WasmError: the function does not exist, or has another signature.
        """
        address = self._address
        if not self._export(export, _FUNC, _EXTERN_FUNC):
            raise WasmError(f"the module exports no function {export.decode()}")
        first, second = (*arguments, 0, 0)[:2]
        _TWO_I32.pack_into(self._block, _ARGUMENTS, _I32, first, _I32, second)
        self._future = _call(
            self._context,
            address + _FUNC + 8,
            address + _ARGUMENTS,
            len(arguments),
            address + _RESULT,
            1,
            address + _TRAP,
            address + _ERROR,
        )

    def poll(self) -> bool:
        """Run guest code on this thread until it ends, suspends, or has used its slice.

        Returns:
            True when the call ended; `result` has its value.

        Raises:
            Trap: the guest trapped.
            WasmError: wasmtime failed.
        """
        return self._polled(_poll_held(self._future))

    def poll_releasing_gil(self) -> bool:
        """Like `poll`, but releases the GIL, so that other Python threads run."""
        return self._polled(_poll_released(self._future))

    def _polled(self, ended: bool) -> bool:
        if self.failure is not None:
            raise self.failure
        if ended:
            _future_delete(self._future)
            self._future = None
            self._raise_if_failed()
        return ended

    def result(self) -> int:
        """Return the result of the ended call: an i32 or i64, as unsigned 64 bits."""
        kind, value = _ONE_I64.unpack_from(self._block, _RESULT)
        return int(value) & (0xFFFF_FFFF if kind == _I32 else 0xFFFF_FFFF_FFFF_FFFF)

    def answer(self, word: int) -> None:
        """Set the reply word of the current host call; the next poll continues the guest."""
        c_uint64.from_address(self._reply + 8).value = word
        self._block[_READY] = b"\1"

    def fuel(self) -> int:
        """Return the remaining fuel."""
        _check(_get_fuel(self._context, self._address + _FUEL))
        left: int = _ONE_U64.unpack_from(self._block, _FUEL)[0]
        return left

    def set_fuel(self, fuel: int) -> None:
        """Set the remaining fuel; a negative amount, which would mean unlimited, is set to 0."""
        _check(_set_fuel(self._context, max(fuel, 0)))

    def set_memory_limit(self, limit: int) -> None:
        """Set the largest linear memory, in bytes, while no guest code runs."""
        _store_limiter(self._store, limit, TABLE_ELEMENTS, 1, 4, 1)

    def memory_size(self) -> int:
        """Return the size of the linear memory in bytes; it never shrinks."""
        self._size = int(_memory_size(self._context, self._address + _MEMORY + 8))
        return self._size

    def _holds(self, pointer: int, length: int) -> bool:
        """Return whether a range is inside the linear memory, which never shrinks."""
        end = pointer + length
        return pointer >= 0 and length >= 0 and (end <= self._size or end <= self.memory_size())

    def load(self, size: int, runs: tuple[tuple[int, bytes], ...]) -> None:
        """Grow the linear memory to `size` bytes and write pages into it.

        Args:
            size: in bytes, a multiple of `PAGE`.
            runs: (address, content), each within `size`.

        Raises:
            WasmError: the memory limit does not allow it.
        """
        missing = size - self.memory_size()
        if missing > 0:
            memory, before = self._address + _MEMORY + 8, self._address + _FUEL
            _check(_memory_grow(self._context, memory, missing // PAGE, before))
        base, copy = self._base, ctypes.memmove
        for start, content in runs:
            copy(base + start, content, len(content))

    def read(self, pointer: int, length: int) -> bytes:
        """Copy bytes out of the guest.

        Raises:
            IndexError: the range is not inside the linear memory; nothing was read.
        """
        if not self._holds(pointer, length):
            raise IndexError(f"guest memory has no {length} bytes at {pointer}")
        return ctypes.string_at(self._base + pointer, length)

    def write(self, pointer: int, data: bytes) -> None:
        """Copy bytes into the guest.

        Raises:
            IndexError: the range is not inside the linear memory; nothing was written.
        """
        if not self._holds(pointer, len(data)):
            raise IndexError(f"guest memory has no {len(data)} bytes at {pointer}")
        ctypes.memmove(self._base + pointer, data, len(data))

    def differences(self, reference: bytes, ranges: Iterable[tuple[int, int]], step: int) -> list[int]:
        """Find the pages that differ from earlier content.

        Args:
            reference: what it was, from address 0; what it has grown since was zero.
            ranges: the (start, end) to look at, multiples of `step`, in order, not beyond the memory's end.
            step: bytes compared at a time, down from blocks of 16 of them.

        Returns:
            The addresses of the steps that differ, in order.
        """
        old, base, zeros = (
            ctypes.cast(ctypes.c_char_p(reference), c_void_p).value or 0,
            self._base,
            ctypes.create_string_buffer(step),
        )

        def changed(start: int, length: int) -> bool:
            return bool(_memcmp(base + start, old + start, length))

        found: list[int] = []
        for first, end in ranges:
            for block in range(first, min(end, len(reference)), 16 * step):
                block_end = min(block + 16 * step, end, len(reference))
                if changed(block, block_end - block):
                    found += (start for start in range(block, block_end, step) if changed(start, step))
            grown = range(max(first, len(reference)), end, step)
            found += (start for start in grown if _memcmp(base + start, ctypes.addressof(zeros), step))
        return found

    def give_back(self) -> None:
        """Give the pages back that `close` would, without the GIL; call it after `unwind`, on any thread.

        The memory is not used after that.
        """
        kept = self._template._engine._keep_resident
        if sys.platform == "linux" and self._size > kept:
            _madvise_released(self._base + kept, self._size - kept, mmap.MADV_DONTNEED)

    def unwind(self) -> None:
        """Cancel the current call, if any, and unwind its stack."""
        if self._future is not None:
            _future_delete(self._future)
            self._future = None

    def close(self) -> None:
        """Unwind and free everything. It can be called twice."""
        if self._store is None:
            return
        self.unwind()
        self._template._guests.pop(self._context, None)
        _store_delete(self._store)
        if self._base:
            engine = self._template._engine
            engine.freed.add(self._base, min(self._size, engine._keep_resident))
        self._store = self.owner = None  # leaves no reference cycle
        self._template._blocks.append(self._block)

    def _export(self, name: bytes, offset: int, kind: bytes) -> bool:
        """Write an export of a kind at `offset` of the block; wasmtime aborts on another kind."""
        address = self._address
        found = _export_get(self._context, address, name, len(name), address + offset)
        return found and self._block[offset] == kind

    def _raise_if_failed(self) -> None:
        trap, error = _TWO_POINTERS.unpack_from(self._block, _TRAP)
        if trap:
            code = ctypes.c_uint8()
            known = _trap_code(trap, ctypes.addressof(code))
            message = _take_message(_trap_message, trap)
            _trap_delete(trap)
            _TWO_POINTERS.pack_into(self._block, _TRAP, 0, 0)
            raise Trap(code.value if known else None, message)
        if error:
            _TWO_POINTERS.pack_into(self._block, _TRAP, 0, 0)
            _check(error)
