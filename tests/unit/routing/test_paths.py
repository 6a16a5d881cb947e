"""Promises of routing/paths.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import BadRequest
from picloud.routing.paths import join_path, split_path

segment = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).filter(
    lambda text: text not in (".", "..")
)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", ("",)),
        ("/hello", ("hello",)),
        ("/hello/", ("hello", "")),
        ("//a", ("", "a")),
        ("/a/b%2Fc", ("a", "b/c")),
        ("/caf%C3%A9", ("café",)),
        ("/café", ("café",)),
        ("/%25", ("%",)),
        ("/.well-known/x", (".well-known", "x")),
        ("/a/...", ("a", "...")),
    ],
)
def test_a_path_is_split_before_it_is_decoded(raw: str, segments: tuple[str, ...]) -> None:
    assert split_path(raw) == segments


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "*",
        "/.",
        "/..",
        "/a/../b",
        "/a/./b",
        "/%2e%2e/b",
        "/.%2E",
        "/a%00b",
        "/a\0b",
        "/%ff",
        "/%C3",
        "/caf\udce9",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
    ],
)
def test_an_invalid_path_is_a_bad_request(raw: str) -> None:
    with pytest.raises(BadRequest):
        split_path(raw)


@given(st.lists(segment, min_size=1, max_size=5).map(tuple))
def test_joining_and_splitting_gives_the_segments_back(segments: tuple[str, ...]) -> None:
    assert split_path(join_path(segments)) == segments


@given(st.text(max_size=40))
def test_any_text_is_a_path_or_a_bad_request(raw: str) -> None:
    try:
        segments = split_path("/" + raw)
    except BadRequest:
        return
    assert split_path(join_path(segments)) == segments
