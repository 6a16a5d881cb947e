"""A guest that attacks: it ends with the outcome of the table, and the next execution is untouched."""

from __future__ import annotations

import asyncio
import logging
import time
import types
from collections.abc import Iterator
from pathlib import Path

import ormsgpack
import pytest
import wasmtime

from picloud.core.errors import ServiceError
from picloud.core.interface import InterfaceMismatch
from picloud.sandbox import capi, run
from picloud.sandbox.limits import FIXED, MIB
from picloud.sandbox.run import MAX_REQUEST
from tests.isolation import hostile
from tests.isolation.conftest import Target
from tests.isolation.hostile import call, payload
from tests.workbench import Workbench, computing, packed, until

ATTACK, PEACE = b"\x80", b"\x81\xc0\xc0"
GET = packed("c", "k")
LOG = packed("info", "m", None)
GROW = "(br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))"
ASK = f"""(br_if 0 (i64.ne (i64.const 0) (call $memory_reserve
  (i32.mul (i32.add (memory.size) (i32.const 16)) (i32.const {capi.PAGE})) (i32.const 0))))"""
ENDLESS = {"max_fuel": 50_000_000_000, "timeout_seconds": 1}


def armed(attack: str, **options: object) -> bytes:
    """A guest that attacks when its input is one byte long, and answers "fine" otherwise."""
    return hostile.guest(
        f"(if (i32.eq (local.get $n) (i32.const {len(ATTACK)})) (then {attack}))",
        **options,  # type: ignore[arg-type]
    )


async def untouched(workbench: Workbench) -> None:
    outcome = await workbench.raw(PEACE)
    assert outcome.code == "ok", outcome.error
    assert outcome.response is not None
    assert outcome.response.body == b"fine"
    assert outcome.figures.peak_memory_bytes == 2 * capi.PAGE
    assert outcome.logs == []
    assert outcome.figures.host_calls == {}


@pytest.fixture(autouse=True)
def no_platform_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of the platform's own may break; tests that break it on purpose clear the log."""
    yield
    assert not [record for record in caplog.records if record.msg == "an execution failed"]


TRAPS = {
    "deep recursion": ("(call $f)", "(func $f (call $f))"),
    "unreachable": ("unreachable", ""),
    "division by zero": ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", ""),
    "load outside": ("(drop (i32.load (i32.const -4)))", ""),
    "store outside": ("(i64.store (i32.const 131068) (i64.const 1))", ""),
    "null call": ("(call_indirect $t (i32.const 0))", "(table $t 1 funcref)"),
    "float out of range": ("(drop (i32.trunc_f64_s (f64.const 1e300)))", ""),
}


@pytest.mark.parametrize("name", TRAPS)
async def test_a_trap_is_a_script_error(name: str, target: Target) -> None:
    attack, declarations = TRAPS[name]
    workbench = target(armed(attack, declarations=declarations))
    outcome = await workbench.raw(ATTACK)
    assert (outcome.code, outcome.status) == ("script_error", 502)
    assert outcome.error is not None
    assert "wasm" not in outcome.error.message
    await untouched(workbench)


async def test_an_endless_loop_ends_when_its_fuel_is_used_up(target: Target) -> None:
    workbench = target(armed("(loop (br 0))"))
    outcome = await workbench.raw(ATTACK, max_fuel=50_000_000)
    assert (outcome.code, outcome.status) == ("fuel_budget", 507)
    assert outcome.figures.fuel == 50_000_000
    await untouched(workbench)


async def test_an_endless_loop_with_much_fuel_ends_at_its_deadline(target: Target) -> None:
    workbench = target(armed("(loop (br 0))"))
    outcome = await workbench.raw(ATTACK, **ENDLESS)
    assert (outcome.code, outcome.status) == ("timeout", 504)
    assert outcome.figures.fuel < ENDLESS["max_fuel"]
    await untouched(workbench)


async def test_bulk_operations_are_paid_by_the_byte(target: Target) -> None:
    fill = "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1000000))"
    workbench = target(armed(fill, memory="17"))
    outcome = await workbench.raw(ATTACK)
    assert outcome.code == "ok"
    assert outcome.figures.fuel >= 1_000_000


