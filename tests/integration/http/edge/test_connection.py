"""Promises of a connection, by real sockets: what is refused and how, deadlines, caps, bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from typing import Any

import pytest

from tests.integration.http.conftest import until
from tests.integration.http.wire import LARGE, SMALL, Wire, error, statuses, wired
from tests.isolation.raw_requests import AMBIGUOUS, CHUNKED, GET, POST

CUT_OFF = (ConnectionError, asyncio.IncompleteReadError)


@pytest.fixture
async def plain() -> AsyncIterator[Wire]:
    async with wired() as wire:
        yield wire


async def test_an_error_has_the_request_id_of_the_client_if_it_is_valid(plain: Wire) -> None:
    refused = AMBIGUOUS["target with a fragment"][:-2]
    kept = await plain.send(refused + b"X-Request-Id: trace-1\r\n\r\n")
    assert error(kept)["request_id"] == "trace-1"
    made = await plain.send(refused + b"X-Request-Id: trace 1\r\n\r\n")
    assert re.fullmatch(r"[0-9a-f]{24}", error(made)["request_id"])


async def test_an_unknown_expectation_is_rejected(plain: Wire) -> None:
    answers = await plain.send(POST + b"Expect: x\r\nContent-Length: 2\r\n\r\n12" + GET)
    assert statuses(answers) == [417, 200]


async def test_a_body_that_is_asked_for_is_asked_for_once(plain: Wire) -> None:
    answers = await plain.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n12")
    assert statuses(answers) == [100, 200]


async def test_an_unread_body_is_not_requested_and_ends_the_connection(plain: Wire) -> None:
    head = b"POST /unread HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
    for length in (b"Content-Length: 2\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        answers = await plain.send(head + length)
        assert statuses(answers) == [200]
        assert b"\r\nConnection: close\r\n" in answers
    without = await plain.send(head + b"Content-Length: 0\r\n\r\n" + GET)
    assert statuses(without) == [200, 200]  # there is no body to come


async def test_a_client_of_http_1_0_gets_no_100_continue(plain: Wire) -> None:
    answers = await plain.send(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n12")
    assert statuses(answers) == [200]


async def test_a_rejected_head_request_gets_no_body(plain: Wire) -> None:
    answers = await plain.send(AMBIGUOUS["target with a fragment"].replace(b"GET", b"HEAD"))
    assert statuses(answers) == [400]
    assert answers.endswith(b"\r\n\r\n")


async def test_a_request_after_a_declined_upgrade_is_checked(plain: Wire) -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert statuses(await plain.send(upgrade + GET + GET)) == [200, 200, 200]
    assert statuses(await plain.send(upgrade + AMBIGUOUS["gzip, chunked"] + GET)) == [200, 400]
    assert statuses(await plain.send(upgrade + AMBIGUOUS["bare LF"] + GET)) == [200, 400]


async def test_pipelined_requests_are_served_in_order(plain: Wire) -> None:
    sent = b"".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for n in range(1000))
    answers = await plain.send(sent)
    assert re.findall(rb'"target": ?"/(\d+)"', answers) == [str(n).encode() for n in range(1000)]


async def test_a_broken_body_is_rejected_and_ends_the_connection(
    plain: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    for path, expected in ((b"/", 400), (b"/unread", 200)):
        async with plain.connect() as (reader, writer), asyncio.timeout(30):
            writer.write(CHUNKED.replace(b" / ", b" " + path + b" ") + b"2\r\n12\r\n")
            await writer.drain()
            await asyncio.sleep(0)
            if expected == 200:
                answers = await reader.readuntil(b"}")
            writer.write(b"oops\r\n" + GET)
            answers = await reader.read() if expected == 400 else answers + await reader.read()
        assert statuses(answers) == [expected]
    assert not caplog.records


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * SMALL),
        (b"deflate", b"\x78\x9c" + b"\0\0\0\xff\xff" * SMALL),
        (b"identity", bytes(SMALL + 1)),
        (b"gzip", gzip.compress(bytes(1_000_000))),
    ],
)
async def test_a_body_is_bounded_as_it_is_sent_and_as_it_is_unpacked(
    plain: Wire, coding: bytes, body: bytes
) -> None:
    head = CHUNKED.replace(b" / ", b" /small ")[:-2] + b"Content-Encoding: " + coding + b"\r\n\r\n"
    answers = await plain.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert statuses(answers) == [413]


async def test_a_body_that_is_packed_twice_is_refused(plain: Wire) -> None:
    head = POST + b"Content-Encoding: gzip\r\ncontent-encoding: gzip\r\nContent-Length: 2\r\n\r\n"
    assert statuses(await plain.send(head + b"12")) == [415]


# Deadlines: the rules make them short, and what is asserted is how it ends.


async def test_the_head_of_every_request_has_a_timeout() -> None:
    async with wired(head_seconds=0.2, keep_alive_seconds=30) as wire:
        for before in (b"", GET):
            async with wire.connect() as (reader, writer), asyncio.timeout(30):
                writer.write(before)
                if before:
                    await reader.readuntil(b"}")
                for byte in b"GET / HTTP/1.1\r\nHost":
                    writer.write(bytes([byte]))
                answers = await reader.read()
            assert statuses(answers) == [408]
            assert error(answers)["code"] == "request_timeout"


async def test_a_slow_head_behind_a_busy_request_ends_the_connection_after_its_response() -> None:
    async with wired(head_seconds=0.1) as wire, wire.connect() as (reader, writer), asyncio.timeout(30):
        writer.write(POST + b"Content-Length: 2\r\n\r\n1")
        await until(lambda: any(one._request_in_progress for one in wire.server.connections))
        writer.write(b"2GET / HT")
        assert statuses(await reader.read()) in ([200], [200, 408])


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    for rules, sent in (({"head_seconds": 0.05}, b""), ({"keep_alive_seconds": 0.05}, GET)):
        async with wired(**rules) as wire, wire.connect() as (reader, writer), asyncio.timeout(30):
            writer.write(sent)
            assert statuses(await reader.read()) == ([200] if sent else [])


async def test_a_head_that_has_begun_outlives_the_time_to_be_idle() -> None:
    async with (
        wired(keep_alive_seconds=0.05) as wire,
        wire.connect() as (reader, writer),
        asyncio.timeout(30),
    ):
        writer.write(GET[:10])
        first: Any = wire.server
        await until(lambda: bool(first.connections) and first.connections[0]._keepalive_handle is None)
        writer.write(GET[10:])
        assert statuses(await reader.readuntil(b"}")) == [200]


async def test_a_client_that_reads_no_response_is_disconnected() -> None:
    async with wired(send_seconds=0.1) as wire, wire.connect() as (reader, writer), asyncio.timeout(30):
        writer.transport.pause_reading()
        writer.write(GET.replace(b" / ", b" /large "))
        await until(lambda: bool(wire.server.connections))
        await until(lambda: not wire.server.connections)
        writer.transport.resume_reading()
        with pytest.raises(CUT_OFF):
            await reader.readexactly(LARGE)


async def test_a_client_that_reads_in_time_gets_the_whole_response() -> None:
    async with wired(send_seconds=1) as wire, wire.connect() as (reader, writer), asyncio.timeout(30):
        writer.write(GET.replace(b" / ", b" /large "))
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(LARGE)) == LARGE


# Caps.


async def test_connections_above_the_limit_of_an_address_are_rejected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with wired(connections_per_address=2) as wire:
        async with wire.connect() as (_, one), wire.connect() as (_, two):
            one.write(b"G")
            two.write(b"G")
            for _ in range(3):
                refused = await wire.send(GET)
                assert statuses(refused) == [503]
                assert error(refused)["code"] == "overloaded"
            assert statuses(await wire.send(GET, address="127.0.0.2")) == [200]
        await until(lambda: not wire.server.connections)
        assert statuses(await wire.send(GET)) == [200]
    assert len(caplog.records) == 1  # or anyone could fill the log


async def test_a_trusted_proxy_has_no_cap_and_its_word_counts() -> None:
    trusted = (ip_network("127.0.0.0/31"),)
    async with wired(connections_per_address=1, trusted=trusted) as wire, wire.connect(), wire.connect():
        forwarded = GET[:-2] + b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n"
        assert b'["192.0.2.7", "https", "a.test"]' in await wire.send(forwarded)
        assert b'["127.0.0.2", "http", "a.test"]' in await wire.send(forwarded, address="127.0.0.2")


async def test_a_full_server_closes_the_longest_idle_connections() -> None:
    async with wired(connections=16) as wire, asyncio.timeout(30), AsyncExitStack() as stack:
        oldest, _ = await stack.enter_async_context(wire.connect())
        for _ in range(40):
            await stack.enter_async_context(wire.connect())
        assert statuses(await wire.send(GET)) == [200]
        with pytest.raises(CUT_OFF):
            await oldest.readexactly(1)
        assert len(wire.edge.limiter) <= 16


async def test_a_full_busy_server_rejects_new_connections() -> None:
    async with wired(connections=2) as wire, asyncio.timeout(30), AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(wire.connect()) for _ in range(2)]
        for _, writer in busy:
            writer.write(POST + b"Content-Length: 1\r\n\r\n")
        await until(lambda: sum(one._request_in_progress for one in wire.server.connections) == 2)
        refused = await wire.send(GET)
        assert statuses(refused) == [503]
        assert error(refused)["code"] == "overloaded"
        for reader, writer in busy:
            writer.write(b"1")
            assert statuses(await reader.readuntil(b"}")) == [200]


async def test_some_rejected_connections_get_a_503_and_the_others_are_closed() -> None:
    async with wired(connections_per_address=1) as wire, asyncio.timeout(30), AsyncExitStack() as stack:
        _, writer = await stack.enter_async_context(wire.connect())
        writer.write(b"G")
        await until(lambda: len(wire.server.connections) == 1)
        wire.edge.rejected.update(range(64))  # type: ignore[arg-type]
        assert await wire.send(GET) == b""
        wire.edge.rejected.clear()
        assert statuses(await wire.send(GET)) == [503]
        await until(lambda: not wire.edge.rejected)


async def test_unread_responses_are_limited_in_total() -> None:
    async with wired(held_bytes=2 * LARGE) as wire, asyncio.timeout(30), AsyncExitStack() as stack:
        for _ in range(12):
            _, writer = await stack.enter_async_context(wire.connect("127.0.0.2"))
            writer.transport.pause_reading()
            writer.write(GET.replace(b" / ", b" /large "))
        await until(lambda: len(wire.edge.send_budget) > 0 and len(wire.server.connections) < 6)
        reader, writer = await stack.enter_async_context(wire.connect())
        writer.write(GET.replace(b" / ", b" /large "))
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(LARGE)) == LARGE


async def test_arriving_bodies_are_limited_in_total() -> None:
    async with wired(held_bytes=4 * 1024 * 1024) as wire, asyncio.timeout(30), AsyncExitStack() as stack:
        head = POST + f"Content-Length: {LARGE}\r\n\r\n".encode()
        slow = [await stack.enter_async_context(wire.connect("127.0.0.2")) for _ in range(8)]
        for _, writer in slow:
            writer.write(head + bytes(1024 * 1024))
        answers = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in slow]
        refused, waiting = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert {statuses(one.result())[0] for one in refused} == {503}
        whole = POST + f"Content-Length: {2 * 1024 * 1024}\r\n\r\n".encode() + bytes(2 * 1024 * 1024)
        assert statuses(await wire.send(whole)) == [200]
        for one in waiting:
            one.cancel()


async def test_the_rest_of_a_rejected_body_is_read_up_to_a_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with wired() as wire, wire.connect() as (reader, writer), asyncio.timeout(30):
        writer.write(POST + b"Content-Length: 1073741824\r\n\r\n")
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [413]
        connection: Any = wire.server.connections[0]
        with pytest.raises(ConnectionError):
            await _send_all(writer, 1024)
        assert connection._discarded < 32 * 1024 * 1024
    assert not caplog.records


async def _send_all(writer: asyncio.StreamWriter, mebibytes: int) -> None:
    for _ in range(mebibytes):
        writer.write(bytes(1024 * 1024))
        await writer.drain()
