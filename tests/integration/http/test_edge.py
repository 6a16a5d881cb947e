"""Promises of the edge: ids, caps, deadlines, the error shape whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import io
import json
import logging
import re
import zlib
from typing import Any

import pytest

from picloud.control.seed import seed
from picloud.db.pool import Database
from picloud.http.admin.endpoint import Endpoint
from picloud.http.application import ENDPOINTS
from tests.integration.conftest import Worker
from tests.integration.http.conftest import ADMIN, Client, serving


async def test_a_sane_request_id_is_kept_and_another_replaced(anyone: Client) -> None:
    kept = await anyone("GET", "/hello", headers={"X-Request-Id": "trace-1.2_3"})
    assert kept.headers["X-Request-Id"] == "trace-1.2_3"
    for wrong in ("a b", "x" * 65, 'a"b', "ünï"):
        answer = await anyone("GET", "/healthz", headers={"X-Request-Id": wrong})
        assert re.fullmatch(r"[0-9a-f]{24}", answer.headers["X-Request-Id"])


async def test_an_internal_error_is_a_500_without_details_and_a_log_entry(
    client: Client, worker: Worker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("/secret/path of 10.1.2.3")

    monkeypatch.setattr(type(worker.platform.apps), "list", broken)
    with caplog.at_level(logging.ERROR, logger="picloud"):
        answer = await client.admin("GET", "/apps")
    assert (answer.status, answer.error) == (500, "internal")
    assert b"secret" not in answer.body
    assert b"10.1.2.3" not in answer.body
    entry = next(record for record in caplog.records if record.name == "picloud.http.edge.middleware")
    assert entry.exc_info is not None
    assert entry.request_id == answer.headers["X-Request-Id"]  # type: ignore[attr-defined]


async def test_a_lost_database_is_a_503_and_cached_routes_continue(client: Client, worker: Worker) -> None:
    assert (await client("GET", "/hello")).status == 200
    await worker.database.close()
    assert (await client("GET", "/hello")).status == 200
    assert (await client("GET", "/healthz")).body == b"ok"
    for answer in (await client.admin("GET", "/apps"), await client("GET", "/readyz")):
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"


async def test_responses_of_picloud_have_security_headers(client: Client) -> None:
    for path in (f"{ADMIN}/apps", "/nothing", "/version", "/healthz"):
        answer = await client("GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Server"] == "PiCloud"


async def test_a_body_above_the_limit_is_rejected_by_length_and_by_bytes(client: Client) -> None:
    script = await client.script("1")
    full = 10 * 1024 * 1024
    plain = {"Content-Type": "application/octet-stream"}
    assert (await client.execute(script, data=io.BytesIO(b"x" * full), headers=plain)).status == 200
    declared = await client.raw(
        f"POST /api/v1/execute/{script['id']} HTTP/1.1\r\n"
        f"Host: localhost\r\nContent-Length: {full + 1}\r\n\r\n".encode()
    )
    assert declared.split()[1] == b"413"

    async def chunks() -> object:  # type: ignore[misc]
        for _ in range(11):
            yield b"x" * (1024 * 1024)

    with_chunks = await client.execute(script, data=chunks(), headers=plain)
    assert (with_chunks.status, with_chunks.error) == (413, "body_too_large")
    bomb = gzip.compress(b"x" * (full + 1))
    packed = await client.execute(script, data=bomb, headers={**plain, "Content-Encoding": "gzip"})
    assert packed.status == 413


async def test_a_body_that_does_not_arrive_is_given_up(worker: Worker) -> None:
    await seed(worker.changes)
    hasty = dataclasses.replace(worker, platform=dataclasses.replace(worker.platform, body_seconds=0.05))
    async with serving(hasty) as client:
        script_id = await worker.database.fetchval("SELECT id FROM scripts")
        for path in (f"/api/v1/execute/{script_id}", f"{ADMIN}/auth/login"):
            head = await client.raw(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{".encode()
            )
            assert head.startswith(b"HTTP/1.1 408"), head


async def test_a_compressed_body_is_unpacked(client: Client) -> None:
    script = await client.script("ctx.request.body.n")
    for encoding, data in (
        ("gzip", gzip.compress(b'{"n": 7}')),
        ("GZIP", gzip.compress(b'{"n": 7}')),
        ("deflate", zlib.compress(b'{"n": 7}')),
        ("identity", b'{"n": 7}'),
    ):
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        answer = await client.execute(script, data=data, headers=headers)
        assert (answer.status, answer.body) == (200, b"7"), encoding


PACKED = gzip.compress(b"{}")


@pytest.mark.parametrize("data", [b"not gzip", PACKED[:-1], PACKED + b"x"], ids=["none", "cut", "more"])
async def test_a_body_whose_compression_is_broken_is_a_bad_request(client: Client, data: bytes) -> None:
    script = await client.script("1")
    answer = await client.execute(script, data=data, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.error) == (400, "request_invalid")


async def test_an_unknown_compression_is_rejected(client: Client) -> None:
    script = await client.script("1")
    for encoding in ("br", "zstd", "rot13", "gzip, gzip"):
        answer = await client.execute(script, data=b"x", headers={"Content-Encoding": encoding})
        assert (answer.status, answer.error) == (415, "unknown_encoding"), encoding
        assert answer.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/execute/x", f"{ADMIN}/auth/login"])
async def test_a_rejected_bomb_is_not_decompressed(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked, decompressobj = 0, zlib.decompressobj

    class Counting:
        def __init__(self, *args: int, **kwargs: int) -> None:
            self._inner = decompressobj(*args, **kwargs)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def decompress(self, *args: Any) -> bytes:
            nonlocal unpacked
            data = self._inner.decompress(*args)
            unpacked += len(data)
            return data

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    bomb = zlib.compress(b"x" * (1 << 28))
    answer = await client("POST", path, data=bomb, headers={"Content-Encoding": "deflate"})
    assert answer.status in (404, 413)
    assert (await client("GET", "/healthz")).status == 200
    assert unpacked < 1 << 24


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"\0\xff nonsense\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: b.test\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: localhost\r\nX Y: secret\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /hello HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", 431),
        (b"GET http://b.test:99999/secret HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET http://localhost HTTP/1.1\r\nHost: b.test\r\n\r\n", 404),  # which is no route, but a host
        (b"GET /hello HTTP/1.1\r\nHost: localhost\r\nExpect: secret\r\n\r\n", 417),
    ],
)
async def test_an_invalid_request_gets_an_error_object(
    client: Client, caplog: pytest.LogCaptureFixture, request_: bytes, status: int
) -> None:
    head, _, body = (await client.raw(request_, whole=True)).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"\r\nX-Request-Id: " in head
    assert b"\r\nServer: PiCloud" in head
    error = json.loads(body)["error"]
    assert error["message"]
    assert error["request_id"].encode() in head
    assert b"secret" not in body
    assert not caplog.records  # or anyone could fill the log


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b'{"slug": "a", "name": "\xff"}', 400, None),
        (b'{"slug": "a", "name": "\\ud800"}', 400, None),
        (b"NaN", 400, None),
        (b"[" * 5000, 400, None),
        (b"[]", 422, None),
        (b'{"slug": "a"}', 422, "name"),
        (b'{"slug": "a", "name": 1}', 422, "name"),
        (b'{"slug": "a", "name": "A", "colour": "red"}', 422, "colour"),
        (b'{"slug": "a", "name": "A\\u0000"}', 422, "name"),
        (b'{"slug": "a", "name": "A", "x\\u0000": 1}', 422, "x\\u0000"),
        (b'{"slug": "A!", "name": "A"}', 422, "slug"),
        (b'{"slug": "a", "name": ""}', 422, "name"),
        (
            b'{"slug": "a", "name": "A", "description": ' + b"[" * 900 + b'"\\u0000"' + b"]" * 900 + b"}",
            422,
            None,
        ),
    ],
)
async def test_an_invalid_json_body_is_reported_with_its_position(
    client: Client, body: bytes, status: int, where: str | None
) -> None:
    answer = await client("POST", f"{ADMIN}/apps", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == status, answer.body
    assert answer.json["error"]["message"]
    if where is not None:
        assert answer.details["field"] == where


async def test_syntax_errors_have_a_place(client: Client) -> None:
    answer = await client("POST", f"{ADMIN}/apps", data=b'{"slug":\n  oops}')
    assert answer.details == {"line": 2, "column": 3}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=%00", "cursor=", "colour=red", "limit=1&limit=2"],
)
async def test_a_wrong_query_is_422(client: Client, query: str) -> None:
    answer = await client.admin("GET", f"/apps?{query}")
    assert (answer.status, answer.error) == (422, "invalid")


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.access != "public"],
    ids=lambda endpoint: f"{endpoint.method} {endpoint.path}",
)
async def test_an_anonymous_caller_gets_401_from_the_admin_api(anyone: Client, endpoint: Endpoint) -> None:
    path = re.sub(r"\{\w+\}", "x", endpoint.path.replace("{app}", "default"))
    for headers in ({}, {"Authorization": "Bearer pis_nope"}, {"Authorization": "Basic eDp5"}):
        answer = await anyone.admin(endpoint.method, path, headers=headers)
        assert (answer.status, answer.error) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_health_and_version(anyone: Client, database: Database) -> None:
    health = await anyone("GET", "/healthz", host="anything.example")
    assert (health.status, health.body, health.headers["Content-Type"]) == (
        200,
        b"ok",
        "text/plain; charset=utf-8",
    )
    assert (await anyone("GET", "/readyz")).status == 200
    version = (await anyone("GET", "/version")).json
    assert set(version) == {"product", "sdk", "api", "schema", "guest"}
    assert version["api"] == "v1"
    await database.execute("DELETE FROM schema_migrations")
    behind = await anyone("GET", "/readyz")
    assert (behind.status, behind.error) == (503, "not_ready")


async def test_many_concurrent_misses_are_all_served(anyone: Client) -> None:
    answers = await asyncio.gather(*(anyone("GET", f"/missing-{n}") for n in range(200)))
    assert {answer.status for answer in answers} == {404}
    assert (await anyone("GET", "/hello")).status == 200
