"""Promises of routing/pattern.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Invalid
from picloud.routing.pattern import Parameter, PathPattern, is_reserved, parse_method, parse_path

literal = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8).filter(
    lambda text: text not in (".", "..")
)
name = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


@st.composite
def any_paths(draw: st.DrawFn) -> PathPattern:
    prefix = draw(st.booleans())
    names = draw(st.lists(name, unique=True, max_size=3))
    segments: list[str | Parameter] = [
        *draw(st.lists(literal, min_size=0 if prefix or names else 1, max_size=4)),
        *map(Parameter, names),
    ]
    return PathPattern(tuple(draw(st.permutations(segments))), prefix)


def reserved(pattern: PathPattern) -> bool:
    first = pattern.segments[0] if pattern.segments else None
    longer = len(pattern.segments) > 1 or pattern.prefix
    return isinstance(first, str) and is_reserved((first, "x") if longer else (first,))


@given(any_paths().filter(lambda pattern: not reserved(pattern)))
def test_a_pattern_is_printed_as_it_is_parsed(pattern: PathPattern) -> None:
    assert parse_path(str(pattern)) == pattern


@given(st.text(max_size=30) | st.lists(st.sampled_from("ab:*{}%/.?# é"), max_size=20).map("".join))
def test_any_text_is_a_pattern_with_one_spelling_or_rejected(text: str) -> None:
    try:
        pattern = parse_path("/" + text)
    except Invalid:
        return
    assert parse_path(str(pattern)) == pattern
    assert str(parse_path(str(pattern))) == str(pattern)


@pytest.mark.parametrize(
    ("text", "kind", "segments"),
    [
        ("/", "exact", ("",)),
        ("/greet", "exact", ("greet",)),
        ("/greet/", "exact", ("greet", "")),
        ("/a//b", "exact", ("a", "", "b")),
        ("/users/:id", "param", ("users", Parameter("id"))),
        ("/:_a1/x", "param", (Parameter("_a1"), "x")),
        ("/greet/*", "prefix", ("greet",)),
        ("/*", "prefix", ()),
        ("/users/:id/*", "prefix", ("users", Parameter("id"))),
        ("/%3Aid", "exact", (":id",)),
        ("/a%3Ab", "exact", ("a:b",)),
        ("/%2A", "exact", ("*",)),
        ("/%7Bx%7D", "exact", ("{x}",)),
    ],
)
def test_the_kind_of_a_path_follows_from_its_pattern(
    text: str, kind: str, segments: tuple[str | Parameter, ...]
) -> None:
    pattern = parse_path(text)
    assert (pattern.kind, pattern.segments, str(pattern)) == (kind, segments, text)


@pytest.mark.parametrize(
    "path",
    [
        "/api/x",
        "/api/",
        "/api/*",
        "/api/:x",
        "/admin",
        "/admin/x",
        "/admin/*",
        "/admin/:x/y",
        "/healthz",
        "/readyz",
        "/version",
        "/metrics",
        "/realtime/x",
        "/realtime/*",
        "/%61pi/x",
    ],
)
def test_patterns_that_match_only_reserved_paths_are_rejected(path: str) -> None:
    with pytest.raises(Invalid, match="reserved") as caught:
        parse_path(path)
    assert caught.value.details["field"] == "path"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/apis/x",
        "/administrators",
        "/healthz/x",
        "/healthz/*",
        "/versions",
        "/realtime",
        "/:x",
        "/*",
        "/:x/y",
    ],
)
def test_their_neighbours_can(path: str) -> None:
    assert str(parse_path(path)) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "starts with '/'"),
        ("greet", "starts with '/'"),
        ("*", "starts with '/'"),
        ("/a*", "alone and last"),
        ("/*/a", "alone and last"),
        ("/**", "alone and last"),
        ("/a/*/", "alone and last"),
        ("/a:b", "middle"),
        ("/:a:b", "a parameter is ':' and a name"),
        ("/:", "a parameter is ':' and a name"),
        ("/:1a", "a parameter is ':' and a name"),
        ("/:a-b", "a parameter is ':' and a name"),
        ("/:é", "a parameter is ':' and a name"),
        ("/:a%62", "a parameter is ':' and a name"),
        ("/:" + "a" * 65, "a parameter is ':' and a name"),
        ("/:id/x/:id", "'id' is there twice"),
        ("/{id}", "braces"),
        ("/a}", "braces"),
        ("/a?b", "query"),
        ("/a#b", "fragment"),
        ("/../a", "segment"),
        ("/a/.", "segment"),
        ("/%2e%2E/a", "segment"),
        ("/%zz", "hexadecimal"),
        ("/%", "hexadecimal"),
        ("/a\0", "NUL"),
        ("/%00", "NUL"),
        ("/%ff", "UTF-8"),
        ("/\udce9", "UTF-8"),
        ("/" + "a" * 2048, "2048"),
        ("/a" * 65, "64 segments"),
    ],
)
def test_invalid_patterns_are_rejected_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        parse_path(path)
    assert caught.value.details["field"] == "path"


def test_two_spellings_of_a_path_are_stored_alike() -> None:
    assert parse_path("/caf%C3%A9") == parse_path("/café")
    assert str(parse_path("/caf%C3%A9/%7e")) == "/café/~"


def test_methods_are_known_and_upper_case() -> None:
    assert parse_method("get") == "GET"
    assert parse_method(None) is None
    for method in ("BREW", "", "GET ", "\ud800"):
        with pytest.raises(Invalid) as caught:
            parse_method(method)
        assert caught.value.details["field"] == "method"
