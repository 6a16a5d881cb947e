from __future__ import annotations

from picloud.cli.excerpt import excerpt
from picloud.sandbox.outcome import ScriptError


def test_the_caret_stands_below_the_column() -> None:
    shown = excerpt(ScriptError("no such variable: z", 2, 9), "a.rhai", "let x = 1;\nlet y = z;\n")
    place, line, caret = shown.split("\n")
    assert place == "a.rhai:2:9: no such variable: z"
    assert line[caret.index("^")] == "z"


def test_a_tab_before_the_column_is_kept_so_that_the_caret_does_not_move() -> None:
    _, line, caret = excerpt(ScriptError("bad", 1, 3), "a.rhai", "\t\tx").split("\n")
    assert caret.split("| ")[1] == "\t\t^"
    assert line.split("| ")[1] == "\t\tx"


def test_an_error_without_a_position_is_the_file_and_the_message() -> None:
    assert excerpt(ScriptError("too long"), "a.rhai", "x") == "a.rhai: too long"


def test_an_error_in_a_module_names_it_and_shows_no_line_of_this_file() -> None:
    shown = excerpt(ScriptError("bad", 1, 1, "lib"), "a.rhai", "x")
    assert shown == "a.rhai:1:1 (in module lib): bad"


def test_a_position_behind_the_end_shows_no_line() -> None:
    assert excerpt(ScriptError("unexpected end", 7, 1), "a.rhai", "x") == "a.rhai:7:1: unexpected end"
