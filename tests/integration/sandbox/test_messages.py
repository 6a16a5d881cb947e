"""The messages of failing scripts: what they say, and the line and column they name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from picloud.core.interface import LIMITS
from picloud.execution.cause import ScriptRequest
from picloud.sandbox.engine import Engine
from tests.workbench import Workbench, in_memory


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    workbench = Workbench(engine, in_memory())
    yield workbench
    workbench.close()


CASES = [
    # source, message, line, column
    (
        "let s = 1;\n  s.length",
        "Unknown property 'length' - a getter is not registered for type 'integer'; a",
        2,
        5,
    ),
    ("let a = [];\na.joined()", "Function not found: joined (array)", 2, 3),
    ("let x = true\n  ? 1 : 2;", "Unknown operator: '?'; write if a { b } else { c }", 2, 3),
    (
        "fn f() {\n  let x = { a: 1 };\n}",
        "Expecting ';' to terminate this statement; a map begins with #{",
        2,
        14,
    ),
    ("fn f() {\n  null\n}", "'null' is a reserved keyword; () is Rhai's null", 2, 3),
    ("let f = |a| a;\n\n f(1)", "Function not found: f (integer); f is a closure that takes 1", 3, 2),
    ("let m = #{};\nm.private", "Expecting name of a property; private is a reserved word; write m[", 2, 3),
    ("fn f(m) {\n  m.total\n}\nf()", "Function not found: f (); f takes 1 argument: f(m)", 4, 1),
    (
        "fn f(m) {\n  m.a.b\n}\nf(#{})",
        "Unknown property 'b' - a getter is not registered for type '()' (in function f); m.a",
        2,
        7,
    ),
    (
        "let l = [1];\n[1].map(|x|\n  l.gone(x))",
        "Function not found: gone (array, integer) (in a closure)",
        3,
        5,
    ),
    ("docs.insert(#{})", "Variable not found: docs; use docs::collection(name).create(data: map)", 1, 1),
    ("throw\n  #{ a: 1 }", '{"a":1}', 1, 1),
]


@pytest.mark.parametrize(("source", "message", "line", "column"), CASES, ids=range(len(CASES)))
async def test_an_error_says_what_where_and_what_to_write(
    workbench: Workbench, source: str, message: str, line: int, column: int
) -> None:
    error = (await workbench.run(source)).error
    assert error is not None
    assert error.message.startswith(message), error.message
    assert (error.line, error.column) == (line, column)


@pytest.mark.parametrize(
    ("source", "limits", "code", "line"),
    [
        ("let n = 0;\nloop {\n  n += 1;\n}", {}, "operation_budget", 3),
        ("fn f() {\n  loop { }\n}\n\nf()", {}, "operation_budget", 2),
        ('let s = ""; s.pad(200000, "a");\nloop {\n  s.contains("b");\n}', {}, "fuel_budget", 3),
        (
            'let s = ""; s.pad(200000, "a");\nloop {\n  s.contains("b");\n}',
            {"timeout_seconds": 1, "max_fuel": 50_000_000_000},
            "timeout",
            3,
        ),
        ("let n = 0;\nloop {\n  kv::collection(`c`).get(`k`);\n}", {}, "host_call_budget", 3),
        (
            "let n = 0;\nloop {\n  try { kv::collection(`c`).get(`k`); } catch { }\n}",
            {},
            "host_call_budget",
            3,
        ),
    ],
)
async def test_an_endless_loop_names_its_line_whatever_ends_it(
    workbench: Workbench, source: str, limits: dict[str, int], code: str, line: int
) -> None:
    outcome = await workbench.run(source, **limits)
    assert outcome.error is not None
    assert (outcome.code, outcome.error.line) == (code, line), outcome.error


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("let n = 0;\nkv::collection(`c`).get(`k`);\nn", (2,)),
        ("loop {\n  try { kv::collection(`c`).get(`k`); }\n  catch { print(1); }\n}", (2, 3)),
    ],
)
async def test_a_call_that_waits_too_long_names_its_line_and_cannot_be_caught(
    engine: Engine, source: str, lines: tuple[int, ...]
) -> None:
    async def never(*_params: object) -> None:
        await asyncio.Event().wait()

    workbench = Workbench(engine, in_memory() | {"kv_get": never})
    outcome = await workbench.run(source, timeout_seconds=1)
    workbench.close()
    assert outcome.error is not None
    assert outcome.code == "timeout"
    assert outcome.error.line in lines
    assert outcome.figures.host_calls == {"kv_get": 1}


async def test_a_thrown_value_arrives_whole(workbench: Workbench) -> None:
    error = (
        await workbench.run("throw #{ code: 42, reason: `gone`, blob: blob(2, 1), nan: 0.0 / 0.0 }")
    ).error
    assert error is not None
    assert error.thrown is not None
    assert json.loads(error.thrown) == {
        "code": 42,
        "reason": "gone",
        "blob": "blob of 2 bytes: 01 01",
        "nan": "NaN",
    }


async def test_any_value_can_be_logged(workbench: Workbench) -> None:
    body = bytes(range(256)) * 300
    request = ScriptRequest(method="POST", body=body, content_type="application/octet-stream")
    source = """
        log::info("request", ctx.request);
        log::warn(ctx.request.body, request::body_raw());
        log::error([0.0 / 0.0], || 1);
        log::trace(kv::collection("c"), 0..5);
        "fine"
    """
    outcome = await workbench.run(source, request)
    assert outcome.code == "ok", outcome.error
    first, second, third, fourth = outcome.logs
    head = "blob of 76800 bytes"
    assert json.loads(first.data or "")["body"].startswith(head)
    assert second.message.startswith(head)
    assert json.loads(second.data or "").startswith(f"{head}: 00 01 02")
    assert (third.message, third.data) == ('["NaN"]', '"a closure"')
    assert (fourth.message, fourth.data) == ("kv::collection", '"0..5"')
    assert LIMITS.number("max_log_text_bytes") == 65_536


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (r"regex::is_match(`^\w{1,255}$`, `größe`)", True),
        (r"regex::find(`\b\p{Greek}+\b`, `abc αβγ`)", "αβγ"),
        (r"regex::is_match(`^[\w.+-]{1,64}@[\w-]{1,255}(\.[\w-]{1,63})+$`, `ada@example.org`)", True),
        (
            r"let n = 0; for i in 0..300 { if regex::is_match(`^\w{1,64}@\w{1,64}$`, `a@b`) { n += 1; } } n",
            300,
        ),
    ],
)
async def test_ordinary_patterns_fit_into_the_default_limits(
    workbench: Workbench, source: str, result: object
) -> None:
    outcome = await workbench.run(source)
    assert outcome.response is not None, outcome.error
    assert json.loads(outcome.response.body) == result
