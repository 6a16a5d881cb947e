"""A web server that counts connections, and a name server with the records of a test."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A received request.

    Attributes:
        line: method and target.
        headers: lower-case names and values, in order.
        body: its bytes.
        connection: number of the connection it came on, from 1.
    """

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


def response(status: str = "200 OK", body: bytes = b"hello", *headers: str) -> bytes:
    """An HTTP/1.1 response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    """A redirect."""
    return response(f"{status} Elsewhere", b"", f"Location: {location}")


@dataclass(slots=True)
class WebServer:
    """A web server on loopback.

    Attributes:
        responses: by path: bytes to send, or a function that handles the connection; else "hello".
        requests: what arrived.
        connections: number opened, with or without a request.
        gone: number that the client has closed.
        resumed: number that resumed a TLS session.
        port: where it listens.
    """

    tls: ssl.SSLContext | None = None
    responses: dict[str, bytes | Handler] = field(default_factory=dict)
    requests: list[Arrived] = field(default_factory=list)
    connections: int = 0
    gone: int = 0
    resumed: int = 0
    port: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        for host in ("127.0.0.1", "::1"):
            server = await asyncio.start_server(self._meet, host, self.port, ssl=self.tls)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        if self.tls is not None:
            self.resumed += writer.get_extra_info("ssl_object").session_reused
        try:
            while await self._serve(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # gone, or `close`
        finally:
            self.gone += 1
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        pairs = (one.partition(":") for one in lines)
        headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        body = await reader.readexactly(int(dict(headers).get("content-length", "0")))
        self.requests.append(Arrived(line.removesuffix(" HTTP/1.1"), headers, body, number))
        said = self.responses.get(line.split(" ")[1].partition("?")[0], response())
        if not isinstance(said, bytes):
            await said(reader, writer)
            return False
        writer.write(said)
        await writer.drain()
        return dict(headers).get("connection") != "close"


@dataclass(slots=True)
class NameServer:
    """A DNS server on loopback: UDP, no caching (TTL 0).

    Attributes:
        names: the records of each name, in turn; the last one stays. An empty one means that there is no
            such name.
        asked: how often each name was asked for addresses of IPv4.
        silent: names without a reply.
        port: where it listens.
    """

    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    silent: set[str] = field(default_factory=set)
    port: int = 0
    _transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Questions(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reply(self, question: bytes) -> bytes | None:
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        name, (kind,) = ".".join(labels), struct.unpack(">H", question[at + 1 : at + 3])
        if name in self.silent:
            return None
        turns = self.names.get(name, [()])
        addresses = turns[min(self.asked[name], len(turns) - 1)]
        if kind == 1:
            self.asked[name] += 1
        records = b"".join(_record(address, kind) for address in addresses)
        count = sum(1 for address in addresses if _record(address, kind))
        code = 0x8180 if addresses else 0x8183
        return question[:2] + struct.pack(">HHHHH", code, 1, count, 0, 0) + question[12 : at + 5] + records


def _record(address: str, kind: int) -> bytes:
    """A record in a response, if the address is of the kind asked for (1: IPv4, 28: IPv6)."""
    packed = ip_address(address).packed
    if kind != {4: 1, 16: 28}[len(packed)]:
        return b""
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(packed)) + packed


class _Questions(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        reply = self._server.reply(data)
        if reply is not None:
            self._transport.sendto(reply, address)  # type: ignore[attr-defined]  # it is a DatagramTransport


def unused_port() -> int:
    """A port of loopback without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
