"""P3: scripts that compute, with fuel metering, against the native tree walker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import geometric_mean

import orjson
import pytest
from benches.conftest import invocation, timed
from benches.native import Native
from benches.ratio import take_turns

from picloud.execution.executor import Executor

CASES = ["loop", "fib", "branches", "calls", "strings", "maps", "primes", "closures", "sort", "json"]
ROUNDS, ITERATIONS = 9, 5
_ratios: dict[str, float] = {}


@pytest.mark.parametrize("name", CASES)
def test_p3(
    name: str,
    executor: Executor,
    native: Native,
    loop: asyncio.AbstractEventLoop,
    report: Callable[[str, str, str], None],
    quiet: None,
) -> None:
    _, outcome = loop.run_until_complete(timed(executor, lambda: invocation(name), 3))
    sample = native.run(f"p3 {name} 3")
    assert outcome.response is not None
    assert orjson.loads(outcome.response.body) == orjson.loads(sample.value)
    ratio = take_turns(
        lambda: loop.run_until_complete(timed(executor, lambda: invocation(name), ITERATIONS))[0],
        lambda: native.run(f"p3 {name} {ITERATIONS}").seconds,
        ROUNDS,
    )
    _ratios[name] = ratio.value
    milli = f"{ratio.ours * 1e3:.1f} ms : {ratio.baseline * 1e3:.1f} ms"
    report(f"P3 {name} : native tree walker", f"{ratio}  {milli}", "<= 2.5x")
    if len(_ratios) == len(CASES):
        report("P3 geometric mean", f"{geometric_mean(_ratios.values()):.2f}x", "<= 1.3x")
