"""Promises of http/fields.py."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from pydantic import Field

from picloud.errors import BadRequest, Invalid
from picloud.http.admin.endpoint import ListQuery
from picloud.http.fields import Body, parse_json, parse_query


class Thing(Body):
    name: str
    parts: dict[str, int] = Field(default_factory=dict)


def test_a_good_body_is_read() -> None:
    assert parse_json(Thing, b'{"name": "a", "parts": {"b": 1}}') == Thing(name="a", parts={"b": 1})
    assert parse_json(Thing, rb'{"name": "\\u0000"}').name == r"\u0000"


def test_every_problem_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        parse_json(Thing, b'{"parts": {"b": "1"}, "more": 1}')
    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert {problem["field"] for problem in problems} == {"name", "parts.b", "more"}


def test_what_is_not_utf8_is_told_by_line_and_column() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_json(Thing, '{"name":\n "é'.encode() + b'\xff"}')
    assert (caught.value.message, caught.value.details) == ("the body is not UTF-8", {"line": 2, "column": 4})


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_an_error_of_the_caller(raw: bytes) -> None:
    with pytest.raises((BadRequest, Invalid)):
        parse_json(Thing, b"x" + raw)
    with contextlib.suppress(BadRequest, Invalid):
        assert parse_json(Thing, raw).name is not None


def test_numbers_of_a_query_are_read_from_text_and_names_are_known() -> None:
    assert parse_query(ListQuery, MultiDict(limit="7")).limit == 7
    for query in (MultiDict(limit="7.5"), MultiDict(limits="7"), MultiDict([("limit", "1"), ("limit", "2")])):
        with pytest.raises(Invalid):
            parse_query(ListQuery, query)
