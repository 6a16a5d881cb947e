"""A small application behind the connections of the server, and bytes sent to it as they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from picloud.http.edge.connection import Edge, Rules, connections
from picloud.http.edge.middleware import edge
from picloud.http.edge.peer import peer
from picloud.http.edge.request_body import read_body
from picloud.http.public.routes import CatchAll

LARGE, SMALL = 10 * 1024 * 1024, 1000
_LARGE = bytes(LARGE)


async def answer(request: web.Request) -> web.Response:
    """`/large` is, `/unread` does not look at the body, `/small` reads little; all else tells what came."""
    if request.path == "/large":
        return web.Response(body=_LARGE)
    body = (
        b""
        if request.path == "/unread"
        else await read_body(request, SMALL if request.path == "/small" else LARGE, 5)
    )
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "host": request.headers.get("Host"),
            "peer": list(peer(request)),
            "body": body.decode("latin-1") if len(body) < 1000 else len(body),
        }
    )


@dataclass
class Wire:
    """The server's side and how to reach it.

    Attributes:
        port: where it listens.
        server: of aiohttp, which knows its connections.
    """

    port: int
    server: web.Server

    @property
    def edge(self) -> Edge:
        """What the connections share; there has to be one."""
        first: Any = self.server.connections[0]
        return first.edge  # type: ignore[no-any-return]

    @contextlib.asynccontextmanager
    async def connect(
        self, address: str = "127.0.0.1"
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection, from one of this machine's own addresses."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def send(self, sent: bytes, address: str = "127.0.0.1", piece: int | None = None) -> bytes:
        """Send bytes and read until the server ends the connection, at last because it is idle.

        Args:
            sent: the bytes.
            address: to send from.
            piece: bytes to send at a time; None for all at once.
        """
        async with self.connect(address) as (reader, writer), asyncio.timeout(30):
            size = piece or len(sent) or 1
            for at in range(0, len(sent), size):
                writer.write(sent[at : at + size])
                if piece is not None:
                    await asyncio.sleep(0)
            answers = b""
            with contextlib.suppress(ConnectionError):
                while some := await reader.read(65536):
                    answers += some
            return answers


@contextlib.asynccontextmanager
async def wired(**rules: Any) -> AsyncIterator[Wire]:
    """Serve the application on a free port, its connections under these rules and soon idle."""
    application = web.Application()
    application.router.register_resource(CatchAll(edge(answer)))
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    made = connections(runner, Rules(**{"keep_alive_seconds": 0.2} | rules))
    listening = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0, backlog=1024)
    assert runner.server is not None
    try:
        yield Wire(listening.sockets[0].getsockname()[1], runner.server)
    finally:
        listening.close()
        await runner.cleanup()


def statuses(answers: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/[0-9.]+ (\d{3}) [^\r\n]+\r\n", answers)]


def error(answer: bytes) -> dict[str, Any]:
    """The error of a last answer, which has the shape and the headers every answer of ours has."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    for line in (b"Connection: close", b"Content-Type: application/json"):
        assert line in head
    for line in (b"X-Content-Type-Options: nosniff", b"Server: PiCloud", b"Referrer-Policy: no-referrer"):
        assert line in head
    told: dict[str, Any] = json.loads(body)["error"]
    assert f"X-Request-Id: {told['request_id']}".encode() in head
    return told
