"""Measures executions: cold, cached, and the same work in plain Python without a sandbox.

Machines are shared and noisy. So the three alternate (A B C A B C) and their medians are compared. Compare
ratios within a run, not times of different runs.
"""

from __future__ import annotations

import gc
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.outcome import OK

_APP = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Work:
    """A benchmark, as a script and as a Python function.

    Attributes:
        name: its name in the output.
        source: the script.
        python: the function; it returns the same value as the script.
    """

    name: str
    source: str
    python: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Medians:
    """Median seconds of a benchmark.

    Attributes:
        name: of the benchmark.
        cold: compiled and run in a fresh instance.
        cached: run in a fresh instance from the compiled image.
        in_process: the Python function.
        fuel: fuel of a cached run; the same for every run.
    """

    name: str
    cold: float
    cached: float
    in_process: float
    fuel: int


def _hello() -> object:
    stored = {("widgets", "w1"): json.dumps({"name": "gear", "price": 21})}
    widget = json.loads(stored["widgets", "w1"])
    return {"name": widget["name"], "price": widget["price"] * 2}


def _fib() -> object:
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    return fib(18)


def _loop() -> object:
    total, i = 0, 0
    while i < 50_000:
        total += i * 2 - 1
        i += 1
    return total


def _maps() -> object:
    counts: dict[str, int] = {}
    for i in range(4000):
        key = f"k{i % 50}"
        if key in counts:
            counts[key] += i
        else:
            counts[key] = i
    return sum(counts.values())


WORKS = (
    Work(
        "one kv call, a small response",
        """let widgets = kv::collection("widgets");
if !widgets.has("w1") { widgets.set("w1", #{ name: "gear", price: 21 }); }
let widget = widgets.get("w1");
#{ name: widget.name, price: widget.price * 2 }""",
        _hello,
    ),
    Work("recursive calls", "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(18)", _fib),
    Work(
        "a counting loop", "let sum = 0; let i = 0; while i < 50000 { sum += i * 2 - 1; i += 1; } sum", _loop
    ),
    Work(
        "maps and strings",
        """let counts = #{};
for i in 0..4000 {
    let key = "k" + i % 50;
    if key in counts { counts[key] += i; } else { counts[key] = i; }
}
let total = 0;
for key in counts.keys() { total += counts[key]; }
total""",
        _maps,
    ),
)


class WrongResult(Exception):
    """A script and its Python twin returned different results, so they cannot be compared."""


async def measure(
    executor: Executor, work: Work, seconds: float, limits: Mapping[str, int], min_rounds: int = 5
) -> Medians:
    """Run a benchmark.

    Args:
        executor: in this process, without a recorder.
        work: the benchmark.
        seconds: duration.
        limits: as `Settings.limits`.
        min_rounds: minimum number of rounds, even if they take longer.

    Raises:
        WrongResult: script and function return different values.
    """
    versions = itertools.count(2)
    fuel = await _execute(executor, work, 1, limits)
    samples: tuple[list[float], list[float], list[float]] = ([], [], [])
    end = time.perf_counter() + seconds
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()  # no collection in the middle of a sample
    try:
        while time.perf_counter() < end or len(samples[0]) < min_rounds:
            began = time.perf_counter()
            await _execute(executor, work, next(versions), limits)
            after_cold = time.perf_counter()
            await _execute(executor, work, 1, limits)
            after_cached = time.perf_counter()
            work.python()
            after_python = time.perf_counter()
            for sample, value in zip(
                samples,
                (after_cold - began, after_cached - after_cold, after_python - after_cached),
                strict=True,
            ):
                sample.append(value)
    finally:
        if collecting:
            gc.enable()
    cold, cached, in_process = map(median, samples)
    return Medians(work.name, cold, cached, in_process, fuel)


async def _execute(executor: Executor, work: Work, version: int, limits: Mapping[str, int]) -> int:
    """Execute a version of the script once. Returns: the fuel it used."""
    script_id = UUID(int=WORKS.index(work) + 1)
    script = ScriptVersion(
        script_id, _APP, version, "bench", "endpoint", work.source.encode(), Ceilings(limits).resolve({})
    )
    outcome = await executor.execute(Invocation(uuid7(), script, HttpCause("cli", "bench", ScriptRequest())))
    if outcome.code != OK or outcome.response is None:
        raise WrongResult(f"{work.name}: {outcome.code}: {outcome.error and outcome.error.message}")
    if version == 1 and json.loads(outcome.response.body) != work.python():
        raise WrongResult(f"{work.name}: returned {outcome.response.body!r}")
    return outcome.figures.fuel