async def test_memory_grows_to_the_limit_and_no_further(target: Target) -> None:
    workbench = target(armed(f"(loop {GROW} {ASK})"))
    for limit in (1, 8, 256):
        outcome = await workbench.raw(ATTACK, memory_limit_mb=limit)
        assert outcome.code == "ok"
        assert limit * MIB - 16 * capi.PAGE < outcome.figures.peak_memory_bytes <= limit * MIB
    await untouched(workbench)


async def test_a_guest_that_does_not_ask_the_host_does_not_grow(target: Target) -> None:
    workbench = target(armed(f"(loop {GROW})"))
    outcome = await workbench.raw(ATTACK)
    assert outcome.code == "ok"
    assert outcome.figures.peak_memory_bytes < MIB
    await untouched(workbench)


@pytest.mark.parametrize("size", ["0", "1", "65535", "-1", "0x7fffffff", "0xffff0000"])
async def test_a_guest_that_asks_for_a_strange_amount_of_memory_gets_no_more_than_its_limit(
    target: Target, size: str
) -> None:
    ask = f"(drop (call $memory_reserve (i32.const {size}) (i32.const -1)))"
    workbench = target(armed(f"{ask} (loop {GROW})"))
    outcome = await workbench.raw(ATTACK, memory_limit_mb=2)
    assert outcome.code == "ok"
    assert outcome.figures.peak_memory_bytes <= 2 * MIB
    await untouched(workbench)


async def test_a_guest_that_asks_for_memory_for_ever_ends_by_its_fuel(target: Target) -> None:
    ask = "(drop (call $memory_reserve (i32.const 1000000) (i32.const 0)))"
    workbench = target(armed(f"(loop {ask} (br 0))"))
    outcome = await workbench.raw(ATTACK, max_fuel=20_000_000)
    assert outcome.code == "fuel_budget"
    await untouched(workbench)


async def test_a_guest_that_could_get_no_memory_ends_as_memory_limit(target: Target) -> None:
    workbench = target(armed("(i32.store (i32.const 0) (i32.const 1)) unreachable"))
    outcome = await workbench.raw(ATTACK)
    assert (outcome.code, outcome.status) == ("memory_limit", 507)
    await untouched(workbench)


async def test_a_table_grows_to_the_limit_and_no_further(target: Target) -> None:
    grow = f"""
      (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1))))
      (if (i32.gt_u (table.size $t) (i32.const {capi.TABLE_ELEMENTS})) (then unreachable))
      (if (i32.lt_u (table.size $t) (i32.const {capi.TABLE_ELEMENTS - 100})) (then unreachable))"""
    workbench = target(armed(grow, declarations="(table $t 1 funcref)"))
    assert (await workbench.raw(ATTACK)).code == "ok"
    await untouched(workbench)


async def test_memory_written_by_one_execution_is_not_there_for_the_next(target: Target) -> None:
    attack = "(i32.store (i32.const 120000) (i32.const 7)) (global.set $g (i32.const 7))"
    check = "(if (i32.or (i32.load (i32.const 120000)) (global.get $g)) (then unreachable))"
    workbench = target(hostile.guest(f"{check} {attack}", declarations="(global $g (mut i32) (i32.const 0))"))
    assert [(await workbench.raw()).code for _ in range(20)] == ["ok"] * 20


async def test_a_million_host_calls_end_at_the_budget(target: Target) -> None:
    served = 0

    async def get(_call: object, *_params: object) -> None:
        nonlocal served
        served += 1

    attack = f"(loop (drop {call('kv_get', GET)}) (br 0))"
    workbench = target(armed(attack, declarations=payload(GET)), kv_get=get)
    outcome = await workbench.raw(ATTACK)
    assert (outcome.code, outcome.status) == ("host_call_budget", 507)
    assert served == 1000
    await untouched(workbench)
    outcome = await workbench.raw(ATTACK, max_host_calls=3)
    assert outcome.code == "host_call_budget"
    assert served == 1003


async def test_host_calls_cost_fuel_by_the_byte_and_never_leave_less_than_none(target: Target) -> None:
    async def get(_call: object, *_params: object) -> bytes:
        return ormsgpack.packb(bytes(2000))

    attack = f"(loop (drop {call('kv_get', GET)}) (br 0))"
    workbench = target(armed(attack, declarations=payload(GET)), kv_get=get)
    outcome = await workbench.raw(ATTACK, max_fuel=100_000, max_host_calls=100_000)
    assert outcome.code == "fuel_budget"
    assert outcome.figures.fuel == 100_000
    assert outcome.figures.host_calls["kv_get"] == 100_000 // (1_000 + len(GET) + 2003) + 1
    await untouched(workbench)


