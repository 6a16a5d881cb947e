"""Answers of the language on the real guest, on both engines.

`guest-runtime/tests/differential` compares far more.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import pytest

from picloud.sandbox import capi
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.sandbox import _classify
from tests.workbench import NOBODY, Workbench, value


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    workbench = Workbench(engine)
    yield workbench
    workbench.close()


WALKED = 'is_def_var("x");\n'
"""A line that runs on the tree walker and changes nothing else."""

NO_INDEX = "Indexer unavailable:"

VALUES = {
    "a valued break behind another loop": (
        "let hit = for r in [[], [5]] { if r.len() > 0 { for t in r { print(t); } break r.len(); } }; hit",
        1,
    ),
    "operands around a valued break": (
        "[1, for q in [1, 2] { if q == 2 { for z in [5, 6] { print(z); } break 7; } }, 3]",
        [1, 7, 3],
    ),
    "a capture of a variable declared again": (
        "let n = 3; let big = |x| x > n; let n = 5; [4, 6].filter(big)",
        [4, 6],
    ),
    "a write to a variable declared again": (
        "let n = 0; let inc = || n += 1; let n = 100; inc.call(); n",
        100,
    ),
    "a wrapped handler": (
        'let handler = |r| r; let handler = |r| handler.call(r) + "!"; handler.call("hi")',
        "hi!",
    ),
    "a closure in place of what it captures": ("let e = 5; let e = |x| x - e; e.call(2)", -3),
    "a counter": ("let l = []; for (x, i) in [7, 8] { l.push([i, x]); } l", [[0, 7], [1, 8]]),
    "a constant declared again": ("const K = 5; const K = 6; fn f() { global::K } f()", 6),
    "levels of a recursion through a closure": (
        "fn r(n) { if n == 0 { 0 } else { [n - 1].for_each(|| r(this)); n } } r(20)",
        20,
    ),
}

ERRORS = {
    "a missing group": ('let by = #{};\nby["ada"]["sum"] = 5;\nby', NO_INDEX, 2),
    "a number": ('let n = 1.5;\nn["a"] = 1;\nn', NO_INDEX, 2),
    "a handle": (
        'let visits = kv::collection("visits");\nvisits["ada"] = 1;\n"saved"',
        NO_INDEX,
        2,
    ),
    "a handle in a map": (
        'let m = #{ v: docs::collection("v") };\nm.v["ada"] = 1;\nm',
        NO_INDEX,
        2,
    ),
    "a new key of a constant": ("const K = #{ a: 1 };\nK.b = 2;\nK", "Cannot modify constant K", 2),
    "a new key of ctx": ("let x = 1;\nctx.x = 1;\nx", "Cannot modify constant ctx", 2),
}


@pytest.mark.parametrize("walked", [False, True], ids=["as it is", "on the walker"])
@pytest.mark.parametrize(("source", "expected"), VALUES.values(), ids=VALUES)
async def test_a_value_is_that_of_the_language(
    workbench: Workbench, source: str, expected: object, walked: bool
) -> None:
    assert value(await workbench.run(WALKED * walked + source)) == expected


@pytest.mark.parametrize("walked", [False, True], ids=["as it is", "on the walker"])
@pytest.mark.parametrize(("source", "message", "line"), ERRORS.values(), ids=ERRORS)
async def test_an_assignment_that_stores_nothing_is_an_error(
    workbench: Workbench, source: str, message: str, line: int, walked: bool
) -> None:
    outcome = await workbench.run(WALKED * walked + source)
    assert outcome.code == "script_error"
    assert outcome.error is not None
    assert message in outcome.error.message
    assert outcome.error.line == line + walked


async def test_a_panic_of_the_guest_is_an_error_with_its_line(workbench: Workbench) -> None:
    engine = workbench.engine
    limits, size = Ceilings().resolve({}), len(engine.pristine)
    run = await workbench.sandbox._run(NOBODY, size, limits, time.monotonic() + 10)
    trap = capi.Trap(None, "unreachable")
    try:
        assert _classify(trap, run)[1].line is None
        run.guest.write(engine.info.place, struct.pack("<2I", 3, 7))
        code, error = _classify(trap, run)
    finally:
        await run.close()
    assert (code, error.line, error.column) == ("script_error", 3, 7)


@pytest.mark.parametrize("tag", [40_000, -40_000, 2**31 - 1, -(2**31)])
async def test_a_tag_is_an_i32(workbench: Workbench, tag: int) -> None:
    assert value(await workbench.run(f"let x = 42; x.tag = {tag}; x.tag")) == tag


async def test_a_larger_tag_is_an_error(workbench: Workbench) -> None:
    error = (await workbench.run("let x = 42; x.tag = 2147483648; x.tag")).error
    assert error is not None
    assert "between -2147483648 and 2147483647" in error.message


async def test_a_caught_error_has_no_type_of_rust(workbench: Workbench) -> None:
    source = 'let m = (); try { mine("a", #{}) } catch (e) { m = e.message; } m'
    assert value(await workbench.run(source)) == "Function not found: mine (string, map)"


@pytest.mark.parametrize(
    ("comparer", "order"),
    [
        ("|a, b| a.k < b.k", ["a1", "a2", "b1", "b2"]),
        ("|a, b| a.k > b.k", ["b1", "b2", "a1", "a2"]),
        ("|a, b| b.k > a.k", ["a1", "a2", "b1", "b2"]),
        ("|a, b| a.k - b.k", ["a1", "a2", "b1", "b2"]),
        ("|a, b| b.k - a.k", ["b1", "b2", "a1", "a2"]),
    ],
)
async def test_equal_elements_keep_their_order(workbench: Workbench, comparer: str, order: list[str]) -> None:
    source = f"""
        let l = [#{{ k: 1, n: "a1" }}, #{{ k: 2, n: "b1" }}, #{{ k: 1, n: "a2" }}, #{{ k: 2, n: "b2" }}];
        l.sort({comparer});
        l.map(|x| x.n)
    """
    assert value(await workbench.run(source)) == order


STEPS = {
    "map": "[n - 1].map(|x| deep(x))[0] + 1",
    "filter": "let r = 0; [n - 1].filter(|x| { r = deep(x); true }); r + 1",
    "reduce": "[n - 1].reduce(|sum, x| deep(x), 0) + 1",
    "for_each": "let r = 0; [n - 1].for_each(|| r = deep(this)); r + 1",
    "sort": "let r = 0; let l = [n - 1, n - 1]; l.sort(|a, b| { r = deep(a); 0 }); r + 1",
}


@pytest.mark.parametrize("counted", ["", "for (x, i) in [1] { print(i); }\n"], ids=["", "walker"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
async def test_recursion_through_a_callback_counts_three_levels(
    workbench: Workbench, step: str, counted: str
) -> None:
    """The function, the array function and the closure: 64 levels are 21 rounds."""
    source = f"{counted}fn deep(n) {{ if n == 0 {{ 0 }} else {{ {step} }} }}\ndeep(DEPTH)"
    assert value(await workbench.run(source.replace("DEPTH", "20"))) == 20
    error = (await workbench.run(source.replace("DEPTH", "22"))).error
    assert error is not None
    assert error.message.startswith("Stack overflow (limit max_call_levels; map, filter and other functions ")
    outcome = await workbench.run(source.replace("DEPTH", "1000"), max_call_levels=128)
    assert outcome.error is not None
    assert outcome.error.message.startswith("Stack overflow (limit max_call_levels")
