"""Accepts new connections from a listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_AT_ONCE = 64  # per turn of the loop, so that running requests get their share
_PAUSE_SECONDS = 1.0  # before the next try when file descriptors or memory run out
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Acceptor:
    """Accepts up to 64 waiting connections per turn of the event loop.

    libuv accepts one per turn (since 1.46), and each turn serves every connection with new data. With
    hundreds of busy connections, a new one would wait for seconds.
    """

    def __init__(self, listening: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        """Start accepting.

        Args:
            listening: a bound, listening, non-blocking socket.
            factory: creates the protocol of a connection.
        """
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._factory = factory
        self._connecting: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Stop accepting and close the socket; open connections stay open."""
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
                    continue  # only that connection: the client disconnected while it waited
                _log.error("accepting connections paused for a second: %s", error.strerror)
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
        except OSError:  # the client has disconnected
            accepted.close()
