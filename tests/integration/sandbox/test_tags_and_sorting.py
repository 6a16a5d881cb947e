"""Tags, stable sorting and call levels, as native Rhai 1.27.0 has them on a machine with 64 bits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from picloud.sandbox.engine import Engine
from tests.workbench import Workbench, value


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    workbench = Workbench(engine)
    yield workbench
    workbench.close()


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


@pytest.mark.parametrize("counted", ["", 'is_def_var("x");\n'], ids=["", "walker"])
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
