"""Promises of http/admin/fields.py."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from pydantic import Field

from picloud.core.errors import BadRequest, Invalid
from picloud.http.admin.endpoint import ForceQuery, ListQuery
from picloud.http.admin.fields import Body, parse_json, parse_query


class Thing(Body):
    name: str
    parts: dict[str, int] = Field(default_factory=dict)


def test_a_good_body_is_read() -> None:
    assert parse_json(Thing, b'{"name": "a", "parts": {"b": 1}}') == Thing(name="a", parts={"b": 1})
    assert parse_json(Thing, rb'{"name": "\\u0000"}').name == r"\u0000"


def test_a_byte_order_mark_is_skipped_once() -> None:
    assert parse_json(Thing, b'\xef\xbb\xbf{"name": "a"}') == Thing(name="a")
    for raw in (b"\xef\xbb\xbf", b'\xef\xbb\xbf\xef\xbb\xbf{"name": "a"}', b'\xfe\xff{"name": "a"}'):
        with pytest.raises(BadRequest):
            parse_json(Thing, raw)


def test_every_problem_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        parse_json(Thing, b'{"parts": {"b": "1"}, "more": 1}')
    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert {problem["field"] for problem in problems} == {"name", "parts.b", "more"}


def test_invalid_utf8_is_reported_with_line_and_column() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_json(Thing, '{"name":\n "é'.encode() + b'\xff"}')
    assert caught.value.details == {"line": 2, "column": 4}


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"name": "a", "name": "b"}', "name"),
        (b'{"name": "a", "parts": {"b": 1, "c": 2, "b": 1}}', "b"),
        (rb'{"name": "a", "n\u0061me": "a"}', "name"),
    ],
)
def test_a_duplicate_field_is_rejected(raw: bytes, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_json(Thing, raw)
    assert caught.value.details["field"] == field


@given(st.dictionaries(st.text(), st.integers(-(2**31), 2**31)))
def test_names_that_are_there_once_are_kept(parts: dict[str, int]) -> None:
    parts = {name: value for name, value in parts.items() if "\0" not in name}
    raw = json.dumps({"name": "a", "parts": parts}).encode()
    assert parse_json(Thing, raw).parts == parts


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_an_error_of_the_caller(raw: bytes) -> None:
    with pytest.raises((BadRequest, Invalid)):
        parse_json(Thing, b"x" + raw)
    with contextlib.suppress(BadRequest, Invalid):
        assert parse_json(Thing, raw).name is not None


@pytest.mark.parametrize("text", ["", " 7", "7 ", "+7", "07", "7.0", "7_0", "\u0667", "7e0", "0x7"])
def test_a_number_of_a_query_has_one_spelling(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_query(ListQuery, MultiDict(limit=text))
    assert caught.value.details["field"] == "limit"


def test_a_truth_of_a_query_has_one_spelling() -> None:
    assert parse_query(ForceQuery, MultiDict(force="true")).force
    assert not parse_query(ForceQuery, MultiDict(force="false")).force
    for text in ("", "1", "yes", "True", "on"):
        with pytest.raises(Invalid):
            parse_query(ForceQuery, MultiDict(force=text))


def test_numbers_of_a_query_are_read_from_text_and_names_are_known() -> None:
    assert parse_query(ListQuery, MultiDict(limit="7")).limit == 7
    for query in (MultiDict(limit="7.5"), MultiDict(limits="7"), MultiDict([("limit", "1"), ("limit", "2")])):
        with pytest.raises(Invalid):
            parse_query(ListQuery, query)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name": "a", ' + b",".join(b'"k%d": 1' % number for number in range(10_001)) + b"}",
        b'{"name": "a", "count": [' + b"1," * 40_000 + b"1]}",
        b'{"name": "a"' + b" " * 70_000 + b"}",
        b"[" * 70_000,
    ],
    ids=["names", "numbers", "spaces", "brackets"],
)
def test_a_body_with_too_many_values_is_rejected_before_it_is_parsed(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_json(Thing, raw)


def test_a_large_string_is_accepted() -> None:
    name = '"\\,:{}[]\n' * 20_000
    assert parse_json(Thing, json.dumps({"name": name}).encode()).name == name


def test_an_error_lists_a_limited_number_of_problems() -> None:
    with pytest.raises(Invalid) as refused:
        parse_json(Thing, json.dumps({f"k{number}": 1 for number in range(1000)}).encode())
    problems = refused.value.details["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 50
