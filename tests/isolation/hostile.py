"""Guests written by an attacker: WebAssembly in place of the interpreter, with the same exports."""

from __future__ import annotations

from pathlib import Path

import ormsgpack
import wasmtime

from picloud.core.interface import Interface
from picloud.sandbox.engine import Engine

PAYLOAD, INPUT, REPLY, DATA = 1024, 4096, 8192, 16384


def guest(
    run: str,
    *,
    declarations: str = "",
    memory: str = "2",
    compile_answer: bytes = ormsgpack.packb([0, {"imports": []}]),
    run_answer: bytes = ormsgpack.packb([0, 1, 200, {}, 2, b"fine"]),
    reserve: str = "i32.const 0",
    compile_body: str = "",
) -> bytes:
    """A module whose `run` does what an attacker wants.

    Args:
        run: instructions of `run`'s body, before it answers; `(param $p i32) (param $n i32)` are its input.
        declarations: further module fields.
        memory: limits of the memory.
        compile_answer: what `compile` answers.
        run_answer: what `run` answers, if it ever gets there.
        reserve: instructions whose value `reserve` gives.
        compile_body: instructions of `compile`'s body, before it answers.
    """
    info = ormsgpack.packb(
        {
            "abi": 1,
            "sdk": "0.1",
            "rhai": "none",
            "interface": Interface.load().digest,
            "input": [INPUT, 2048],
            "reply": [REPLY, 2048],
            "oom": 0,
        }
    )
    blobs = [info, compile_answer, run_answer]
    starts = [DATA + sum(len(blob) for blob in blobs[:index]) for index in range(len(blobs))]
    words = [(start << 32) | len(blob) for start, blob in zip(starts, blobs, strict=True)]
    escaped = "".join(f"\\{byte:02x}" for byte in b"".join(blobs))
    return bytes(
        wasmtime.wat2wasm(f"""(module
          (import "picloud" "kv_get" (func $kv_get (param i32 i32) (result i64)))
          (import "picloud" "kv_set" (func $kv_set (param i32 i32) (result i64)))
          (import "picloud" "log_write" (func $log_write (param i32 i32) (result i64)))
          (import "picloud" "reply_take" (func $reply_take (param i32 i32) (result i64)))
          (import "picloud" "memory_reserve" (func $memory_reserve (param i32 i32) (result i64)))
          (memory (export "memory") {memory})
          (data (i32.const {DATA}) "{escaped}")
          {declarations}
          (func (export "info") (result i64) i64.const {words[0]})
          (func (export "reserve") (param i32) (result i32) {reserve})
          (func (export "compile") (param i32 i32) (result i64) {compile_body} i64.const {words[1]})
          (func (export "run") (param $p i32) (param $n i32) (result i64) {run} i64.const {words[2]}))""")
    )


def payload(data: bytes) -> str:
    """A module field that puts bytes at address `PAYLOAD`."""
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    return f'(data (i32.const {PAYLOAD}) "{escaped}")'


def call(function: str, data: bytes) -> str:
    """Instructions that call the host with what `payload(data)` placed."""
    return f"(call ${function} (i32.const {PAYLOAD}) (i32.const {len(data)}))"


def engine(folder: Path, module: bytes, slots: int = 4) -> Engine:
    """An engine that runs this guest."""
    file = folder / "guest.wasm"
    file.write_bytes(module)
    return Engine(folder / "cache", slots, 256, file)
