"""What hostile sources cost to compile: the fuel is within a bound that is linear in their length."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from picloud.core.errors import ScriptInvalid
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.run import COMPILE_FUEL, Run
from picloud.sandbox.sandbox import Program
from tests.workbench import NOBODY, Workbench

PATCHED = (Path(__file__).parents[2] / "guest-runtime" / "patch.sh").exists()
MODERATE = 500_000_000

SOURCES: dict[str, Callable[[int], str]] = {
    "functions": lambda n: "\n".join(f"fn f{i}() {{ {i} }}" for i in range(n)),
    "an array of variables": lambda n: f"[{', '.join('x' for _ in range(n))}]",
    "an interpolated string": lambda n: f"`{'${x}' * n}`",
    "conditions": lambda n: "\n".join(f"if x == {i} {{ {i} }}" for i in range(n)),
}
"""Sources by the number of their parts; all cost a multiple of that before Rhai was patched."""

HARMLESS: dict[str, str] = {
    "comments": "/*" * 100_000,
    "nested comments": "/*" * 50_000 + "*/" * 50_000,
    "lines": "\n" * 500_000,
    "semicolons": ";" * 50_000,
    "digits": "1" * 100_000,
    "a long name": "a" * 100_000,
    "a long string": f'"{"x" * 100_000}"',
    "escapes": '"' + "\\n" * 50_000 + '"',
    "deep brackets": "(" * 100_000,
    "deep blocks": "{" * 100_000,
    "deep arrays": "[" * 100_000,
    "a long chain": "x" + ".a" * 50_000,
    "a long sum": "1" + "+1" * 50_000,
    "a long list of constants": f"[{','.join('1' for _ in range(9_000))}]",
    "constants to fold": f"[{','.join('1+2*3' for _ in range(9_000))}]",
    "unreachable statements": "return 1;\n" * 10_000,
}


async def fuel(workbench: Workbench, source: str) -> int:
    """Compile a source, valid or not; returns the fuel."""
    limits = Ceilings().resolve({})
    deadline = time.monotonic() + 60
    used: list[int] = []
    memory = workbench.sandbox.memory
    start = memory.start(NOBODY, len(workbench.engine.pristine), limits.memory_limit_mb << 20)
    run = Run(workbench.engine, workbench.threads, memory, start, NOBODY, limits, deadline)
    try:
        await workbench.sandbox._compile(
            run, Program(NOBODY, source.encode(), "endpoint", {}), limits, used.append
        )
    except ScriptInvalid:
        pass
    finally:
        await run.close()
    return used[0]


@pytest.mark.parametrize("name", HARMLESS)
async def test_a_hostile_source_costs_little(workbench: Workbench, name: str) -> None:
    assert await fuel(workbench, HARMLESS[name]) < MODERATE


@pytest.mark.skipif(not PATCHED, reason="the guest is built without patches of Rhai")
@pytest.mark.parametrize("name", SOURCES)
async def test_a_long_source_costs_in_proportion_to_its_length(workbench: Workbench, name: str) -> None:
    assert await fuel(workbench, SOURCES[name](4_000)) < COMPILE_FUEL // 10
