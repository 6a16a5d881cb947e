"""Hostile servers: bombs, endless and invalid responses. Each call ends with a clear error."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import suppress
from typing import Any

import pytest

from picloud.core.errors import ServiceError
from picloud.services.outbound.response_body import MAX_WIRE_BYTES
from tests.integration.outbound.conftest import WayOut
from tests.integration.outbound.servers import Handler, WebServer, redirect, response
from tests.workbench import until

MOST = 10 * 1024 * 1024


def forever(head: bytes, piece: bytes, pause: float = 0.0) -> Handler:
    """Sends a piece again and again, until the client disconnects."""

    async def handler(_reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


async def silence(reader: asyncio.StreamReader, _writer: Any) -> None:
    """Reads and sends nothing."""
    await reader.read()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_response_is_decompressed(
    encoding: str, pack: Any, dev: WayOut, web: WebServer
) -> None:
    packed = pack(b"hello " * 1000)
    web.responses["/"] = response("200 OK", packed, f"Content-Encoding: {encoding.upper()}", "X-A: 1")
    got = await dev.request(web.url())
    assert got["body"] == b"hello " * 1000
    assert "content-encoding" not in got["headers"]
    assert "content-length" not in got["headers"]
    assert got["headers"]["x-a"] == "1"
    assert dev.decision.bytes_in == len(packed)


async def test_an_unknown_encoding_is_not_decompressed(dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = response("200 OK", b"\x01\x02", "Content-Encoding: br")
    got = await dev.request(web.url())
    assert (got["body"], got["headers"]["content-encoding"]) == (b"\x01\x02", "br")


async def test_a_body_compressed_twice_is_not_decompressed(dev: WayOut, web: WebServer) -> None:
    twice = gzip.compress(gzip.compress(b"hello"))
    web.responses["/one"] = response("200 OK", twice, "Content-Encoding: gzip, gzip")
    web.responses["/two"] = response("200 OK", twice, "Content-Encoding: gzip", "Content-Encoding: gzip")
    for path, said in (("/one", "gzip, gzip"), ("/two", ["gzip", "gzip"])):
        got = await dev.request(web.url(path))
        assert (got["body"], got["headers"]["content-encoding"]) == (twice, said)


async def test_a_head_response_that_claims_compression_is_valid(dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n"
    got = await dev.request(web.url(), "HEAD")
    assert (got["status"], got["body"], got["headers"]["content-encoding"]) == (200, b"", "gzip")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip"])
async def test_a_decompression_bomb_is_rejected(encoding: str, dev: WayOut, web: WebServer) -> None:
    packer = zlib.compressobj(9, wbits=15 if encoding == "deflate" else 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    assert len(bomb) < 150_000
    web.responses["/"] = response("200 OK", bomb, f"Content-Encoding: {encoding}")
    assert await dev.failed(web.url()) == "too large"


async def test_a_response_has_at_most_ten_mib(dev: WayOut, web: WebServer) -> None:
    web.responses["/most"] = response("200 OK", bytes(MOST))
    web.responses["/more"] = response("200 OK", bytes(MOST + 1))
    assert len((await dev.request(web.url("/most")))["body"]) == MOST
    assert await dev.failed(web.url("/more")) == "too large"
    assert dev.decision.status == 200


ENDLESS = {
    "a body by chunks": forever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n"
    ),
    "a body until the connection ends": forever(OK + b"\r\n", bytes(65536)),
    "a long body": forever(OK + b"Content-Length: 99999999999999\r\n\r\n", bytes(65536)),
}


for _encoding, _start in (("gzip", gzip.compress(b"")[:10]), ("deflate", b"\x78\x9c")):
    _head = OK + f"Content-Encoding: {_encoding}\r\n\r\n".encode()
    ENDLESS[f"empty blocks of {_encoding}"] = forever(_head + _start, b"\0\0\0\xff\xff" * 13_000)
    _packed = gzip.compress(b"x") if _encoding == "gzip" else zlib.compress(b"x")
    ENDLESS[f"bytes after the end of {_encoding}"] = forever(_head + _packed, bytes(65536))


@pytest.mark.parametrize("handler", ENDLESS.values(), ids=list(ENDLESS))
async def test_an_endless_response_ends_at_the_limit(handler: Handler, dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = handler
    assert await dev.failed(web.url(), timeout_ms=60_000) == "too large"
    assert dev.decision.bytes_in <= MAX_WIRE_BYTES + 1024 * 1024
    await until(lambda: web.gone == web.connections)


NO_HTTP = {
    "endless headers": forever(OK, b"x-a: " + b"a" * 1000 + b"\r\n"),
    "an endless header": forever(OK + b"x-a: ", b"a" * 1000),
    "an endless status line": forever(b"HTTP/1.1 200 ", b"a" * 1000),
    "no HTTP": b"SSH-2.0-OpenSSH_9.0\r\n",
    "HTTP/0.9": b"<html>hello</html>\r\n",
    "HTTP/2": b"\0\0\x12\x04\0\0\0\0\0" + bytes(18),
    "a version that there is not": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status that is none": b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    "a header line without a colon": OK + b"hello\r\n\r\n",
    "a length that is none": OK + b"Content-Length: 1x\r\n\r\n1",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n1",
    "a length of 5,000 digits": OK + b"Content-Length: " + b"0" * 4999 + b"1\r\n\r\n1",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12",
    "a length and chunks": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "a header with a NUL": OK + b"x-a: \0\r\nContent-Length: 0\r\n\r\n",
    "no chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a hundred thousand chunk trailers": forever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: " + b"y" * 1000 + b"\r\n"
    ),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
}


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=list(NO_HTTP))
async def test_an_invalid_response_is_an_error(said: bytes | Handler, dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = said
    message = await dev.error(web.url(), timeout_ms=20_000)
    assert "127.0.0.1" in message or "the response" in message
    assert "within" not in message
    assert dev.decision.error in ("answer", "connection", "too large")
    await until(lambda: web.gone == web.connections)


@pytest.mark.parametrize(
    "headers",
    [
        [("x-a", "a" * 60_000)],
        [("x-a", "a" * (64 * 1024 - 100))],
        [(f"x-{number}", "a" * 15_000) for number in range(4)],
        [(f"x-{number}", "a" * 50) for number in range(900)],
    ],
    ids=["one", "one of the maximum", "four", "nine hundred"],
)
async def test_response_headers_of_64_kib_arrive(
    headers: list[tuple[str, str]], dev: WayOut, web: WebServer
) -> None:
    web.responses["/"] = response("200 OK", b"", *(f"{name}: {value}" for name, value in headers))
    got = (await dev.request(web.url()))["headers"]
    assert {name: got[name] for name, _ in headers} == dict(headers)


@pytest.mark.parametrize(
    "said",
    [
        response("200 OK", b"", f"x-a: {'a' * 70_000}"),
        response("200 OK", b"", *(f"x-{number}: {'a' * 700}" for number in range(100))),
        response(f"200 {'a' * 70_000}", b""),
    ],
    ids=["one", "many", "status line"],
)
async def test_the_error_of_too_large_headers_names_the_limit(
    said: bytes, dev: WayOut, web: WebServer
) -> None:
    web.responses["/"] = said
    assert "65536 bytes" in await dev.error(web.url())
    assert dev.decision.error == "too large"


async def test_response_headers_are_limited(dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = response("200 OK", b"", *(f"x-{number}: {'a' * 700}" for number in range(100)))
    assert await dev.failed(web.url()) == "too large"


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FRAMING = {
    "interim responses, one by one": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim responses, all at once": forever(b"", b"HTTP/1.1 103 x\r\n\r\n" * 1000),
    "an endless chunk extension": forever(CHUNKED + b"5;", b"a" * 1000),
    "extensions of every chunk": forever(CHUNKED, b"1;" + b"a" * 1000 + b"\r\na\r\n"),
    "a byte a chunk": forever(CHUNKED, b"1\r\na\r\n" * 1000),
    "small chunks": forever(CHUNKED, b"18\r\n" + b"a" * 24 + b"\r\n"),
    "small chunks, all at once": forever(CHUNKED, (b"18\r\n" + b"a" * 24 + b"\r\n") * 5000),
}


@pytest.mark.parametrize("handler", FRAMING.values(), ids=list(FRAMING))
async def test_bytes_around_a_body_are_limited(handler: Handler, dev: WayOut, web: WebServer) -> None:
    """They are not counted as bodies, and parsing them would block every app."""
    web.responses["/"] = handler
    assert await dev.failed(web.url(), timeout_ms=60_000) == "too large"
    await until(lambda: web.gone == web.connections and not dev.outbound.apps.open)
    web.responses.clear()
    assert (await dev.request(web.url()))["status"] == 200


async def test_a_body_in_many_small_chunks_arrives_whole(dev: WayOut, web: WebServer) -> None:
    chunk = b"28\r\n" + b"a" * 40 + b"\r\n"
    web.responses["/"] = CHUNKED + chunk * 50_000 + b"0\r\n\r\n"
    assert len((await dev.request(web.url()))["body"]) == 2_000_000
    for _ in range(3):  # each response is measured again
        web.responses["/"] = CHUNKED + b"1\r\na\r\n" * 15_000 + b"0\r\n\r\n"
        assert (await dev.request(web.url()))["body"] == b"a" * 15_000
    assert web.connections == 1


SLOW = {
    "no response": silence,
    "a head by the byte": forever(b"HTTP/1.1 200 OK\r\nx-a: ", b"a", 0.01),
    "a body by the byte": forever(OK + b"\r\n", b"a", 0.01),
    "early hints": forever(b"", b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n", 0.01),
}


@pytest.mark.parametrize("handler", SLOW.values(), ids=list(SLOW))
async def test_a_slow_response_ends_at_the_deadline(handler: Handler, dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = handler
    assert await dev.failed(web.url(), timeout_ms=250) == "timeout"
    await until(lambda: web.gone == web.connections)


async def test_a_closed_connection_is_reported(dev: WayOut, web: WebServer) -> None:
    async def cut(_reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 100\r\n\r\nhello")
        await writer.drain()

    web.responses["/"] = cut
    assert await dev.failed(web.url()) == "connection"

    async def hang_up(_reader: Any, _writer: Any) -> None:
        return None

    web.responses["/"] = hang_up
    assert await dev.failed(web.url(), method="POST") == "connection"


EMPTY = b"HTTP/1.1 204 No Content\r\n"
POISON = response("200 OK", b"poison")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("GET", response("200 OK", b"first") + POISON),
        ("GET", response("200 OK", b"first") + b"\r\n\r\n" + POISON),
        ("GET", EMPTY + b"\r\n" + POISON),
        ("GET", EMPTY + b"Content-Length: 6\r\n\r\n" + POISON),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n" + POISON),
        ("HEAD", response("200 OK", POISON)),
        ("HEAD", response("200 OK", b"") + POISON),
        ("GET", CHUNKED + b"0\r\n\r\n" + POISON),
        ("GET", redirect("/b") + POISON),
    ],
)
async def test_an_unrequested_response_is_not_used_for_the_next_request(
    method: str, said: bytes, dev: WayOut, web: WebServer
) -> None:
    """A server that responds twice could otherwise poison the next request on the connection."""
    web.responses["/a"] = said
    web.responses["/b"] = response("200 OK", b"third")
    with suppress(ServiceError):
        assert b"poison" not in (await dev.request(web.url("/a"), method))["body"]
    assert (await dev.request(web.url("/b")))["body"] == b"third"


async def test_unusual_but_valid_responses_are_accepted(dev: WayOut, web: WebServer) -> None:
    web.responses["/999"] = response("999 Hm", b"x")
    web.responses["/204"] = b"HTTP/1.1 204 No Content\r\n\r\n"
    web.responses["/hints"] = b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n" + response("200 OK", b"x")
    assert (await dev.request(web.url("/999")))["status"] == 999
    assert (await dev.request(web.url("/204")))["body"] == b""
    assert (await dev.request(web.url("/hints")))["body"] == b"x"
