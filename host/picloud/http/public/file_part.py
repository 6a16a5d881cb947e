"""Streams the bytes of a file as a response body."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from picloud.services.files.store import OpenBlob

PIECE = 256 * 1024
"""Bytes read from a file at a time."""

_log = logging.getLogger(__name__)


class FilePart(Payload):
    """A range of bytes of a blob.

    Attributes:
        on_end: called once with the number of bytes sent: just before the last piece is written, or when the
            transfer fails.
    """

    def __init__(self, blob: OpenBlob, offset: int, length: int) -> None:
        """Create the part; closing it closes the blob."""
        super().__init__(blob, content_type="application/octet-stream")
        self._blob, self._offset, self._size = blob, offset, length
        self._sent = 0
        self.on_end: Callable[[int], None] | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Not supported."""
        raise TypeError("a file cannot be decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the bytes, no faster than the client takes them."""
        size = self._size or 0
        while self._sent < size:
            try:
                piece = await self._blob.read(self._offset + self._sent, min(PIECE, size - self._sent))
            except OSError:
                _log.exception("reading a file failed while it was being sent")
                piece = b""
            if not piece:  # closes the connection, so the client sees that the body is incomplete
                raise ConnectionResetError("the file could not be read completely")
            if self._sent + len(piece) == size:
                self._end(size)
            await writer.write(piece)
            self._sent += len(piece)

    async def close(self) -> None:
        """Close the blob."""
        self._end(self._sent)
        self._blob.close()

    def _end(self, sent: int) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(sent)


class FileResponse(web.Response):
    """A response with a part of a file; the file is always closed."""

    def __init__(self, part: FilePart, status: int, headers: CIMultiDict[str]) -> None:
        super().__init__(body=part, status=status, headers=headers)
        self.part = part

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers; closes the part if the client has disconnected."""
        try:
            return await super().prepare(request)
        except BaseException:
            await self.part.close()
            raise
