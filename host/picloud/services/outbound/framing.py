"""What comes around a body: heads, interim answers, sizes and extensions of chunks, trailers.

It is in no count of bodies, and takes longer to read than they do. aiohttp takes any amount of it, and uvloop
reads megabytes in one go, so a server could hold up every app of the worker.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp.client_proto import ResponseHandler

from picloud.services.outbound.refused import Failed

MAX_FRAMING = 256 * 1024
"""Bytes around a body, besides one for every eight of the body itself."""

_MAX_UNREAD = 8  # answers that arrived together: interim ones, or some that nobody asked for
_SLICE = 16 * 1024  # read without letting others run


class Framing(ResponseHandler):
    """The protocol of a connection: aiohttp's, but it reads slice by slice, and so much around a body."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Args: loop: that it is used on."""
        super().__init__(loop)
        self._wire = 0
        self._ahead = b""
        self._turn: asyncio.Handle | None = None

    @property
    def should_close(self) -> bool:
        """Whether it is of no use for another request (see aiohttp): also when not all that came is read."""
        return super().should_close or bool(self._ahead)

    def set_response_params(self, **params: Any) -> None:
        """The next request begins (see aiohttp)."""
        self._wire = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Read what came (see aiohttp); what is too much ends the connection, and its call with `Failed`."""
        if not data:  # who reads the body wants more, and the parser has some
            super().data_received(data)
        self._ahead += data
        if self._turn is None:
            self._read_on()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is no more (see aiohttp); what came before is read before."""
        while self._ahead and self.exception() is None:
            self._read_slice()
        self._ahead = b""
        super().connection_lost(exc)

    def _read_on(self) -> None:
        self._turn = None
        if self._ahead and not self._reading_paused:
            self._read_slice()
        if self._ahead and not self._reading_paused:
            self._turn = self._loop.call_soon(self._read_on)
        if bool(self._ahead) != self._buffer_paused:
            (self._pause_reading_for_buffer if self._ahead else self._resume_reading_for_buffer)()

    def _read_slice(self) -> None:
        piece, self._ahead = self._ahead[:_SLICE], self._ahead[_SLICE:]
        self._wire += len(piece)
        super().data_received(piece)
        body = 0 if self._payload is None else self._payload.total_bytes
        if self._wire > MAX_FRAMING + body + body // 8 or len(self) > _MAX_UNREAD:
            self._end(Failed("too large", "the answer has too much around its body"))
        elif self.exception() is not None:
            self._ahead = b""

    def _end(self, failed: Failed) -> None:
        self._ahead = b""
        if self._payload is not None:
            self._payload.set_exception(failed)
            self._payload = None  # else it is told the next thing, that the connection is lost
        self.set_exception(failed)
        if self.transport is not None:
            self.transport.abort()
