"""Promises of http/edge/acceptor.py."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import ClassVar, cast

import pytest
import uvloop

from picloud.http.edge import acceptor
from picloud.http.edge.acceptor import Acceptor
from picloud.server.sockets import listen

MANY = 100


@pytest.fixture(params=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as made:
        yield made


class Greeter(asyncio.Protocol):
    """Says hello and hangs up."""

    met = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Greeter.met += 1
        wire = cast("asyncio.WriteTransport", transport)
        wire.write(b"hello")
        wire.close()


def connect(stack: ExitStack, listening: socket.socket, count: int) -> list[socket.socket]:
    return [stack.enter_context(socket.create_connection(listening.getsockname())) for _ in range(count)]


async def greeted(client: socket.socket) -> bytes:
    client.setblocking(False)
    return await asyncio.get_running_loop().sock_recv(client, 100)


def test_all_waiting_clients_are_served(runner: asyncio.Runner) -> None:
    """A busy loop takes long for a turn, so it must not take one for each of them."""

    async def turns() -> int:
        listening = listen("127.0.0.1", 0, 1)[0]
        Greeter.met, counted = 0, 0
        with ExitStack() as stack:
            clients = connect(stack, listening, MANY)
            accepting = Acceptor(listening, Greeter)
            while Greeter.met < MANY:
                await asyncio.sleep(0)
                counted += 1
            assert [await greeted(client) for client in clients] == [b"hello"] * MANY
            accepting.close()
        return counted

    assert runner.run(turns()) < MANY / 4


def test_a_closed_acceptor_accepts_no_connection(runner: asyncio.Runner) -> None:
    async def refused() -> None:
        listening = listen("127.0.0.1", 0, 1)[0]
        address = listening.getsockname()
        accepting = Acceptor(listening, Greeter)
        accepting.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    runner.run(refused())


def test_accepting_continues_when_descriptors_are_free_again(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "_PAUSE_SECONDS", 0.01)

    class Exhausted(socket.socket):
        refusals: ClassVar = [errno.ECONNABORTED, errno.EMFILE, errno.ENFILE]

        def accept(self) -> tuple[socket.socket, object]:
            if self.refusals:
                code = self.refusals.pop(0)
                raise OSError(code, "full")
            return super().accept()

    async def served() -> bytes:
        with ExitStack() as stack:
            opened = listen("127.0.0.1", 0, 1)[0]
            listening = Exhausted(fileno=opened.detach())
            listening.setblocking(False)
            (client,) = connect(stack, listening, 1)
            accepting = Acceptor(listening, Greeter)
            said = await greeted(client)
            accepting.close()
            return said

    assert runner.run(served()) == b"hello"
    assert [message.endswith(": full") for message in caplog.messages] == [True, True]