WILD = [
    (-1, 1),
    (0, -1),
    (-1, -1),
    (-2, 4),
    (-(2**31), -(2**31)),
    (2**31 - 1, 2**31 - 1),
    (131072, 1),
    (131071, 2),
    (0, 131073),
    (65536, -65536),
    (1, -1),
]


@pytest.mark.parametrize(("pointer", "length"), WILD)
@pytest.mark.parametrize("function", ["kv_get", "log_write"])
async def test_an_argument_outside_the_memory_is_not_read(
    function: str, pointer: int, length: int, target: Target
) -> None:
    workbench = target(armed(f"(drop (call ${function} (i32.const {pointer}) (i32.const {length})))"))
    outcome = await workbench.raw(ATTACK, max_fuel=50_000_000_000)
    assert outcome.code == ("ok" if length % 2**32 > MAX_REQUEST else "script_error")  # ok: refused, not read
    assert outcome.logs == []
    await untouched(workbench)


GARBAGE = [
    b"",
    b"\xc1",
    b"\x92\xa1c",
    b"\x93\xa1c\xa1k\xc0",
    b"\x92\xa1c\xc4\x01k",
    b"\x92\xa1c\xa1\xff",
    b"\x81\xa1c\xa1k",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xd4\x01\x00",
    b"\x91" * 1000 + b"\xc0",
    b"\x92\xc0\xc0",
    b"\x92\x01\x02",
    b"\xa1c",
]


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: data[:8].hex() or "nothing")
async def test_an_invalid_host_call_is_a_violation(data: bytes, target: Target) -> None:
    served: list[object] = []

    async def get(_call: object, *params: object) -> None:
        served.append(params)

    attack = f"(drop {call('kv_get', data)})"
    workbench = target(armed(attack, declarations=payload(data)), kv_get=get)
    assert (await workbench.raw(ATTACK)).code == "script_error"
    assert served == []
    await untouched(workbench)


def take(pointer: int, length: int) -> str:
    return f"(drop (call $reply_take (i32.const {pointer}) (i32.const {length})))"


FETCH = f"(drop {call('kv_get', GET)})"
TAKES = {
    "a reply once": (FETCH + take(32768, 5003), "ok"),
    "a reply into more room": (FETCH + take(32768, 6000), "ok"),
    "no reply": (take(32768, 5003), "script_error"),
    "too small": (FETCH + take(32768, 5002), "script_error"),
    "twice": (FETCH + take(32768, 5003) + take(32768, 5003), "script_error"),
    "past the end": (FETCH + take(131072 - 5002, 5003), "script_error"),
    "wrapping around": (FETCH + take(-1, 5003), "script_error"),
    "negative length": (FETCH + take(131000, -1), "script_error"),
}


@pytest.mark.parametrize("name", TAKES)
async def test_a_large_reply_is_taken_once_and_only_into_memory(name: str, target: Target) -> None:
    async def get(_call: object, *_params: object) -> bytes:
        return ormsgpack.packb(bytes(5000))

    attack, code = TAKES[name]
    workbench = target(armed(attack, declarations=payload(GET)), kv_get=get)
    assert (await workbench.raw(ATTACK)).code == code
    await untouched(workbench)


@pytest.mark.parametrize(
    "word",
    [
        -1,
        0,
        (131072 << 32) | 1,
        (131071 << 32) | 2,
        0xFFFF_FFFF,
        (0xFFFF_FFFF << 32) | 1,
        (4 << 32) | 0xFFFF_FFFC,
        (hostile.DATA << 32) | 3,
    ],
)
async def test_an_invalid_response_is_a_script_error(word: int, target: Target) -> None:
    workbench = target(armed(f"(return (i64.const {word}))"))
    assert (await workbench.raw(ATTACK)).code == "script_error"
    await untouched(workbench)


