"""The served OpenAPI document, and the other responses of every path of the API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from picloud.core.errors import NotFound
from tests.integration.http.conftest import ADMIN, Client
from tests.integration.http.described import Description

DOCUMENT = Description.load().document
ANY_ID = "0199e0b4-6f3c-7d52-9d5e-3b1f7c0a2e44"
HTTP = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _filled(path: str) -> str:
    return re.sub(r"\{\w+\}", ANY_ID, path)


async def test_the_description_is_served_to_everyone_and_only_once(anyone: Client) -> None:
    answer = await anyone("GET", "/api/v1/openapi.json", host="anything.example")
    assert (answer.status, answer.json) == (200, DOCUMENT)
    assert answer.headers["Cache-Control"] == "no-cache"
    tag = answer.headers["ETag"]
    for known in (tag, f'W/{tag}, "other"', "*"):
        again = await anyone("GET", "/api/v1/openapi.json", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag), known
    other = await anyone("GET", "/api/v1/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.status == 200


async def test_the_page_needs_nothing_but_the_description(anyone: Client) -> None:
    answer = await anyone("GET", "/api/v1/docs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
    assert b'fetch("openapi.json")' in answer.body


async def test_a_method_a_path_has_not_is_405_and_says_which_it_has(client: Client) -> None:
    for path, methods in DOCUMENT["paths"].items():
        there = {method.upper() for method in methods}
        if "GET" in there:
            there.add("HEAD")
        for method in HTTP - there:
            answer = await client(method, _filled(path))
            assert answer.status == 405, (method, path)
            assert answer.headers["Allow"] == ", ".join(sorted(there)), path
            assert method == "HEAD" or answer.error == "method_not_allowed"


async def test_head_is_served_as_get_without_a_body(client: Client) -> None:
    for path in [path for path, methods in DOCUMENT["paths"].items() if "get" in methods]:
        get = await client("GET", _filled(path))
        head = await client("HEAD", _filled(path))
        assert (head.status, head.body) == (get.status, b""), path
        for header in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers.get(header) == get.headers.get(header), (path, header)


async def test_a_path_that_is_not_there_is_404_in_the_error_shape(client: Client) -> None:
    for path in (
        *("/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/openapi.json", "/api/other", "/api/v1/nothing"),
        *(ADMIN, f"{ADMIN}/", f"{ADMIN}/nothing", f"{ADMIN}/apps/", f"{ADMIN}/apps/default/nothing"),
        *(f"{ADMIN}/apps:check", f"{ADMIN}/apps/a:b", f"{ADMIN}/scripts/{ANY_ID}:restore"),
        *("/api/v1/execute", "/api/v1/execute/", f"/api/v1/execute/{ANY_ID}/more", "/api/v1/docs/"),
        *("/API/v1/docs", "/api//v1/docs", "/api/v1/docs%2f"),
    ):
        for method in ("GET", "POST", "DELETE"):
            answer = await client(method, path, headers={"Content-Type": "application/json"})
            assert (answer.status, answer.error) == (404, NotFound.code), (method, path)
            assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", f"{ADMIN}/apps", 418, None),
        ("GET", f"{ADMIN}/apps", 200, {"items": []}),
        ("GET", f"{ADMIN}/apps", 200, {"items": [], "next_cursor": None, "more": 1}),
        ("GET", f"{ADMIN}/apps", 200, {"items": [{"id": "x"}], "next_cursor": None}),
        ("GET", f"{ADMIN}/apps", 200, None),
        ("GET", f"{ADMIN}/apps", 401, {"error": {"code": "forbidden", "message": "", "request_id": ""}}),
        ("GET", f"{ADMIN}/apps", 401, {"error": {"code": "unauthenticated", "message": ""}}),
        ("GET", f"{ADMIN}/nothing", 200, {}),
        ("GET", f"{ADMIN}/auth/login", 404, None),
        ("DELETE", f"{ADMIN}/scripts/{ANY_ID}", 204, {}),
    ],
)
def test_an_undescribed_response_fails_every_test_that_gets_it(
    method: str, path: str, status: int, body: Any
) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"} if body is not None else {}
    with pytest.raises(AssertionError):
        Description.load().check(method, path, status, headers, body)


async def test_an_expectation_that_cannot_be_met_has_a_code_of_its_own(anyone: Client) -> None:
    request = b"GET /version HTTP/1.1\r\nHost: localhost\r\nExpect: the unexpected\r\n\r\n"
    answer = await anyone.raw(request, whole=True)
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b'"code":"expectation_failed"' in answer
