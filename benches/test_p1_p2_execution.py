"""P1 and P2: what an execution costs, against native Rhai without any isolation."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import orjson
from benches.conftest import invocation, timed
from benches.native import Native
from benches.ratio import take_turns
from pytest_benchmark.fixture import BenchmarkFixture

from picloud.execution.executor import Executor

ROUNDS, ITERATIONS = 15, 300
Report = Callable[[str, str, str], None]
Loop = asyncio.AbstractEventLoop


def test_p1_cached(
    benchmark: BenchmarkFixture, executor: Executor, native: Native, loop: Loop, report: Report, quiet: None
) -> None:
    """A fresh guest instance with fuel, memory cap and deadline, against a new native engine per call."""

    def ours() -> list[float]:
        return loop.run_until_complete(timed(executor, lambda: invocation("kv_once"), ITERATIONS))[0]

    _, outcome = loop.run_until_complete(timed(executor, lambda: invocation("kv_once"), ITERATIONS))
    sample = native.run(f"p1 {ITERATIONS}")
    assert outcome.response is not None
    assert orjson.loads(outcome.response.body) == orjson.loads(sample.value)["body"]
    ratio = take_turns(ours, lambda: native.run(f"p1 {ITERATIONS}").seconds, ROUNDS)
    benchmark.extra_info["ratio"] = ratio.value
    benchmark.pedantic(ours, rounds=3)
    micro = f"{ratio.ours * 1e6:.0f} us : {ratio.baseline * 1e6:.0f} us"
    report("P1 cached execution : native, new engine per call", f"{ratio}  {micro}", "<= 1.0x")


def test_p2_cold(
    benchmark: BenchmarkFixture, executor: Executor, native: Native, loop: Loop, report: Report, quiet: None
) -> None:
    """Compile and run, against native engine, compile and run."""
    versions = itertools.count(2)

    def ours() -> list[float]:
        return loop.run_until_complete(
            timed(executor, lambda: invocation("kv_once", next(versions)), ITERATIONS)
        )[0]

    ours()
    ratio = take_turns(ours, lambda: native.run(f"p2 {ITERATIONS}").seconds, ROUNDS)
    benchmark.extra_info["ratio"] = ratio.value
    benchmark.pedantic(ours, rounds=3)
    micro = f"{ratio.ours * 1e6:.0f} us : {ratio.baseline * 1e6:.0f} us"
    report("P2 cold execution : native engine + compile + run", f"{ratio}  {micro}", "<= 1.5x")
