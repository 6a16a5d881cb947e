"""An error of a script says what the author could have meant; docs/error-messages.md has more of them."""

from __future__ import annotations

import pytest

from picloud.sandbox.hints import hinted
from picloud.sandbox.hints.calls import hint as call_hint
from picloud.sandbox.hints.habits import METHODS
from picloud.sandbox.hints.namespaces import SYNONYMS, _known
from picloud.sandbox.hints.place import Place, split_arguments
from picloud.sandbox.outcome import ScriptError


def message(text: str, source: str = "", line: int | None = None, column: int | None = None) -> str:
    return hinted(ScriptError(text, line, column), source.encode()).message


@pytest.mark.parametrize(
    ("signature", "hint"),
    [
        ("docs::colection (string)", "use docs::collection(name: string)"),
        ("crypto::sha256 (string, integer)", "use crypto::sha256(data: string | blob) -> string"),
        ("crypto::sha1 (string)", "use crypto::sha256(data: string | blob) -> string"),
        ("kv::get (string, string)", "use kv::collection(name).get(key: string) -> value | ()"),
        ("docs::insert (string, map)", "use docs::collection(name).create(data: map)"),
        ("regex::test (string)", "use regex::is_match("),
        (
            "regex::flags (string)",
            "regex has captures, find, find_all, is_match, replace, replace_all, split",
        ),
        ("set (kv::collection, string)", "use set(key: string, value, "),
        ("find (docs::collection)", "use find(filter: map)"),
        (
            "insert_many (docs::collection, array)",
            "it has count, create, delete, find, find_one, get, list, ",
        ),
        ("to_upper (())", "() means that a value is absent"),
        ("http::get ()", "use http::get(url: string, options?: #{ headers, query, "),
        ("http::fetch (string)", "use http::get(url: string, options?: "),
        ("to_uper (string)", "use .to_upper(...)"),
    ],
)
def test_a_missing_function_is_reported_with_an_existing_one(signature: str, hint: str) -> None:
    assert f"Function not found: {signature}; {hint}" in message(f"Function not found: {signature}")


@pytest.mark.parametrize(
    ("kind", "hint"), [("file", "body: file }"), ("blob", "convert it with base64::encode")]
)
def test_a_value_that_is_not_json_is_reported_with_what_to_do(kind: str, hint: str) -> None:
    text = f"a value of type {kind} cannot be written as JSON"
    assert message(text).startswith(f"{text}; ")
    assert hint in message(text)


@pytest.mark.parametrize(
    "text",
    [
        "Function not found: mine (integer)",
        "Function not found: mine (integer) (in function f)",
        "Function not found: shop::price ()",
        "Function not found: ((",
        "Variable not found: x",
        "a message of the script",
        "",
    ],
)
def test_an_unknown_error_is_unchanged(text: str) -> None:
    assert message(text) == text


def test_a_thrown_value_has_no_hint() -> None:
    error = ScriptError("Variable not found: null", 1, 1, None, '{"a":1}')
    assert hinted(error, b"null") is error


def test_an_error_in_a_module_is_explained_by_the_source_of_the_module() -> None:
    error = ScriptError("Function not found: f (integer) (in function g)", 2, 3, "m")
    modules = {"m": b"fn g() {\n  f(1)\n}\nfn f(a, b) { a }"}
    assert hinted(error, b"let f = 1;", modules).message.endswith("f takes 2 arguments: f(a, b)")
    assert hinted(error, b"", {}).message == error.message


