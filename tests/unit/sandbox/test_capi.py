"""The C layouts written down by hand are those of the wasmtime that is installed."""

from __future__ import annotations

import ctypes
import tomllib
from pathlib import Path

import pytest
from wasmtime import TrapCode, _ffi
from wasmtime import _bindings as theirs

from picloud.sandbox import capi


def test_the_installed_wasmtime_is_the_one_the_project_pins() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert f"wasmtime=={capi.WASMTIME_VERSION}" in project["project"]["dependencies"]


def test_another_wasmtime_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capi, "version", lambda _name: "51.0.0")
    with pytest.raises(capi.WasmError, match="51"):
        capi.WasmEngine(1, 1 << 20, 1 << 18, 1 << 19, 0)


def test_sizes_and_offsets_are_theirs() -> None:
    extern, val = theirs.wasmtime_extern_t, theirs.wasmtime_val_t
    assert ctypes.sizeof(theirs.wasmtime_instance_t) == capi._FUNC - capi._INSTANCE
    assert ctypes.sizeof(extern) == capi._MEMORY - capi._FUNC == capi._ARGUMENTS - capi._MEMORY
    assert extern.of.offset == 8
    assert ctypes.sizeof(val) == 32
    assert 2 * ctypes.sizeof(val) == capi._RESULT - capi._ARGUMENTS
    assert ctypes.sizeof(val) == capi._TRAP - capi._RESULT
    assert (val.kind.offset, val.of.offset) == (0, 8)
    assert ctypes.sizeof(ctypes.c_void_p) == 8
    assert ctypes.sizeof(theirs.wasmtime_async_continuation_t) == 3 * ctypes.sizeof(ctypes.c_size_t)
    assert theirs.wasmtime_async_continuation_t.callback.offset == 0
    assert theirs.wasmtime_async_continuation_t.env.offset == 8
    assert theirs.wasmtime_async_continuation_t.finalizer.offset == 16


def test_two_arguments_are_packed_where_wasmtime_reads_them() -> None:
    block = bytearray(64)
    capi._TWO_I32.pack_into(block, 0, capi._I32, 0xFFFF_FFFE, capi._I32, 7)
    values = (theirs.wasmtime_val_t * 2).from_buffer(block)
    assert [value.kind for value in values] == [_ffi.WASMTIME_I32.value] * 2
    assert [value.of.i32 for value in values] == [-2, 7]


def test_kinds_and_trap_codes_are_theirs() -> None:
    assert (_ffi.WASMTIME_I32.value, _ffi.WASMTIME_I64.value) == (capi._I32, capi._I64)
    assert TrapCode.STACK_OVERFLOW.value == capi.TRAP_STACK_OVERFLOW
    assert TrapCode.UNREACHABLE.value == capi.TRAP_UNREACHABLE
    assert _ffi.WASMTIME_EXTERN_FUNC.value == capi._EXTERN_FUNC[0]
    assert _ffi.WASMTIME_EXTERN_MEMORY.value == capi._EXTERN_MEMORY[0]


def test_every_function_takes_as_many_arguments_as_theirs() -> None:
    declared = {
        function.__name__: function
        for function in vars(capi).values()
        if isinstance(function, capi._held._FuncPtr)
    }
    assert len(declared) > 30
    for name, function in declared.items():
        their_own = getattr(theirs.dll, name)
        ours, original = function.argtypes, their_own.argtypes
        assert original is not None, name
        assert [ctypes.sizeof(kind) for kind in ours] == [ctypes.sizeof(kind) for kind in original], name
        results = (function.restype, their_own.restype)
        assert (results[0] is None) == (results[1] is None), name
        if None not in results:
            assert ctypes.sizeof(results[0]) == ctypes.sizeof(results[1]), name
