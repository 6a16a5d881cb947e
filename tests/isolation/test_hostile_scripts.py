"""Scripts that attack, in the guest that ships: each ends as the table says, the next is untouched."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from picloud.execution.cause import ScriptRequest
from picloud.sandbox.limits import MIB, Ceilings
from tests.workbench import Workbench, computing, invocation, script, until, value

DEEPEST = {"max_call_levels": 128, "max_expr_depth": 128}
LIGHT = script("let a = []; for i in 0..10 { a.push(i * i); } a")


async def untouched(workbench: Workbench) -> None:
    assert value(await workbench.run(LIGHT)) == [i * i for i in range(10)]


def nested(opening: str, closing: str, depth: int, core: str = "1") -> str:
    return opening * depth + core + closing * depth


ENDS = {
    # endless, and limits of the interpreter
    "endless loop": ("loop { }", "operation_budget"),
    "endless while": ("let x = 0; while true { x += 1; }", "operation_budget"),
    "range to the largest integer": (
        "let n = 0; for i in 0..9223372036854775807 { n = i; }",
        "operation_budget",
    ),
    "inclusive range to the largest integer": (
        "let n = 0; for i in 0..=9223372036854775807 { n = i; }",
        "operation_budget",
    ),
    "endless recursion": ("fn f() { f() } f()", "script_error"),
    "recursion through closures": ("let f = |g| g.call(g); f.call(f)", "script_error"),
    "mutual recursion": ("fn a(n) { b(n + 1) } fn b(n) { a(n + 1) } a(0)", "script_error"),
    "recursion in a callback": ("fn f(x) { [1, 2].map(|y| f(y)) } f(1)", "script_error"),
    "doubling string": ('let s = "x"; loop { s += s; }', "script_error"),
    "doubling array": ("let a = [1]; loop { a += a; }", "script_error"),
    "doubling blob": ("let b = blob(1000); loop { b += b; }", "script_error"),
    "growing map": (
        "let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }",
        ("script_error", "operation_budget", "fuel_budget"),
    ),
    "array of a million": ("let a = []; a.pad(1000000, 0); a", "script_error"),
    "huge blob": ("blob(1000000000)", "script_error"),
    "huge pad": ('let s = "x"; s.pad(9223372036854775807, "y"); s', "script_error"),
    "huge replace": (
        'let s = "x"; s.pad(200000, "x"); s.replace("x", s); s',
        ("script_error", "memory_limit"),
    ),
    "arrays of arrays": (
        "let a = []; loop { let b = []; b.pad(9000, 1); a.push(b); }",
        ("memory_limit", "script_error", "operation_budget"),
    ),
    "copies of a large string": (
        'let s = "x"; s.pad(200000, "y"); let a = []; loop { a.push(s + a.len()); }',
        ("memory_limit", "script_error"),
    ),
    # the interpreter's edges
    "overflow": ("9223372036854775807 + 1", "script_error"),
    "negation overflow": ("let x = -9223372036854775807 - 1; -x", "script_error"),
    "smallest by minus one": ("let x = -9223372036854775807 - 1; x / -1", "script_error"),
    "smallest modulo minus one": ("let x = -9223372036854775807 - 1; x % -1", "script_error"),
    "smallest abs": ("let x = -9223372036854775807 - 1; x.abs()", "script_error"),
    "division by zero": ("let x = 0; 1 / x", "script_error"),
    "huge power": ("9223372036854775807 ** 9223372036854775807", "script_error"),
    "negative power": ("let x = 2; x ** -1", "script_error"),
    "shift by much": ("let n = 9223372036854775807; 1 << n", ("script_error", "ok")),
    "array index at the edge": ("let a = [1]; a[-9223372036854775807]", "script_error"),
    "sub_string at the edges": (
        '"abc".sub_string(-9223372036854775807, 9223372036854775807)',
        ("ok", "script_error"),
    ),
    "extract at the edges": (
        "[1,2,3].extract(-9223372036854775807, 9223372036854775807)",
        ("ok", "script_error"),
    ),
    "chop at the edges": ("let a = [1,2,3]; a.chop(9223372036854775807); a", ("ok", "script_error")),
    "split at the edges": ("let a = [1,2,3]; a.split(-9223372036854775807)", ("ok", "script_error")),
    "bits at the edges": ("let x = 1; x.get_bits(0..9223372036854775807)", ("ok", "script_error")),
    "blob writes at the edges": (
        "let b = blob(8); b.write_le(9223372036854775807, 8, 1); b.parse_le_int(7, 9223372036854775807)",
        ("ok", "script_error"),
    ),
    "step of zero": ("for i in range(0, 10, 0) { }", ("script_error", "ok", "operation_budget")),
    "lying comparer": ("let a = []; for i in 0..500 { a.push(i); } a.sort(|x, y| 1); a.len()", "ok"),
    "comparer without order": (
        "let a = [3, 1, 2, 9, 4, 7]; let n = 0; a.sort(|x, y| { n += 1; if n % 3 == 0 {1} else {-1} }); a",
        ("ok", "script_error"),
    ),
    "comparer that throws": ('let a = [3, 1, 2]; a.sort(|x, y| throw "no"); a', ("ok", "script_error")),
    "callback that changes what it walks": (
        "let a = [1, 2, 3]; a.for_each(|x| { a.push(1); }); a.len()",
        ("ok", "script_error"),
    ),
    "throw of a large thing": ('let s = "x"; s.pad(200000, "y"); throw s', "script_error"),
    "throw of nothing": ("throw", "script_error"),
    "throw in a catch": ("try { throw 1 } catch (e) { throw [e, e] }", "script_error"),
    # what is off
    "sleep": ("sleep(1)", "script_error"),
    "unknown function": ("nowhere(1)", "script_error"),
    "unknown module": ('import "nothing" as n; n::f()', "script_error"),
    "module by a path": ('import "../../etc/passwd" as n; 1', "script_error"),
    "module by a computed name": ('let n = "no" + "thing"; import n as m; 1', "script_error"),
    "change of ctx": ("ctx = 1", ("script_error", "script_invalid")),
    "change in ctx": ('ctx.request.path = "x"; 1', ("script_error", "script_invalid")),
    # results that are none
    "not a number": ("0.0 / 0.0", "response_invalid"),
    "infinity": ("#{ statusCode: 200, body: [1.0 / 0.0] }", "response_invalid"),
    "function as a result": ("|x| x", "response_invalid"),
    "status as text": ('#{ statusCode: "200" }', "response_invalid"),
    "status of upgrade": ("#{ statusCode: 101 }", "response_invalid"),
    "status of nowhere": ("#{ statusCode: 1000 }", "response_invalid"),
    "header with a line break": (
        '#{ statusCode: 200, headers: #{ a: "b\\r\\nset-cookie: x" } }',
        "response_invalid",
    ),
    "header with a space": ('#{ statusCode: 200, headers: #{ "a b": "c" } }', "response_invalid"),
    "framing": ('#{ statusCode: 200, headers: #{ "Content-Length": "1" } }', "response_invalid"),
    "cookie of the admin": (
        '#{ statusCode: 200, headers: #{ "Set-Cookie": ["a=b", "picloud_session=x"] } }',
        "response_invalid",
    ),
    "value that holds itself": ("let a = [1]; a.push(a); a.push(a); a", "ok"),
    "deep result": ("let a = []; for i in 0..1000 { a = [a]; } a", ("response_invalid", "script_error")),
    "deep print": (
        "let a = []; for i in 0..2000 { a = [a]; } print(a); 1",
        ("ok", "script_error", "fuel_budget"),
    ),
    "deep maps as text": (
        "let a = #{}; for i in 0..2000 { a = #{ a: a }; } a.to_string().len()",
        ("ok", "script_error", "fuel_budget"),
    ),
    "deep comparison": (
        "let a = []; let b = []; for i in 0..2000 { a = [a]; b = [b]; } a == b",
        ("ok", "script_error", "fuel_budget"),
    ),
    "deep copy dropped": (
        "let a = []; for i in 0..100000 { a = [a]; } 1",
        ("ok", "script_error", "fuel_budget"),
    ),
    "result of many megabytes": (
        'let s = "x"; s.pad(100000, "y"); let a = []; for i in 0..200 { a.push(s); } a',
        ("response_invalid", "script_error", "memory_limit"),
    ),
    # parsers
    "brackets": (nested("[", "]", 100_000), "script_invalid"),
    "open brackets": ("[" * 100_000, "script_invalid"),
    "parens": (nested("(", ")", 100_000), "script_invalid"),
    "blocks": (nested("{", "}", 100_000), "script_invalid"),
    "maps": (nested("#{a:", "}", 100_000), "script_invalid"),
    "closures": (nested("|x| ", "", 100_000), "script_invalid"),
    "negations": ("-" * 100_000 + "1", "script_invalid"),
    "nots": ("!" * 100_000 + "true", "script_invalid"),
    "ifs": (nested("if true { ", " }", 100_000), "script_invalid"),
    "else ifs": ("if false {1}" + " else if false {1}" * 50_000, ("script_invalid", "script_error", "ok")),
    "calls": (nested("f(", ")", 100_000), "script_invalid"),
    "interpolations": (nested("`${", "}`", 10_000), "script_invalid"),
    "indexes": ("let a = [1]; " + nested("a[", "]", 100_000, "0"), "script_invalid"),
    "methods": ("let a = 1; a" + ".b()" * 100_000, "script_invalid"),
    "sums": ("1" + "+1" * 100_000, ("script_invalid", "operation_budget", "ok")),
    "comments": ("/*" * 100_000, ("script_invalid", "ok")),
    "integer of 5,000 digits": ("9" * 5000, ("script_invalid", "response_invalid")),
    "text without an end": ('"' + "x" * 100_000, "script_invalid"),
    "surrogate": ('"\\ud800"', "script_invalid"),
    "eval": ('eval("1")', ("script_invalid", "script_error")),
}


FULL = 'let t = ""; t.pad(200000, "a"); '
ENDS |= {
    "regex that backtracks elsewhere": ('regex::is_match("(a*)*$", "' + "a" * 200 + '!")', "ok"),
    "regex of a million states": ('regex::is_match("a{1000000}", "a")', "script_error"),
    "regex that multiplies": ('regex::is_match("((((a{100}){100}){100}){100})", "a")', "script_error"),
    "regex of brackets": ('let p = ""; p.pad(50000, "("); regex::is_match(p, "a")', "script_error"),
    "regex of many options": (
        'let p = "a?"; for i in 0..14 { p += p; }' + FULL + "regex::find_all(p, t).len()",
        ("script_error", "fuel_budget", "memory_limit"),
    ),
    "regex that finds everywhere": (FULL + 'regex::find_all("", t).len()', "script_error"),
    "regex that squares": (FULL + 'regex::replace_all("a", t, t).len()', "script_error"),
    "JSON of open brackets": ('let t = ""; t.pad(100000, "["); json::parse(t)', "script_error"),
    "JSON integer of 5,000 digits": ('let t = ""; t.pad(5000, "9"); json::parse(t)', ("script_error", "ok")),
    "JSON out of range": ('json::parse("1e999")', "script_error"),
    "JSON surrogate": ('json::parse("\\"\\\\ud800\\"")', "script_error"),
    "deep JSON out": ("let a = []; for i in 0..500 { a = [a]; } json::stringify(a)", "script_error"),
    "NaN as JSON": ("json::stringify(0.0 / 0.0)", "script_error"),
    "function as JSON": ("json::stringify(|x| x)", "script_error"),
    "too much base64": (FULL + "base64::encode(t)", "script_error"),
    "too much hex": (FULL + "hex::encode(t)", "script_error"),
    "too much of an URL": ('let t = ""; t.pad(200000, " "); url::encode(t)', "script_error"),
    "too much randomness": ("random::bytes(65537)", "script_error"),
    "the widest random range": ("random::int(-9223372036854775807 - 1, 9223372036854775807); 1", "ok"),
    "an empty random range": ("random::int(1, 0)", "script_error"),
    "time beyond all years": ('time::format(9223372036854775807, "%Y")', "script_error"),
    "time added beyond": ('time::add_seconds("2020-01-01T00:00:00Z", 9223372036854775807)', "script_error"),
    "log data that is no JSON": ('log::info("x", #{ a: |x| x })', "ok"),
    "deep log data": ('let a = []; for i in 0..500 { a = [a]; } log::info("x", #{ a: a })', "ok"),
    "NUL in a log": ('log::info("\\x00", #{ "\\x00": "\\x00" }); 1', "ok"),
    "endless log": ('loop { log::info("x"); }', ("operation_budget", "fuel_budget")),
    "endless host calls": ("loop { random::int(1, 6); }", "host_call_budget"),
    "endless kv": ('let c = kv::collection("c"); loop { c.get("k"); }', "host_call_budget"),
    "kv of a deep value": (
        'let a = []; for i in 0..500 { a = [a]; } kv::collection("c").set("k", a)',
        "script_error",
    ),
}


@pytest.mark.parametrize("limits", [{}, DEEPEST], ids=["as they are", "at the ceilings"])
@pytest.mark.parametrize("name", ENDS)
async def test_it_ends_as_the_table_says(name: str, limits: dict[str, int], workbench: Workbench) -> None:
    source, codes = ENDS[name]
    outcome = await workbench.run(source, timeout_seconds=60, **limits)
    assert outcome.code in (codes if isinstance(codes, tuple) else (codes,)), outcome.error
    assert outcome.figures.peak_memory_bytes <= 32 * MIB
    assert 0 <= outcome.figures.fuel <= 2_000_000_000
    await untouched(workbench)


LEVELS = {
    "function": "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(DEPTH)",
    "closure": "let f = |g, n| if n == 0 { 0 } else { 1 + g.call(g, n - 1) }; f.call(f, DEPTH)",
    "blocks": "fn f(n) { if n == 0 { 0 } else { { { { { 1 + f(n - 1) } } } } } } f(DEPTH)",
    "switch": "fn f(n) { switch n { 0 => 0, _ => { let x = f(n - 1); x + 1 } } } f(DEPTH)",
    "loops": "fn f(n) { for i in 0..1 { loop { if n == 0 { return 0; } return 1 + f(n - 1); }}} f(DEPTH)",
    "try": "fn f(n) { try { if n == 0 { throw 0; } 1 + f(n - 1) } catch (e) { e } } f(DEPTH)",
    "callbacks": "fn f(n) { if n == 0 { 0 } else { [n - 1].map(|m| f(m))[0] + 1 } } f(DEPTH)",
    "reduce": "fn f(n) { if n == 0 { 0 } else { [n - 1].reduce(|s, m| s + f(m), 0) + 1 } } f(DEPTH)",
    "sort": "fn f(n) { if n == 0 { 0 } else { let a = [1, 2]; a.sort(|x, y| f(n - 1)); 1 } } f(DEPTH)",
    "text": "fn f(n) { if n == 0 { `` } else { `a${f(n - 1)}b` } } f(DEPTH).len()",
    "arguments": "fn g(a, b) { b } fn f(n) { if n == 0 { 0 } else { g(1, g(2, 1 + f(n - 1))) } } f(DEPTH)",
    "literals": "fn f(n) { if n == 0 { 0 } else { [[#{ a: [1 + f(n - 1)] }]][0][0].a[0] } } f(DEPTH)",
    "method": "fn f() { if this == 0 { 0 } else { let m = this - 1; 1 + m.f() } } let n = DEPTH; n.f()",
    "operators": "fn f(n) { n == 0 || (((((true && !(!f(n - 1)))))))} f(DEPTH)",
}


@pytest.mark.parametrize("depth", [16, 63, 100, 127, 128, 1000])
@pytest.mark.parametrize("name", LEVELS)
async def test_recursion_at_any_depth_is_a_result_or_a_script_error(
    name: str, depth: int, workbench: Workbench
) -> None:
    outcome = await workbench.run(LEVELS[name].replace("DEPTH", str(depth)), **DEEPEST)
    assert outcome.code in ("ok", "script_error"), outcome.error
    if depth == 1000 and name != "sort":  # a comparer that throws is one that lies
        assert outcome.code == "script_error"
    await untouched(workbench)


@pytest.mark.parametrize("name", ["function", "blocks", "switch", "loops", "text", "arguments", "operators"])
async def test_plain_recursion_reaches_the_default_limit(name: str, workbench: Workbench) -> None:
    outcome = await workbench.run(LEVELS[name].replace("DEPTH", "60"))
    assert outcome.code == "ok", outcome.error


SHAPES = {
    "parens": ("(", ")"),
    "arrays": ("[", "]"),
    "maps": ("#{a:", "}"),
    "blocks": ("{", "}"),
    "ifs": ("if true {", "}"),
    "calls": ("abs(", ")"),
    "closures": ("(|| ", ").call()"),
    "texts": ("`${", "}`"),
    "nots": ("!", ""),
    "switches": ("switch 1 { _ => ", "}"),
    "sums": ("1 + (", ")"),
    "tries": ("try {", "} catch {}"),
    "loops": ("loop { break ", "; }"),
}


REFUSED = ("ok", "script_invalid", "script_error", "response_invalid", "fuel_budget")
CHEAP = 200_000_000


@pytest.mark.parametrize("depth", [10, 50, 64, 100, 127, 128, 129, 1000])
@pytest.mark.parametrize("name", SHAPES)
async def test_nesting_at_any_depth_is_a_result_or_an_error(
    name: str, depth: int, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picloud.sandbox.run.COMPILE_FUEL", CHEAP)  # nested switches are slow to compile
    opening, closing = SHAPES[name]
    source = nested(opening, closing, depth, "true" if name == "nots" else "1")
    outcome = await workbench.run(source, **DEEPEST)
    assert outcome.code in REFUSED, outcome.error
    recursive = f"fn f(n) {{ if n > 0 {{ f(n - 1) }} else {{ {source} }} }} f(120)"
    outcome = await workbench.run(recursive, **DEEPEST)
    assert outcome.code in REFUSED, outcome.error
    await untouched(workbench)


JSON = "application/json"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 1000 + b"]" * 1000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b"1" * 5000,
        b"-",
        b"1e999",
        b"NaN",
        b'"\\ud800"',
        b'"\xff"',
        b'{"a":1}{',
        b"",
        b"\0",
        b'"' + b"x" * 300_000 + b'"',
        b"[" + b"1," * 200_000 + b"1]",
        b'{"a": 1, "a": 2}',
        b"18446744073709551616",
    ],
    ids=lambda body: body[:12].hex() or "empty",
)
async def test_unusual_json_is_parsed_or_rejected(body: bytes, workbench: Workbench) -> None:
    request = ScriptRequest(body=body, content_type=JSON, headers={"content-type": JSON})
    outcome = await workbench.run("type_of(ctx.request.body)", request)
    assert outcome.code in ("ok", "request_invalid", "script_error"), outcome.error
    await untouched(workbench)


@pytest.mark.parametrize("bytes_", [1, 65_536, 70_000, 1_000_000, 10 * MIB])
async def test_a_body_of_any_size_arrives_whole_or_ends_at_a_limit(bytes_: int, workbench: Workbench) -> None:
    request = ScriptRequest(body=b"\xff" * bytes_, content_type="application/octet-stream")
    outcome = await workbench.run("ctx.request.body.len()", request)
    assert outcome.code in ("ok", "script_error", "memory_limit"), outcome.error
    assert outcome.code != "ok" or value(outcome) == bytes_
    assert bytes_ > 10_000 or outcome.code == "ok"
    if outcome.code == "script_error":
        assert "max_array_size" in outcome.error.message  # type: ignore[union-attr]
    await untouched(workbench)


async def test_the_smallest_limits_end_an_execution_and_not_the_platform(workbench: Workbench) -> None:
    for name in Ceilings().resolve({}).__slots__:
        if name == "max_import_depth":
            continue
        outcome = await workbench.run("let a = [1, 2, #{ b: `c` }]; fn f(x) { x + 1 } f(1)", **{name: 1})
        assert outcome.code != "internal", (name, outcome.error)
    await untouched(workbench)


async def test_a_log_flood_is_cut_and_the_script_continues(workbench: Workbench) -> None:
    outcome = await workbench.run('for i in 0..5000 { print("line"); } 7')
    assert value(outcome) == 7
    assert len(outcome.logs) == 1000
    assert outcome.logs_dropped == 4000


async def test_a_flood_keeps_its_ends_and_its_warnings(workbench: Workbench) -> None:
    outcome = await workbench.run(
        "for i in 0..5000 { log::info(i); if i == 2500 { log::warn(`odd`); } } log::error(`end`); 7"
    )
    said = [line.message for line in outcome.logs]
    assert said[:3] == ["0", "1", "2"]
    assert said[-3:] == ["4998", "4999", "end"]
    assert "odd" in said
    assert len(said) == 1000
    assert sum(line.dropped for line in outcome.logs) == outcome.logs_dropped == 4002


async def test_a_long_line_is_cut_and_the_others_are_kept(workbench: Workbench) -> None:
    source = """
        let s = "x"; s.pad(250000, "y");
        print(s); log::warn(s, [s]); for i in 0..9 { print(s); } print("z"); 1
    """
    outcome = await workbench.run(source)
    assert value(outcome) == 1
    assert outcome.logs[0].message == "x" + "y" * 65_535 + "…"
    assert [line.message[:1] for line in outcome.logs if line.level == "warn"] == ["x"]
    assert outcome.logs[-1].message == "z"
    assert len(outcome.logs) + outcome.logs_dropped == 12


# -------------------------------------------------------------------------------- nothing is carried over


async def test_nothing_of_one_execution_is_there_for_the_next(workbench: Workbench) -> None:
    version = script("const A = [0]; let seen = A.len(); let m = #{}; m.x = seen; m")
    bodies = [value(await workbench.run(version)) for _ in range(50)]
    assert bodies == [{"x": 1}] * 50


async def test_randomness_and_kv_are_the_hosts_and_not_the_guests(workbench: Workbench) -> None:
    version = script("random::uuid()")
    seen = [value(await workbench.run(version)) for _ in range(200)]
    assert len(set(map(str, seen))) == 200


WORK = """
fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
let m = #{};
for i in 0..50 { m[`k${i * 7919 % 101}`] = i; }
let keys = m.keys(); let text = "";
for k in keys { text += k; }
#{ statusCode: 201, headers: #{ "X-A": "1", "X-B": "2" }, body: #{ fib: fib(8), text: text, m: m, f: 1.5 } }
"""


async def test_the_same_script_and_input_give_the_same_fuel_and_bytes_a_thousand_times(
    workbench: Workbench,
) -> None:
    version = script(WORK)
    first = await workbench.run(version)
    assert first.figures.cache == "cold"
    assert first.code == "ok"
    for _ in range(1000):
        outcome = await workbench.run(version)
        assert outcome.figures.cache == "cached"
        assert outcome.response == first.response
        assert (outcome.figures.fuel, outcome.figures.operations) == (
            first.figures.fuel,
            first.figures.operations,
        )
        assert outcome.figures.peak_memory_bytes == first.figures.peak_memory_bytes


async def test_compiling_again_gives_the_same_result(workbench: Workbench) -> None:
    outcomes = [await workbench.run(script(WORK)) for _ in range(20)]
    assert {outcome.figures.cache for outcome in outcomes} == {"cold"}
    assert len({outcome.figures.fuel for outcome in outcomes}) == 1
    assert all(outcome.response == outcomes[0].response for outcome in outcomes)


async def test_too_little_fuel_ends_it_at_every_point(workbench: Workbench) -> None:
    needed = (await workbench.run(WORK)).figures.fuel
    version = script(WORK)
    for part in range(1, 40):
        limits = Ceilings().resolve({"max_fuel": needed * part // 40})
        outcome = await workbench.execute((version.script_id, 1), version.source, _input(), limits)
        assert outcome.code == "fuel_budget"
        assert outcome.figures.fuel == limits.max_fuel
    await untouched(workbench)


def _input() -> bytes:
    return invocation("1").pack("0.1")


@pytest.mark.parametrize(
    "source", ['\n  regex::is_match("(", "a")', "\n  random::int(1, 0)", '\n  json::parse("[")']
)
async def test_an_error_of_a_namespaced_function_has_its_position(source: str, workbench: Workbench) -> None:
    outcome = await workbench.run(source)
    assert outcome.error is not None
    assert outcome.error.line == 2


# ------------------------------------------------------------------------------------ others keep their turn


async def test_light_scripts_finish_while_endless_ones_run(workbench: Workbench) -> None:
    await untouched(workbench)
    endless = replace(Ceilings().resolve({}), max_operations=10**12, max_fuel=10**15, timeout_seconds=600)
    heavy = [
        asyncio.create_task(workbench.execute((n, "endless"), b"loop { }", _input(), endless))
        for n in range(8)
    ]
    await until(lambda: computing(workbench.engine) == 8)
    for _ in range(200):
        await untouched(workbench)
    assert not any(task.done() for task in heavy)  # all of the light ones came first
    for task in heavy:
        task.cancel()
    results = await asyncio.gather(*heavy, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert workbench.alive == 0
    await untouched(workbench)


async def test_endless_scripts_share_the_cores_and_all_end(workbench: Workbench) -> None:
    endless = {"max_operations": 10_000_000, "max_fuel": 50_000_000_000, "timeout_seconds": 1}
    outcomes = await asyncio.gather(*(workbench.run("loop { }", **endless) for _ in range(8)))
    assert {outcome.code for outcome in outcomes} <= {"timeout", "operation_budget"}
    assert all(outcome.figures.fuel > 0 for outcome in outcomes)
    await untouched(workbench)
