"""Which sockets of a port get new connections."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from picloud.server.sockets import listen
from picloud.server.steering import Steering

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over sockets")


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(one) for one in listen("127.0.0.1", 0, 3)]


def connections(sockets: list[socket.socket], count: int = 90) -> list[int]:
    """Make connections, and return how many came to each socket."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(sockets[0].getsockname()))
        return [waiting(one) for one in sockets]


def waiting(one: socket.socket) -> int:
    count = 0
    while True:
        try:
            accepted, _ = one.accept()
        except BlockingIOError:
            return count
        accepted.close()
        count += 1


def test_new_connections_go_to_the_sockets_that_are_named(sockets: list[socket.socket]) -> None:
    steering = Steering(sockets)
    for slots in ([1], [0, 2], [2], [0, 1, 2], [0], []):
        steering.only(slots)
        counts = connections(sockets)
        assert sum(counts) == 90
        named = slots or [0, 1, 2]
        assert {slot for slot in range(3) if counts[slot]} == set(named)


def test_connections_that_wait_at_a_socket_stay_there(sockets: list[socket.socket]) -> None:
    steering = Steering(sockets)
    steering.only([1])
    with socket.create_connection(sockets[0].getsockname()):
        steering.only([0, 2])
        assert waiting(sockets[1]) == 1