@pytest.mark.parametrize("size", [9 * MIB, 200 * MIB])
async def test_a_response_of_a_million_tiny_values_is_not_decoded(size: int, target: Target) -> None:
    fill = f"(memory.fill (i32.const 0) (i32.const 0x80) (i32.const {size}))"
    head = "(i32.store (i32.const 0) (i32.const 0x007fffdd))"
    workbench = target(
        hostile.guest(f"{fill} {head} (return (i64.const {size}))", memory=str(size // capi.PAGE + 1))
    )
    assert (await workbench.raw(memory_limit_mb=256)).code == "script_error"


async def test_a_host_call_with_a_million_tiny_values_is_not_unpacked(target: Target) -> None:
    fill = f"(memory.fill (i32.const 65536) (i32.const 0x80) (i32.const {9 * MIB}))"
    head = "(i32.store (i32.const 65536) (i32.const 0x007fffdd))"
    ask = f"(drop (call $kv_get (i32.const 65536) (i32.const {9 * MIB})))"
    workbench = target(hostile.guest(f"{fill} {head} {ask}", memory="200"))
    assert (await workbench.raw()).code == "script_error"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xc1",
        ormsgpack.packb([0]),
        ormsgpack.packb([0, {}]),
        ormsgpack.packb([0, {"imports": None}]),
        ormsgpack.packb([1, "no"]),
        ormsgpack.packb([2, {"imports": []}]),
        ormsgpack.packb({"imports": []}),
        ormsgpack.packb(None),
    ],
)
async def test_an_invalid_compile_result_is_a_script_error(answer: bytes, target: Target) -> None:
    workbench = target(hostile.guest("", compile_answer=answer))
    for _ in range(2):
        outcome = await workbench.raw()
        assert outcome.code == "script_error"
        assert outcome.figures.cache == "cold"  # and it was not kept


async def test_a_compile_that_calls_the_host_is_a_script_error(target: Target) -> None:
    body = f"(drop {call('kv_get', GET)})"
    workbench = target(hostile.guest("", compile_body=body, declarations=payload(GET)))
    assert (await workbench.raw()).code == "script_error"


