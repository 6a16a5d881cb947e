"""Who calls a function that is not there is told which there are."""

from __future__ import annotations

import pytest

from picloud.sandbox.hints import hinted

STRING = "&str | ImmutableString | String"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (f"docs::colection ({STRING})", "docs::colection (string); use docs::collection(name: string)"),
        (f"crypto::sha256 ({STRING}, i64)", "use crypto::sha256(data: string | blob) -> string"),
        (f"crypto::sha1 ({STRING})", "use crypto::sha256(data: string | blob) -> string"),
        (f"kv::get ({STRING}, {STRING})", "use kv::collection(name).get(key: string) -> value | ()"),
        (
            f"regex::test ({STRING})",
            "regex has captures, find, find_all, is_match, replace, replace_all, split",
        ),
        (
            f"set (kv::collection, {STRING})",
            "set (kv::collection, string); use set(key: string, value, ",
        ),
        ("find (docs::collection)", "use find(filter: map) -> array"),
        (
            "insert_many (docs::collection, array)",
            "it has count, create, delete, find, find_one, get, list, ",
        ),
        ("to_upper (())", "to_upper (()); () means that a value is absent"),
        ("http::get ()", "use http::get(url: string, options?: #{ headers, query, "),
    ],
)
def test_a_function_that_is_not_there_is_told_with_what_there_is(message: str, hint: str) -> None:
    assert hint in hinted(f"Function not found: {message}")


@pytest.mark.parametrize(
    ("kind", "hint"), [("file", "body: file }"), ("blob", "convert it with base64::encode")]
)
def test_what_json_cannot_say_is_told_with_what_can_be_done(kind: str, hint: str) -> None:
    message = f"a value of type {kind} cannot be written as JSON"
    assert hinted(message).startswith(f"{message}; ")
    assert hint in hinted(message)


@pytest.mark.parametrize(
    "message",
    [
        "Function not found: mine (i64)",
        "Function not found: shop::price ()",
        "Function not found: ((",
        "Variable not found: x",
        "",
    ],
)
def test_what_it_knows_nothing_of_stays_as_it_is(message: str) -> None:
    assert hinted(message) == message


def test_what_stands_behind_the_types_stays() -> None:
    assert hinted("Function not found: mine (i64) (in function f)") == (
        "Function not found: mine (i64) (in function f)"
    )
