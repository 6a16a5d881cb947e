"""`picloud run`: a script in the real sandbox, without server and database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.acceptance.running import environment


def _run(source: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "picloud", "run", "-" if isinstance(source, str) else str(source), *arguments],
        input=source if isinstance(source, str) else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment({}),
    )


def test_the_response_body_alone_goes_to_standard_output() -> None:
    ended = _run("#{ answer: 6 * 7 }")
    assert (ended.returncode, ended.stdout) == (0, '{"answer":42}')
    assert ended.stderr.startswith("200\ncontent-type: application/json")


def test_a_body_and_a_query_reach_the_script() -> None:
    source = "#{ name: ctx.request.body.name, q: ctx.request.query.a, method: ctx.request.method }"
    ended = _run(source, "--body", '{"name": "Ada"}', "--query", "a=%26", "--method", "put")
    assert json.loads(ended.stdout) == {"name": "Ada", "q": "&", "method": "PUT"}


def test_headers_reach_the_script_and_set_the_type_of_the_body() -> None:
    source = "#{ sent: ctx.request.headers[`x-key`], body: ctx.request.body }"
    ended = _run(source, "--header", "X-Key: a: b", "--header", "Content-Type: text/plain", "--body", "{}")
    assert json.loads(ended.stdout) == {"sent": "a: b", "body": "{}"}
    ended = _run(source, "--header", "X-Key")
    assert (ended.returncode, "'X-Key'" in ended.stderr) == (2, True)


def test_a_byte_order_mark_is_skipped_in_scripts_modules_and_bodies(tmp_path: Path) -> None:
    (tmp_path / "m.rhai").write_text("\ufefffn two() { 2 }", "utf-8")
    file = tmp_path / "s.rhai"
    file.write_text('\ufeffimport "m" as m; [m::two(), ctx.request.body.a, json::parse("\ufeff4")]', "utf-8")
    ended = _run(file, "--body", '\ufeff{"a": 3}')
    assert (ended.stdout, ended.returncode) == ("[2,3,4]", 0)
    file.write_text("\ufefflet x = ;", "utf-8")
    ended = _run(file)
    assert f"{file}:1:9" in ended.stderr
    assert "\ufeff" not in ended.stderr


def test_a_function_that_needs_a_server_reports_it() -> None:
    ended = _run('docs::collection("a").create(#{})')
    assert ended.returncode == 1
    assert "docs::create: " in ended.stderr


def test_an_invalid_json_body_is_a_bad_request() -> None:
    ended = _run("1", "--body", "{")
    assert ended.returncode == 1
    assert "request_invalid" in ended.stderr


def test_an_uncaught_error_is_shown_with_its_position_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "greet.rhai"
    file.write_text('let x = 1;\nthrow "no";\n')
    ended = _run(file)
    assert ended.returncode == 1
    assert f"{file}:2:1: " in ended.stderr
    assert '    2 | throw "no";\n      | ^\n' in ended.stderr
    assert "script_error" in ended.stderr


def test_a_script_that_does_not_parse_ends_with_3() -> None:
    ended = _run("let x = ;")
    assert ended.returncode == 3
    assert "<stdin>:1:9: " in ended.stderr


def test_an_exceeded_limit_is_named() -> None:
    ended = _run("loop { }")
    assert ended.returncode == 1
    assert "operation_budget" in ended.stderr


def test_fuel_figures_are_shown_when_asked_for_and_equal_every_time() -> None:
    def fuel() -> str:
        ended = _run("let x = 0; for i in 0..100 { x += i; } x", "--fuel")
        return next(line for line in ended.stderr.splitlines() if line.startswith("fuel"))

    assert fuel() == fuel()


def test_json_has_everything_under_the_names_of_the_execution_log() -> None:
    ended = _run('print("hi"); 1', "--json")
    shown = json.loads(ended.stdout)
    assert (shown["outcome"], shown["status"], shown["response"]["body"]) == ("ok", 200, "1")
    assert shown["logs"] == [{"level": "info", "message": "hi", "data": None}]
    assert shown["fuel"] > 0
    assert shown["cache"] == "cold"


def test_kv_works_and_begins_empty() -> None:
    ended = _run('let c = kv::collection("c"); c.set("k", [1, 2]); [c.get("k"), c.get("other")]', "--fuel")
    assert ended.stdout == "[[1,2],null]"
    assert "host calls  kv_get 2, kv_set 1" in ended.stderr


def test_a_script_can_call_out_but_not_to_this_machine() -> None:
    ended = _run('try { http::get("http://localhost/"); } catch (e) { return e; }')
    assert (ended.returncode, ended.stdout) == (0, '"http::get: denied: private address"')


def test_modules_are_found_in_the_folder_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "tax.rhai").write_text('import "rates" as r; fn of(n) { n * r::PERCENT / 100 }')
    (tmp_path / "rates.rhai").write_text("const PERCENT = 19;")
    (tmp_path / "page.rhai").write_text("1")
    file = tmp_path / "shop.rhai"
    file.write_text('import "tax" as tax; tax::of(200)')
    ended = _run(file)
    assert (ended.returncode, ended.stdout) == (0, "38"), ended.stderr
    file.write_text('import "../tax" as tax; tax::of(200)')
    assert "not found" in _run(file).stderr
    file.write_text('import "nobody" as n; 1')
    ended = _run(file)
    assert ended.returncode == 1
    assert f"{file}:1:8: " in ended.stderr


def test_an_error_in_a_module_is_shown_in_its_own_file(tmp_path: Path) -> None:
    library, file = tmp_path / "lib.rhai", tmp_path / "page.rhai"
    file.write_text('import "lib" as lib;\nlib::fail()')
    library.write_text('fn fail() {\n    throw "no";\n}')
    ended = _run(file)
    assert ended.returncode == 1
    assert f"{library}:2:5: no" in ended.stderr
    assert '    2 |     throw "no";\n      |     ^\n' in ended.stderr
    for source, place in (("fn fail( {", "1:10"), ("fn a() { 1 }\nprint(1);", "2:1")):
        library.write_text(source)
        ended = _run(file)
        assert ended.returncode == 3
        assert f"{library}:{place}: " in ended.stderr
    library.write_bytes(b"fn a() { '\xff' }")
    ended = _run(file)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"{library} " in ended.stderr
    assert "10" in ended.stderr


def test_variables_reach_the_script() -> None:
    source = 'vars::all() == #{ API_URL: "http://x/?a=b", EMPTY: "" } && vars::get("EMPTY") == ""'
    ended = _run(source, "--var", "API_URL=http://x/?a=b", "--var", "EMPTY=")
    assert (ended.returncode, ended.stdout) == (0, "true")
    ended = _run('vars::get("API_URL")')
    assert (ended.returncode, "'API_URL'" in ended.stderr) == (1, True)
    for wrong in ("API_URL", "api=1", f"A={'v' * 8193}"):
        ended = _run("1", "--var", wrong)
        assert (ended.returncode, ended.stdout) == (2, "")
