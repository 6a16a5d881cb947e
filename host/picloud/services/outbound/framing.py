"""Limits the bytes around a body: heads, interim responses, chunk sizes and extensions, trailers.

They are not counted as bodies, and take longer to parse. aiohttp accepts any amount, and uvloop reads
megabytes at once, so a server could block every app of the worker.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp.client_proto import ResponseHandler

from picloud.services.outbound.errors import Failed

MAX_FRAMING = 256 * 1024
"""Bytes around a body, in addition to one for every eight bytes of the body."""

_MAX_UNREAD = 8  # responses received at once: interim or unrequested ones
_SLICE = 16 * 1024  # bytes parsed before other tasks run


class Framing(ResponseHandler):
    """The protocol of aiohttp, but it parses in slices and limits the bytes around a body."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Args: loop: the event loop that uses it."""
        super().__init__(loop)
        self._wire = 0
        self._ahead = b""
        self._scheduled: asyncio.Handle | None = None

    @property
    def should_close(self) -> bool:
        """Return whether it cannot be reused (see aiohttp), also because of unread bytes."""
        return super().should_close or bool(self._ahead)

    def set_response_params(self, **params: Any) -> None:
        """Start the next request (see aiohttp)."""
        self._wire = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes (see aiohttp); too many end the connection and its call with `Failed`."""
        if not data:  # the reader wants more, and the parser has some
            super().data_received(data)
        self._ahead += data
        if self._scheduled is None:
            self._read_on()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Parse the remaining bytes, then close (see aiohttp)."""
        while self._ahead and self.exception() is None:
            self._read_slice()
        self._ahead = b""
        super().connection_lost(exc)

    def _read_on(self) -> None:
        self._scheduled = None
        if self._ahead and not self._reading_paused:
            self._read_slice()
        if self._ahead and not self._reading_paused:
            self._scheduled = self._loop.call_soon(self._read_on)
        if bool(self._ahead) != self._buffer_paused:
            (self._pause_reading_for_buffer if self._ahead else self._resume_reading_for_buffer)()

    def _read_slice(self) -> None:
        piece, self._ahead = self._ahead[:_SLICE], self._ahead[_SLICE:]
        self._wire += len(piece)
        super().data_received(piece)
        body = 0 if self._payload is None else self._payload.total_bytes
        if self._wire > MAX_FRAMING + body + body // 8 or len(self) > _MAX_UNREAD:
            self._end(
                Failed(
                    "too large",
                    f"the response has more than {MAX_FRAMING} bytes of headers, chunk sizes or trailers",
                )
            )
        elif self.exception() is not None:
            self._ahead = b""

    def _end(self, failed: Failed) -> None:
        self._ahead = b""
        if self._payload is not None:
            self._payload.set_exception(failed)
            self._payload = None  # or it would also get the error of the lost connection
        self.set_exception(failed)
        if self.transport is not None:
            self.transport.abort()
