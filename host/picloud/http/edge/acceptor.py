"""Taking new connections from a listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_AT_ONCE = 64  # then requests under way have their turn
_PAUSE_SECONDS = 1.0  # when there are no files or no memory for another connection, before the next try
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Acceptor:
    """Accepts all connections that wait, each turn of the loop.

    libuv accepts one a turn (since 1.46), and a turn serves every connection that has sent something: with
    hundreds of busy connections a new one would wait for seconds.
    """

    def __init__(self, listening: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        """Begin to accept.

        Args:
            listening: bound and listening, not blocking.
            factory: makes a connection's protocol.
        """
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._factory = factory
        self._connecting: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Accept no more and close the socket; the connections stay."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # of that one connection: it went away while it waited
                _log.error("no connections are accepted for a second: %s", error.strerror)
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(_PAUSE_SECONDS, self._resume)
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._connect(accepted))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, accepted)
        except OSError:  # it is gone already
            accepted.close()
