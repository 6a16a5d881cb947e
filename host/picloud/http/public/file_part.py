"""The bytes of a file as the body of a response, in pieces."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from picloud.services.files.store import OpenBlob

PIECE = 256 * 1024
"""Bytes of a file that a response holds."""

_log = logging.getLogger(__name__)


class FilePart(Payload):
    """Some bytes of a blob.

    Attributes:
        on_end: told once how many of them were sent, as far as that is known here: before the last piece is
            written, so that it is known by the time the client has it, or when the transfer broke.
    """

    def __init__(self, blob: OpenBlob, offset: int, length: int) -> None:
        """Make it. Args: blob: open; it is closed when this is. offset, length: which part."""
        super().__init__(blob, content_type="application/octet-stream")
        self._blob, self._offset, self._size = blob, offset, length
        self._sent = 0
        self.on_end: Callable[[int], None] | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Not of a file."""
        raise TypeError("a file is sent in pieces")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, no faster than the client takes it."""
        size = self._size or 0
        while self._sent < size:
            try:
                piece = await self._blob.read(self._offset + self._sent, min(PIECE, size - self._sent))
            except OSError:
                _log.exception("a file that is being sent could not be read")
                piece = b""
            if not piece:  # the client sees that it is not all, for the connection ends
                raise ConnectionResetError("the file cannot be read any further")
            if self._sent + len(piece) == size:
                self._end(size)
            await writer.write(piece)
            self._sent += len(piece)

    async def close(self) -> None:
        """Let go of the blob."""
        self._end(self._sent)
        self._blob.close()

    def _end(self, sent: int) -> None:
        told, self.on_end = self.on_end, None
        if told is not None:
            told(sent)


class FileResponse(web.Response):
    """A response with a part of a file, which is let go of whatever happens."""

    def __init__(self, part: FilePart, status: int, headers: CIMultiDict[str]) -> None:
        super().__init__(body=part, status=status, headers=headers)
        self.part = part

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin; where the client is gone by now there is nobody else who closes the part."""
        try:
            return await super().prepare(request)
        except BaseException:
            await self.part.close()
            raise
