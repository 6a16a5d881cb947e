"""What comes around a body: heads, interim answers, sizes and extensions of chunks, trailers.

It is in no count of bodies, and takes longer to read than they do. aiohttp takes any amount of it, and uvloop
reads megabytes in one go, so a server could hold up every app of the worker.
"""

from __future__ import annotations

from typing import Any

from aiohttp.client_proto import ResponseHandler

from picloud.services.outbound.refused import Failed

MAX_FRAMING = 128 * 1024
"""Bytes around a body, besides one for every four of the body itself."""

_MAX_UNREAD = 8  # answers that arrived together: interim ones, or some that nobody asked for
_SLICE = 16 * 1024  # read before it is looked at what that was


class Framing(ResponseHandler):
    """The protocol of a connection: aiohttp's, and it reads so much around a body and no more."""

    _wire = 0

    def set_response_params(self, **params: Any) -> None:
        """The next request begins (see aiohttp)."""
        self._wire = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Read what came (see aiohttp). What is too much ends the connection, and the call with `Failed`."""
        for start in range(0, len(data) or 1, _SLICE):
            piece = data[start : start + _SLICE]
            self._wire += len(piece)
            super().data_received(piece)
            if self.exception() is not None or self.transport is None:
                return
            body = 0 if self._payload is None else self._payload.total_bytes
            if self._wire > MAX_FRAMING + body + body // 4 or len(self) > _MAX_UNREAD:
                failed = Failed("too large", "the answer has too much around its body")
                self.transport.abort()
                if self._payload is not None:
                    self._payload.set_exception(failed)
                self.set_exception(failed)
                return
