"""The messages of invalid requests, each once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import HttpVersion, HttpVersion11
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict
from yarl import URL

from picloud.core.errors import BadRequest, Invalid, PicloudError
from picloud.http.admin.endpoint import ListQuery
from picloud.http.admin.fields import Body, parse_json, parse_query
from picloud.http.admin.scripts import expected_version
from picloud.http.edge.request_head import validate_head
from picloud.http.public.invoke import script_query


class Thing(Body):
    name: str


def head(target: str = "/", headers: dict[str, str] | None = None, minor: int = 1) -> Callable[[], object]:
    fields = CIMultiDict(headers or {"Host": "example.com"})
    raw = tuple((name.encode(), value.encode()) for name, value in fields.items())
    message = RawRequestMessage(
        "GET",
        target,
        HttpVersion11 if minor == 1 else HttpVersion(1, minor),
        CIMultiDictProxy(fields),
        raw,
        False,
        None,
        False,
        False,
        URL("/"),
    )
    return lambda: validate_head(message)


def body(raw: bytes) -> Callable[[], object]:
    return lambda: parse_json(Thing, raw)


def query(*pairs: tuple[str, str]) -> Callable[[], object]:
    return lambda: parse_query(ListQuery, MultiDict(pairs))


CHUNKED = {"Host": "example.com", "Transfer-Encoding": "chunked"}
GZIP = {"Host": "example.com", "Transfer-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("request_", "kind", "message"),
    [
        (head(minor=2), BadRequest, "the HTTP version must be 1.1 or 1.0"),
        (head("/a#b"), BadRequest, "the request target must not have a fragment"),
        (head("ftp://a/"), BadRequest, "the request target is neither a path nor an http(s) URL"),
        (head("http://u@a/"), BadRequest, "the request target must not have a user or a fragment"),
        (head(headers={"Host": "a b"}), BadRequest, "the Host header is not a valid host"),
        (head(headers=CHUNKED, minor=0), BadRequest, "HTTP/1.0 does not allow Transfer-Encoding"),
        (head(headers=GZIP), BadRequest, "the only supported Transfer-Encoding is chunked"),
        (body(b""), BadRequest, "the body is empty; send a JSON object"),
        (body(b"[]"), Invalid, "the body must be a JSON object"),
        (body(b"\xff"), BadRequest, "the body is not UTF-8"),
        (body(b'{"name": 1}'), Invalid, "name: must be a string"),
        (body(b'{"name": "a", "more": 1}'), Invalid, "more: unknown field"),
        (body(b'{"name": "a", "name": "b"}'), Invalid, "name: duplicate field"),
        (body(rb'{"name": "\u0000"}'), Invalid, "name: must not contain NUL characters"),
        (
            body(b'{"name": "a"' + b" " * 70_000 + b"}"),
            Invalid,
            "the body has too many values: at most 10000 strings and 65536 other bytes",
        ),
        (query(("limit", "07")), Invalid, "limit: must be an integer"),
        (query(("limit", "1"), ("limit", "2")), Invalid, "a query parameter is given twice"),
        (
            lambda: expected_version({"If-Match": "x"}, None),
            BadRequest,
            'If-Match must be a version, for example "3"',
        ),
        (lambda: expected_version({"If-Match": "3"}, 4), Invalid, "If-Match and version are different"),
        (lambda: script_query("a=1&" * 1001), BadRequest, "the query has more than 1000 fields"),
    ],
)
def test_the_message_says_what_is_wrong(
    request_: Callable[[], object], kind: type[PicloudError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        request_()
    assert caught.value.message == message
