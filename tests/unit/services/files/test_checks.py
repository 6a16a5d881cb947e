"""Content types: every accepted one is a safe header value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import ServiceError
from picloud.services.files.checks import check_metadata, is_content_type

GOOD = [
    "text/plain",
    "text/plain; charset=utf-8",
    "text/plain;charset=UTF-8",
    'multipart/form-data; boundary="a b\\"c"; x=y',
    "application/vnd.api+json",
    "a/" + "b" * 253,
]
BAD = [
    "",
    "text",
    "text/",
    "/plain",
    "text/plain ",
    " text/plain",
    "text/plain;",
    "text/plain; charset",
    "text/plain; charset=a b",
    'text/plain; charset="a',
    "text/plain\n",
    "text/plain\r\nX: y",
    'text/plain; a="\r\nX: y"',
    "text/plain; a=é",
    "text/plain, text/html",
    "a/" + "b" * 254,
]


@pytest.mark.parametrize("text", GOOD)
def test_media_types_are_content_types(text: str) -> None:
    assert is_content_type(text)


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_none(text: str) -> None:
    assert not is_content_type(text)


@given(st.text() | st.from_regex(r"[a-z]+/[a-z]+(; ?[a-z]+=.*)?", fullmatch=True))
def test_what_passes_is_one_line_of_ascii(text: str) -> None:
    if is_content_type(text):
        assert re.fullmatch(r"[\t\x20-\x7e]{3,255}", text)


@pytest.mark.parametrize("leaf", ["[]", "{}", "1", '"[[[{{{"', "9" * 5000, '"\\ud800"', "[]," * 500 + "1"])
def test_metadata_is_no_deeper_than_scripts_read(leaf: str) -> None:
    around = 126 if leaf[0] in "[{" else 127  # maps and arrays around what is in the middle
    check_metadata('{"a":' + "[" * (around - 1) + leaf + "]" * (around - 1) + "}")
    for more in (1, 1000, 5000):
        deep = '{"a":' + "[" * (around - 1 + more) + leaf + "]" * (around - 1 + more) + "}"
        with pytest.raises(ServiceError, match=r"\b127\b"):
            check_metadata(deep)


@pytest.mark.parametrize("piece", [';a="', "; a=a", ";\t \t ", '\\"', "!"])
def test_no_text_is_searched_back_and_forth(piece: str) -> None:
    assert not is_content_type(("a/b" + piece * 300)[:254] + "\n")  # which would not end