@pytest.mark.parametrize(
    ("source", "text", "column", "hint"),
    [
        ("m.a.b += 1", "Function not found: + ((), integer)", 4, "m.a.b is (), it does not exist yet; "),
        ("t.n -= f(1)", "Function not found: - ((), integer)", 2, "t.n is (), it does not exist yet; "),
        ('m["k"] += "x"', "Function not found: + ((), string)", 2, 'm["k"] = (m["k"] ?? "") + ...'),
        ("1 + m.a", "Function not found: + (integer, ())", 3, "m.a is (), it does not exist yet"),
        ("m.a * 2", "Function not found: * ((), integer)", 5, "m.a is (), it does not exist yet"),
        ("1 + f(x)", "Function not found: + (integer, ())", 3, "() means that a value is absent"),
        ("m.a.b += 1", "Function not found: + ((), integer)", 7, "m.a.b = (m.a.b ?? 0) + ..."),
        ('by["a"]["b"] = 5', "Indexer unavailable: () [string] = integer", 14, 'by["a"] is (), it does not'),
        ('by["a"]["b"] = 5', "Indexer unavailable: () [string] = integer", 8, 'by["a"] is (), it does not'),
        (
            'by["a"]["b"] = 5',
            "Indexer unavailable: () [string] = integer",
            9,
            'create it first: by["a"] = #{}',
        ),
        (
            "a?.b.c",
            "Unknown property 'c' - a getter is not registered for type '()'",
            6,
            "a?.b?.c is () then",
        ),
        ("m.f.call(1)", "Function not found: anon$1f (integer)", 5, "a closure was called with 1 argument"),
    ],
)
def test_the_value_in_the_source_is_named(source: str, text: str, column: int, hint: str) -> None:
    assert hint in message(text, source, 1, column)


def test_every_synonym_names_an_existing_function() -> None:
    for namespace, names in SYNONYMS.items():
        known = _known()[namespace]
        for name, meant in names.items():
            assert name not in {*known.functions, *known.methods}, (namespace, name)
            assert meant in {*known.functions, *known.methods}, (namespace, meant)


def test_every_habit_has_a_hint_as_method_and_as_property() -> None:
    nowhere, method = Place("", None, None), Place("x.", 1, 3)
    for kind, names in METHODS.items():
        for name, hint in names.items():
            assert call_hint(f"Function not found: {name} ({kind})", method) == hint
            text = f"Unknown property '{name}' - a getter is not registered for type '{kind}'"
            assert call_hint(text, nowhere) == hint


def test_arguments_are_split_at_their_commas() -> None:
    assert split_arguments('(a, f(b, c), "d,)", |x, y| x, [1, 2]) + (z)') == [
        "a",
        "f(b, c)",
        '"d,)"',
        "|x, y| x",
        "[1, 2]",
    ]
    assert split_arguments("()") == []
    assert split_arguments("(a, b") is None


def test_a_place_is_found_in_a_source_of_any_length() -> None:
    lines = [f"let a{number} = {'x' * (number % 50)};" for number in range(20_000)]
    source = "\n".join(lines)
    for line in (1, 2, 999, 10_000, 19_999, 20_000):
        place = Place(source, line, 5)
        assert (place.before, place.after) == ("let ", lines[line - 1][4:])
        assert place.source_after().startswith(lines[line - 1][4:])
    assert (Place(source, 20_001, 1).line, Place(source, None, None).line) == ("", "")
    assert Place(source, 1, 1_000_000).before == lines[0]


def test_a_data_race_without_a_position_is_found_in_the_source() -> None:
    text = "Data race detected on argument #1 of function 'map'"
    error = hinted(ScriptError(text), b"let a = [1];\nlet b = [2].map(|x| x);\n  a.map(|x| x + a.len())")
    assert (error.line, error.column) == (3, 5)
    assert (
        error.message == f"{text}; the closure uses a while map works on it; copy it first: let n = a.len()"
    )
    either = hinted(ScriptError(text), b"a.map(|x| a.len()); b.map(|x| b.len())")
    assert (either.line, either.message.startswith(f"{text}; ")) == (None, True)


HOSTILE = [
    "fn a(" * 100_000,
    "let " + " " * 1_000_000,
    "(" * 1_000_000,
    "a." * 500_000,
    "a[" * 500_000,
    "f = |" * 200_000,
    "switch{" * 100_000,
    '"' + "\\" * 1_000_000,
    "let a" + "\n" * 1_000_000,
    "import " * 150_000,
    "é" * 500_000,
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_source_is_searched_in_bounded_work(source: str) -> None:
    """A search that is quadratic in the source would not end here."""
    for text in (
        "Function not found: f (integer)",
        "Function not found: anon$1 (integer)",
        "Function not found: + ((), integer)",
        "Function not found: map (())",
        "Variable not found: x",
        "Data race detected on argument #1 of function 'map'",
        "Expecting ';' to terminate this statement",
        "Unknown property 'length' - a getter is not registered for type '()'",
        "'new' is a reserved keyword",
    ):
        for line, column in ((1, 1), (1, len(source) // 2), (1, len(source)), (999_999, 1), (None, None)):
            assert message(text, source, line, column)
