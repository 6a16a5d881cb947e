"""Concurrent apps: connections, calls and bytes are limited per app, and everything is closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import uvloop

from picloud.core.errors import ServiceError
from picloud.services.outbound import apps, connector
from picloud.services.outbound.apps import OutboundLimits
from tests.integration.outbound.conftest import APP, Make, WayOut
from tests.integration.outbound.servers import WebServer, response, unused_port
from tests.workbench import until, until_waiting

OTHER = UUID(int=2)


class Held:
    """Sends a response when the test sets `go`."""

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self.go = asyncio.Event()

    async def __call__(self, _reader: Any, writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.go.wait()
        self.waiting -= 1
        writer.write(response("200 OK", b"held", "Connection: close"))
        await writer.drain()


async def test_a_connection_is_reused_by_its_app(dev: WayOut, web: WebServer) -> None:
    for _ in range(5):
        await dev.request(web.url())
    assert web.connections == 1


@pytest.mark.parametrize(
    ("method", "is_sent_again"),
    [
        ("GET", True),
        ("HEAD", True),
        ("OPTIONS", True),
        ("PUT", True),
        ("DELETE", True),
        ("POST", False),
        ("PATCH", False),
        ("PROPFIND", False),
    ],
)
async def test_a_call_survives_a_kept_connection_that_was_silently_closed(
    method: str, is_sent_again: bool, dev: WayOut, web: WebServer
) -> None:
    """A method that is not idempotent is never sent twice: it has a connection of its own."""
    reused: list[bytes] = []

    async def serves_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response("204 No Content", b""))
        await writer.drain()
        reused.append(await reader.read(1))

    web.responses["/"] = serves_once
    body = b"x" * 300_000 if method in ("PUT", "POST", "PATCH") else None
    for number in range(1, 4):
        assert (await dev.request(web.url()))["status"] == 204
        assert (await dev.request(web.url(), method, body=body))["status"] == 204
        assert web.requests[-1].body == (body or b"")
        assert [one.line for one in web.requests].count(f"{method} /") == (
            2 if method == "GET" else 1
        ) * number
    assert (b"" not in reused and bool(reused)) == is_sent_again


async def test_a_post_is_sent_once_when_its_connection_ends(dev: WayOut, web: WebServer) -> None:
    async def hang_up(_reader: Any, _writer: Any) -> None:
        return None

    web.responses["/"] = hang_up
    assert await dev.failed(web.url(), method="POST", body=b"x") == "connection"
    assert len(web.requests) == 1


async def test_a_connection_is_never_used_by_another_app(dev: WayOut, web: WebServer) -> None:
    others = [dev, dev.of(OTHER), dev.of(UUID(int=3))]
    for way in others * 3:
        await way.request(web.url())
    assert web.connections == 3
    by_app = [{one.connection for one in web.requests[number::3]} for number in range(3)]
    assert by_app == [{1}, {2}, {3}]


async def test_calls_above_the_limit_of_an_app_wait(make: Make, web: WebServer) -> None:
    held = Held()
    web.responses["/"] = held
    way = make(allow_private=True, limits=OutboundLimits(app_calls=3))
    calls = [asyncio.create_task(way.request(web.url())) for _ in range(7)]
    await until(lambda: held.waiting == 3)
    assert (await way.of(OTHER).request(web.url("/quick")))["body"] == b"hello"
    held.go.set()
    assert {call["body"] for call in await asyncio.gather(*calls)} == {b"held"}
    assert held.most == 3


async def test_a_call_that_never_starts_fails_with_its_reason(make: Make, web: WebServer) -> None:
    held = Held()
    web.responses["/"] = held
    way = make(allow_private=True, limits=OutboundLimits(app_calls=1))
    first = asyncio.create_task(way.request(web.url()))
    await until(lambda: held.waiting == 1)
    assert await way.failed(web.url("/quick"), timeout_ms=100) == "no turn"
    assert way.decision.bytes_out == 0
    held.go.set()
    await first
    assert (await way.request(web.url("/quick")))["status"] == 200


async def test_all_apps_share_one_limit_of_concurrent_calls(make: Make, web: WebServer) -> None:
    held = Held()
    web.responses["/"] = held
    way = make(allow_private=True, limits=OutboundLimits(calls=2))
    calls = [asyncio.create_task(way.of(UUID(int=n)).request(web.url())) for n in range(5)]
    await until(lambda: held.waiting == 2)
    await until_waiting(calls)
    held.go.set()
    await asyncio.gather(*calls)
    assert held.most == 2


async def test_bodies_of_running_calls_are_limited_per_app(make: Make, web: WebServer) -> None:
    held = Held()
    web.responses["/held"] = held
    web.responses["/"] = response("200 OK", bytes(600 * 1024))
    way = make(allow_private=True, limits=OutboundLimits(app_mb=1))
    first = asyncio.create_task(way.request(web.url("/held"), "POST", body=bytes(600 * 1024)))
    await until(lambda: held.waiting == 1)
    assert await way.failed(web.url()) == "bytes"
    assert await way.failed(web.url(), method="PUT", body=bytes(600 * 1024)) == "bytes"
    assert len((await way.of(OTHER).request(web.url()))["body"]) == 600 * 1024
    held.go.set()
    await first
    assert len((await way.request(web.url()))["body"]) == 600 * 1024


async def test_bytes_per_minute_are_limited_per_app(
    make: Make, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(apps.time, "monotonic", lambda: now)
    web.responses["/"] = response("200 OK", bytes(600 * 1024))
    way = make(allow_private=True, limits=OutboundLimits(app_mb_per_minute=1))
    await way.request(web.url())
    assert await way.failed(web.url()) == "bytes"
    seen = web.connections
    assert await way.failed(web.url(), body=b"x", method="PUT") == "bytes"
    assert web.connections == seen
    assert (await way.of(OTHER).request(web.url()))["status"] == 200
    now = 60.0
    assert (await way.request(web.url()))["status"] == 200


@pytest.mark.parametrize("size", [0, 100_000], ids=["before the response", "in its body"])
async def test_a_cancelled_call_closes_its_connection(size: int, dev: WayOut, web: WebServer) -> None:
    arrived = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if size:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + bytes(size))
        arrived.set()
        await reader.read()

    web.responses["/"] = stall
    call = asyncio.create_task(dev.request(web.url()))
    await arrived.wait()
    if size:
        await until(lambda: dev.decision.bytes_in == size)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: web.gone == 1)
    assert dev.decision.error == "cancelled"
    assert dev.decision.ms > 0
    await until(lambda: dev.outbound.apps.open == 0)
    web.responses.clear()
    assert (await dev.request(web.url()))["status"] == 200


async def test_idle_connections_and_idle_apps_are_dropped(
    make: Make, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(apps, "IDLE_SECONDS", 0.05)
    way = make(allow_private=True)
    await way.request(web.url())
    kept = way.outbound.apps._apps[APP]
    await way.request(web.url())
    assert way.outbound.apps._apps[APP] is kept
    await until(lambda: not way.outbound.apps._apps)
    await until(lambda: web.gone == web.connections and way.outbound.apps.open == 0)
    assert (await way.request(web.url()))["status"] == 200


async def test_idle_connections_are_limited_per_app(make: Make, web: WebServer) -> None:
    way = make(allow_private=True, limits=OutboundLimits(app_calls=2))
    for number in range(8):  # so many hosts, each with a connection of its own
        await way.request(web.url(host=f"h{number}.localhost"))
    await until(lambda: way.outbound.apps.open == 2)
    assert web.connections - web.gone == 2


async def test_a_stop_closes_everything(make: Make, web: WebServer) -> None:
    way = make(allow_private=True)
    for number in range(4):
        await way.of(UUID(int=number)).request(web.url())
    await way.outbound.close()
    assert way.outbound.apps.open == 0
    await until(lambda: web.gone == web.connections == 4)


async def test_a_stop_in_the_middle_of_a_call_ends_it(make: Make, web: WebServer) -> None:
    held = Held()
    web.responses["/"] = held
    way = make(allow_private=True)
    call = asyncio.create_task(way.request(web.url()))
    await until(lambda: held.waiting == 1)
    await way.outbound.close()
    with pytest.raises(ServiceError, match="closed"):
        await call
    held.go.set()
    await until(lambda: web.gone == web.connections)


def test_connections_are_counted_on_the_loop_of_the_server_too(make_on_uvloop: Callable[..., None]) -> None:
    async def count(way: WayOut, web: WebServer) -> None:
        await way.request(web.url())
        assert way.outbound.apps.open == 1
        with pytest.raises(ServiceError, match="private address"):
            await way.request("http://169.254.169.254/")
        with pytest.raises(ServiceError, match="cannot connect"):
            await way.request(f"http://127.0.0.1:{unused_port()}/")
        web.responses["/"] = response("200 OK", b"", "Connection: close")
        await way.request(web.url())
        await until(lambda: way.outbound.apps.open == 0)

    make_on_uvloop(count)


@pytest.fixture
def make_on_uvloop() -> Callable[..., None]:
    """Runs a test on the loop that workers run on, with a way out and a web server."""
    from picloud.services.outbound.addresses import Addresses
    from picloud.services.outbound.client import Outbound
    from picloud.services.outbound.resolver import Resolver
    from picloud.services.outbound.targets import Targets

    def run(test: Callable[..., Any]) -> None:
        async def main() -> None:
            web = WebServer()
            await web.start()
            outbound = Outbound(Addresses(allow_private=True), Targets(), Resolver())
            try:
                await test(WayOut(outbound), web)
            finally:
                await outbound.close()
                await web.close()

        uvloop.run(main())

    return run
