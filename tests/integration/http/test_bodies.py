"""Bodies that are not what they should be, at every endpoint that takes one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from picloud.http.admin.endpoint import Endpoint, NoBody
from picloud.http.application import ENDPOINTS
from tests.integration.http.conftest import ADMIN, Client
from tests.integration.http.described import Description

WITH_BODY = [one for one in ENDPOINTS if one.body is not NoBody]
each_endpoint = pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda one: f"{one.method} {one.path}")

NO_JSON = {
    "nothing": b"",
    "space": b" ",
    "half": b'{"a": ',
    "two": b"{}{}",
    "comma": b'{"a": 1,}',
    "comment": b"{} // x",
    "single quotes": b"{'a': 1}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "no UTF-8": b'{"a": "\xff"}',
    "surrogate bytes": b'{"a": "\xed\xa0\x80"}',
    "lone surrogate": rb'{"a": "\ud800"}',
    "control character": b'{"a": "\x01"}',
    "NUL byte": b'{"a": "\x00"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "too large": b'{"a": 1e999}',
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "leading zero": b'{"a": 01}',
    "deep list": b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep object": b'{"a":' * 2000 + b"1" + b"}" * 2000,
}
NO_OBJECT = {"null": b"null", "list": b"[]", "text": b'"x"', "number": b"1", "truth": b"true"}
VALUES = (
    *(
        b"null",
        b"true",
        b"0",
        b"-0",
        b"-0.0",
        b"1.5",
        b"1e300",
        b"9223372036854775808",
        b"18446744073709551616",
    ),
    *(b'""', b'" "', rb'"\u0000"', rb'"\ud83d\ude00"', rb'"\u202e"', b'"' + b"x" * 10_000 + b'"', b'"\x7f"'),
    *(b"[]", b"{}", b'[[[["x"]]]]', b'{"a": {"a": {"a": 1}}}', b'[null, 1, "x", {}]', rb'{"\u0000": 1}'),
    *(b'{"": ""}', b'{"a": 1, "a": 2}', b'["x", "x"]', b"[" * 900 + b"]" * 900),
)


@pytest.fixture
async def names(client: Client) -> dict[str, str]:
    """What stands for the names in paths, so that bodies are looked at."""
    script = await client.script('"x"')
    route = await client.route(script, "/x")
    user = await client.admin("POST", "/users", {"username": "vera", "password": "correct horse"})
    member = await client.admin("PUT", f"/apps/default/members/{user.json['id']}", {"role": "viewer"})
    assert member.status == 200
    document = await client.admin("POST", "/apps/default/docs/notes", {"data": {}})
    assert document.status == 201
    ids = {
        "script": script["id"],
        "route": route["id"],
        "user": user.json["id"],
        "document": document.json["id"],
    }
    return {"app": "default", "version": "1", "collection": "notes", "entry": "k", "variable": "NAME", **ids}


@each_endpoint
async def test_a_body_that_is_not_a_json_object_is_rejected(
    client: Client, names: dict[str, str], endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**names)
    for name, raw in NO_JSON.items():
        answer = await client.admin(endpoint.method, path, data=raw)
        assert (answer.status, answer.error) == (400, "request_invalid"), name
    for name, raw in NO_OBJECT.items():
        answer = await client.admin(endpoint.method, path, data=raw)
        assert (answer.status, answer.error) == (422, "invalid"), name


@each_endpoint
async def test_an_unknown_field_is_rejected_by_name(
    client: Client, names: dict[str, str], endpoint: Endpoint
) -> None:
    example = _example(endpoint)
    for name in ("colour", "__class__", "", "Name", "x" * 1000):
        raw = example[:-1] + (b", " if len(example) > 2 else b"") + f'"{name}": 1}}'.encode()
        answer = await client.admin(endpoint.method, endpoint.path.format(**names), data=raw)
        assert (answer.status, answer.error) == (422, "invalid"), name
        assert name in [problem["field"] for problem in answer.details["problems"]]


@each_endpoint
async def test_no_value_of_any_field_breaks_the_server(
    client: Client, names: dict[str, str], endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**names)
    fields = _fields(endpoint)
    for field in fields:
        others = b"".join(
            b', "%s": %s' % (name.encode(), value)
            for name, value in fields.items()
            if name != field and value
        )
        for value in VALUES:
            raw = b'{"%s": %s%s}' % (field.encode(), value, others)
            answer = await client.admin(endpoint.method, path, data=raw)
            assert answer.status < 500, (raw[:200], answer.body)


@each_endpoint
async def test_a_body_of_another_content_type_is_rejected(
    client: Client, names: dict[str, str], endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**names)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"):
        answer = await client.admin(endpoint.method, path, data=b"{}", headers={"Content-Type": kind})
        assert (answer.status, answer.error) == (415, "unknown_content_type"), kind
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        answer = await client.admin(endpoint.method, path, data=b"[]", headers={"Content-Type": kind})
        assert answer.status == 422, kind


@each_endpoint
async def test_only_sources_and_data_can_be_large(
    client: Client, names: dict[str, str], endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**names)
    answer = await client.admin(endpoint.method, path, data=b'{"x": "' + b"x" * 300_000 + b'"}')
    may_be_large = endpoint.body.model_fields.keys() & {"source", "data", "value"} and "/vars/" not in path
    assert answer.status == (422 if may_be_large else 413), answer.body[:200]


def _fields(endpoint: Endpoint) -> dict[str, bytes]:
    """Each field of an endpoint's body with an example of its value; an empty one where it may be absent."""
    content = Description.load().document["components"]["schemas"][endpoint.body.__name__]
    required = content.get("required", [])

    def example(field: dict[str, Any]) -> bytes:
        return json.dumps((field.get("examples") or field["enum"])[0]).encode()

    return {
        name: example(field) if name in required else b"" for name, field in content["properties"].items()
    }


def _example(endpoint: Endpoint) -> bytes:
    given = [b'"%s": %s' % (name.encode(), value) for name, value in _fields(endpoint).items() if value]
    return b"{" + b", ".join(given) + b"}"


async def test_a_body_above_the_limit_is_rejected_before_it_is_sent(client: Client) -> None:
    for cap, method, path in ((256 * 1024, "POST", "/apps"), (16 * 1024, "POST", "/auth/login")):
        for length, status in ((cap, 100), (cap + 1, 413), (10 * 1024 * 1024, 413)):
            answer = await client.raw(
                f"{method} {ADMIN}{path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                f"Content-Length: {length}\r\nAuthorization: Bearer {client.token}\r\n\r\n".encode()
            )
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (path, length)
            assert (b"\r\nConnection: close\r\n" in answer) == (status == 413)


async def test_a_body_of_an_anonymous_caller_is_not_requested(client: Client) -> None:
    head = "POST {} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    missing = "/api/v1/execute/01890000-0000-7000-8000-000000000000"
    for path, status in ((f"{ADMIN}/apps", 401), (missing, 404), ("/api/none", 404), ("/healthz", 405)):
        assert (await client.raw(head.format(path).encode())).startswith(f"HTTP/1.1 {status} ".encode())