async def test_a_compile_that_does_not_end_is_stopped(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picloud.sandbox.run.COMPILE_FUEL", 30_000_000)
    workbench = target(hostile.guest("", compile_body="(loop (br 0))"))
    assert (await workbench.raw()).code == "fuel_budget"


async def test_an_input_without_room_in_the_guest_is_memory_limit(target: Target) -> None:
    workbench = target(hostile.guest("", reserve="i32.const 0"))
    assert (await workbench.raw(bytes(3000))).code == "memory_limit"


@pytest.mark.parametrize("address", [-1, 131000, 131072, 2**31 - 1, -(2**31)])
async def test_an_input_is_not_written_outside_the_memory(address: int, target: Target) -> None:
    workbench = target(hostile.guest("", reserve=f"i32.const {address}"))
    assert (await workbench.raw(bytes(3000))).code == "script_error"


async def test_a_log_flood_is_cut_and_counted(target: Target) -> None:
    attack = f"""(local.set $n (i32.const 3000))
      (loop (drop {call("log_write", LOG)})
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""
    workbench = target(armed(attack, declarations=payload(LOG)))
    outcome = await workbench.raw(ATTACK)
    assert outcome.code == "ok"
    assert (len(outcome.logs), outcome.logs_dropped) == (1000, 2000)
    await untouched(workbench)


@pytest.mark.parametrize(
    "line", [packed("L" * 2000, "m", None), packed("i", "é" * 1000, None), packed("i", "m", "d" * 2000)]
)
async def test_log_bytes_are_bounded_wherever_they_stand(line: bytes, target: Target) -> None:
    attack = f"""(local.set $n (i32.const 900))
      (loop (drop {call("log_write", line)})
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""
    outcome = await target(armed(attack, declarations=payload(line))).raw(ATTACK)
    kept = sum(len((one.level + one.message + (one.data or "")).encode()) for one in outcome.logs)
    assert kept <= FIXED["max_log_bytes"]
    assert len(outcome.logs) + outcome.logs_dropped == 900


async def test_an_endless_log_flood_ends_at_its_deadline(target: Target) -> None:
    attack = f"(loop (drop {call('log_write', LOG)}) (br 0))"
    workbench = target(armed(attack, declarations=payload(LOG)))
    outcome = await workbench.raw(ATTACK, **ENDLESS)
    assert outcome.code == "timeout"
    await untouched(workbench)


async def test_a_log_flood_ends_when_it_is_cancelled(target: Target) -> None:
    attack = f"(loop (drop {call('log_write', LOG)}) (br 0))"
    workbench = target(armed(attack, declarations=payload(LOG)))
    task = asyncio.create_task(workbench.raw(ATTACK, max_fuel=50_000_000_000, timeout_seconds=300))
    await until(lambda: computing(workbench.engine) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await untouched(workbench)


# ------------------------------------------------------------------------------- refused at load


def load(folder: Path, text: str) -> None:
    hostile.engine(folder, bytes(wasmtime.wat2wasm(text)))


@pytest.mark.parametrize(
    "field",
    [
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
        '(import "env" "kv_get" (func (param i32 i32) (result i64)))',
        '(import "picloud" "system" (func (param i32 i32) (result i64)))',
        '(import "picloud" "kv_get" (func (param i64) (result i64)))',
        '(import "picloud" "memory" (memory 1))',
        '(import "picloud" "table" (table 1 funcref))',
        '(import "picloud" "g" (global i32))',
        '(import "picloud" "kv_get" (global i32))',
    ],
)
def test_a_module_with_a_foreign_import_is_rejected(field: str, tmp_path: Path) -> None:
    with pytest.raises(capi.WasmError):
        load(tmp_path, f'(module {field} (memory (export "memory") 1))')


@pytest.mark.parametrize(
    "text",
    [
        "(module)",
        '(module (memory (export "memory") 1))',
        '(module (memory (export "memory") 1) (func (export "info") (result i64) i64.const 0))',
        '(module (func (export "memory")))',
        '(module (memory (export "memory") 1) (global (export "info") i32 (i32.const 0)))',
        '(module (memory (export "memory") 4097))',
        '(module (memory (export "memory") i64 1))',
        '(module (memory (export "memory") 1) (memory 1))',
        '(module (memory (export "memory") 1) (table 10001 funcref))',
        '(module (memory (export "memory") 1) (func $s (loop (br 0))) (start $s))',
        '(module (memory (export "memory") 1) (func $s (call $s)) (start $s))',
        '(module (memory (export "memory") 1) (func $s unreachable) (start $s))',
        '(module (memory (export "memory") 1) (data (i32.const 65536) "x"))',
    ],
)
def test_a_module_that_is_not_a_guest_is_rejected(text: str, tmp_path: Path) -> None:
    with pytest.raises((capi.WasmError, capi.Trap, InterfaceMismatch)):
        load(tmp_path, text)


def test_a_start_function_that_calls_the_host_is_rejected(tmp_path: Path) -> None:
    module = hostile.guest("", declarations=f"(func $s {FETCH}) (start $s) {payload(GET)}")
    with pytest.raises(capi.WasmError, match="start function"):
        hostile.engine(tmp_path, module)


def test_bytes_that_are_not_a_module_are_rejected(tmp_path: Path) -> None:
    for content in (b"", b"\0asm", b"\0asm\1\0\0\0garbage", b"#!/bin/sh"):
        with pytest.raises(capi.WasmError):
            hostile.engine(tmp_path, content)


# ----------------------------------------------------------------------- services that misbehave


def asking(**options: object) -> bytes:
    return armed(FETCH, declarations=payload(GET), **options)


class Stuck:
    """A host function that never answers."""

    def __init__(self) -> None:
        self.waiting = self.ended = 0

    async def __call__(self, _call: object, *_params: object) -> None:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
            self.ended += 1


async def test_a_host_call_that_hangs_ends_at_the_deadline_and_is_cancelled(target: Target) -> None:
    stuck = Stuck()
    workbench = target(asking(), kv_get=stuck)
    outcomes = await asyncio.gather(*(workbench.raw(ATTACK, timeout_seconds=1) for _ in range(3)))
    assert [outcome.code for outcome in outcomes] == ["timeout"] * 3
    assert (stuck.waiting, stuck.ended) == (0, 3)
    assert workbench.alive == 0
    await untouched(workbench)


async def test_a_deadline_that_the_loop_sees_early_is_still_the_deadline(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    late = types.SimpleNamespace(
        monotonic=lambda: began + (time.monotonic() - began) * 0.9,
        perf_counter=time.perf_counter,
    )
    monkeypatch.setattr(run, "time", late)  # uvloop's timers fire up to a millisecond early
    workbench = target(asking(), kv_get=Stuck())
    assert (await workbench.raw(ATTACK, timeout_seconds=1)).code == "timeout"


async def test_a_cancellation_frees_slot_store_and_host_call(target: Target) -> None:
    stuck = Stuck()
    workbench = target(asking(), kv_get=stuck)
    await untouched(workbench)
    for round_ in range(20):  # of four slots: one that leaked would be missed
        task = asyncio.create_task(workbench.raw(ATTACK, timeout_seconds=300))
        await until(lambda: stuck.waiting == 1)
        assert workbench.alive == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (workbench.alive, stuck.waiting, stuck.ended) == (0, 0, round_ + 1)
    await untouched(workbench)


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_cancelling_a_computation_again_and_again_frees_it_once(times: int, target: Target) -> None:
    workbench = target(armed("(loop (br 0))"))
    await untouched(workbench)
    for _ in range(8):
        task = asyncio.create_task(workbench.raw(ATTACK, max_fuel=50_000_000_000, timeout_seconds=300))
        await until(lambda: computing(workbench.engine) == 1)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert workbench.alive == 0
        await untouched(workbench)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    "error",
    [ValueError("secret"), KeyError("secret"), RecursionError(), TimeoutError(), OSError(5, "secret")],
)
async def test_a_service_that_breaks_is_the_platforms_fault_and_says_nothing(
    error: Exception, waits: bool, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    async def get(_call: object, *_params: object) -> None:
        if waits:
            await asyncio.sleep(0)
        raise error

    workbench = target(asking(), kv_get=get)
    outcome = await workbench.raw(ATTACK)
    assert (outcome.code, outcome.status) == ("internal", 500)
    assert outcome.error is not None
    assert "secret" not in outcome.error.message
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    caplog.clear()
    await untouched(workbench)


async def test_an_unencodable_result_of_a_service_is_internal(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    async def get(_call: object, *_params: object) -> object:
        return object()

    workbench = target(asking(), kv_get=get)
    assert (await workbench.raw(ATTACK)).code == "internal"
    caplog.clear()
    await untouched(workbench)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_service_error_reaches_the_guest_as_an_error_reply(waits: bool, target: Target) -> None:
    async def get(_call: object, *_params: object) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ServiceError("no")

    text = ormsgpack.packb("no")
    word = (1 << 32) | len(text)
    attack = f"""(if (i64.ne {call("kv_get", GET)} (i64.const {word})) (then unreachable))
      (if (i32.ne (i32.load8_u (i32.const {hostile.REPLY})) (i32.const {text[0]})) (then unreachable))"""
    workbench = target(armed(attack, declarations=payload(GET)), kv_get=get)
    assert (await workbench.raw(ATTACK)).code == "ok"
    await untouched(workbench)


async def test_a_service_can_wait_often_and_use_timeouts(target: Target) -> None:
    async def get(_call: object, *_params: object) -> bytes:
        async with asyncio.timeout(30):
            for _ in range(10):
                await asyncio.sleep(0)
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return ormsgpack.packb("late")
        raise AssertionError

    attack = f"(if (i64.ne {call('kv_get', GET)} (i64.const 5)) (then unreachable))"
    workbench = target(armed(attack, declarations=payload(GET)), kv_get=get)
    assert (await workbench.raw(ATTACK)).code == "ok"


async def test_a_host_call_from_a_thread_runs_on_the_loop(target: Target) -> None:
    loop = asyncio.get_running_loop()
    seen: list[object] = []

    async def get(_call: object, *_params: object) -> bytes:
        seen.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return ormsgpack.packb(1)

    spin = """(local.set $n (i32.const 4000000))
      (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""
    workbench = target(armed(spin + FETCH + spin + FETCH, declarations=payload(GET)), kv_get=get)
    outcome = await workbench.raw(ATTACK)
    assert outcome.code == "ok"
    assert seen == [loop, loop]


async def test_more_guests_than_slots_is_an_error_of_the_platform_and_leaks_none(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = Stuck()
    workbench = target(asking(), kv_get=stuck)
    await untouched(workbench)
    tasks = [asyncio.create_task(workbench.raw(ATTACK, timeout_seconds=300)) for _ in range(4)]
    await until(lambda: stuck.waiting == 4)
    assert (await workbench.raw(PEACE)).code == "internal"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    caplog.clear()
    await untouched(workbench)
