"""Promises of the edge of a real server while it is attacked: attackers are refused, others are served."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from tests.acceptance.running import OWNER, PATIENCE, Server

MIB = 1024 * 1024
TRANSFER_MB = 48
SETTINGS = {
    "PICLOUD_REQUEST_HEAD_SECONDS": "2",
    "PICLOUD_REQUEST_BODY_SECONDS": "2",
    "PICLOUD_RESPONSE_STALL_SECONDS": "2",
    "PICLOUD_MAX_TRANSFER_MB": str(TRANSFER_MB),
}
LARGE = 'let text = ""; text.pad(1000000, "\u0001"); text'  # of JSON six times as much
GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n"
LARGEST_GROWTH = 192 * MIB  # bodies in both directions, guests, and the noise of an allocator

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.mark.slow
def test_a_server_under_attack_serves_everyone_else_within_its_memory(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", "1"), {**OWNER, **SETTINGS}) as server:
        token = server.login()
        apps = "/api/v1/admin/apps/default"
        draft = {"name": "large", "source": LARGE, "sandbox": {"max_string_size": 1_000_000}}
        script = server.request("POST", f"{apps}/scripts", draft, token)
        route = {"script_id": script.json["id"], "method": "GET", "path": "/large"}
        assert server.request("POST", f"{apps}/routes", route, token).status == 201
        assert len(server.request("GET", "/large").body) > 6_000_000
        (worker,) = server.workers()
        siege = Siege(server.port, worker)
        before = worker.memory_info().rss
        asyncio.run(siege.run())
        assert siege.outcomes == {
            "trickled head": {408},
            "trickled second head": {408},
            "trickled body": {408},
            "10,000 headers": {431},
            "a gibibyte by its length": {413},
            "a gibibyte in chunks": {413},
            "answer not taken": {0},
        }
        assert siege.served >= 10
        assert siege.most_memory - before < LARGEST_GROWTH
        assert server.request("GET", "/hello").status == 200
        assert [line for line in server.lines() if line["level"] not in ("info", "debug")] == []


class Siege:
    """All attacks at once, and an ordinary client beside them.

    Attributes:
        outcomes: attack -> the statuses it met last; 0 is a connection cut off within an answer.
        served: how often the ordinary client was.
        most_memory: resident bytes of the worker, at most.
    """

    def __init__(self, port: int, worker: psutil.Process) -> None:
        self._port = port
        self._worker = worker
        self.outcomes: dict[str, set[int]] = defaultdict(set)
        self.served = 0
        self.most_memory = 0

    async def run(self) -> None:
        head, length = b"Content-Length: 1073741824\r\n\r\n", b"Content-Length: 1000\r\n\r\n"
        attacks: list[Awaitable[None]] = [
            *(self._send("trickled head", trickled=GET) for _ in range(150)),
            *(self._send("trickled second head", GET + b"\r\n", trickled=GET) for _ in range(50)),
            *(self._send("trickled body", GET + length, trickled=b"x" * 999) for _ in range(50)),
            *(self._send("10,000 headers", GET + b"A: b\r\n" * 10_000 + b"\r\n") for _ in range(50)),
            *(self._send("a gibibyte by its length", GET + head, flood=bytes(MIB)) for _ in range(4)),
            *(
                self._send(
                    "a gibibyte in chunks",
                    GET + b"Transfer-Encoding: chunked\r\n\r\n",
                    flood=b"100000\r\n" + bytes(MIB) + b"\r\n",
                )
                for _ in range(4)
            ),
            self._take_nothing(30),
        ]
        over = asyncio.Event()
        ordinary = asyncio.create_task(self._live(over))
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*attacks)
        over.set()
        await ordinary

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[Connected]:
        mine = socket.socket()
        mine.setblocking(False)
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what is not taken stays with the server
        await asyncio.get_running_loop().sock_connect(mine, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=mine)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _live(self, over: asyncio.Event) -> None:
        """Ask again and again; every answer has to be the right one."""
        while not over.is_set():
            async with self._connect() as (reader, writer), asyncio.timeout(PATIENCE):
                writer.write(GET + b"Connection: close\r\n\r\n")
                answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            self.served += 1
            self.most_memory = max(self.most_memory, self._worker.memory_info().rss)

    async def _send(
        self, attack: str, at_once: bytes = b"", trickled: bytes = b"", flood: bytes = b""
    ) -> None:
        """Send until the server ends the connection; the last status it told counts."""
        async with self._connect() as (reader, writer):
            sending = asyncio.create_task(_sent(writer, at_once, trickled, flood))
            answers = b""
            with contextlib.suppress(ConnectionError):
                while some := await reader.read(65536):
                    answers += some
            sending.cancel()
        told = re.findall(rb"HTTP/1\.[01] (\d{3})", answers)
        self.outcomes[attack].add(int(told[-1]) if told else -1)

    async def _take_nothing(self, times: int) -> None:
        """Ask for large answers, one after the other, and take none of them."""
        async with contextlib.AsyncExitStack() as stack:
            readers = []
            for _ in range(times):
                reader, writer = await stack.enter_async_context(self._connect())
                writer.write(GET.replace(b"hello", b"large") + b"\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                readers.append((reader, writer, head))
            ports = {writer.get_extra_info("sockname")[1] for _, writer, _ in readers}
            await _until(
                lambda: not ports & {one.raddr.port for one in self._worker.net_connections() if one.raddr}
            )
            for reader, writer, head in readers:
                writer.transport.resume_reading()  # type: ignore[attr-defined]
                (length,) = re.findall(rb"Content-Length: (\d+)", head)
                taken = 0
                with contextlib.suppress(ConnectionError):
                    while some := await reader.read(MIB):
                        taken += len(some)
                self.outcomes["answer not taken"].add(0 if taken < int(length) else 200)


async def _sent(writer: asyncio.StreamWriter, at_once: bytes, trickled: bytes, flood: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(at_once)
        for byte in trickled:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
        for _ in range(1024 if flood else 0):
            writer.write(flood)
            await writer.drain()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # another process's sockets announce nothing
        await asyncio.sleep(0.1)
