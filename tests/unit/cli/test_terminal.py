from __future__ import annotations

import json

import pytest

from picloud.cli.terminal import bar, fail, json_text, plain, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("a", "bb"), [("long", "x"), ("s", "y")]) == "a     bb\nlong  x\ns     y"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, ""), (1, "██████████"), (0.5, "█████"), (2, "██████████"), (0.01, "▏"), (0.99, "█████████▉")],
)
def test_a_bar_is_as_long_as_its_value_says(value: float, shown: str) -> None:
    assert bar(value, 1, 10) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größe ✓ 日本", "größe ✓ 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066x\u2028\ud800", "\\u2066x\\u2028\\ud800"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    ["plain", "größe ✓ 日本 🎈", "\x1b[31m\r\n", "\x9b2J", "\x7f", "\u202egpj.exe", "\u2066x\u2028\ud800"],
)
def test_json_steers_no_terminal_and_says_the_same(text: str) -> None:
    said = json_text({text: [text]}, indent=2)
    assert json.loads(said) == {text: [text]}
    assert plain(said, keep="\n") == said
    assert json_text(text) in said


def test_control_characters_that_are_kept_stay() -> None:
    assert plain("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_control_characters_in_errors_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    fail("a\x1b[2J\n\tb\u202e")
    assert capsys.readouterr().err == "picloud: a\\x1b[2J\n\tb\\u202e\n"
