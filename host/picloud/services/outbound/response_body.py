"""Reads the body of a response: decompresses it while it arrives, up to a limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterable, Callable, Iterator

from picloud.services.outbound.errors import Failed

MAX_RESPONSE_BYTES = 10 * 1024 * 1024
MAX_WIRE_BYTES = MAX_RESPONSE_BYTES + 1024 * 1024
"""Compressed bytes received: data that does not compress grows a little, and bytes can also yield nothing."""
PIECE = 64 * 1024

_YIELD_BYTES = 128 * 1024  # received and decompressed before other tasks run
_MAX_MEMBERS = 1000
_GZIP = b"\x1f\x8b"
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Decompressor:
    """Decompresses a gzip or deflate body from chunks, in pieces of at most `PIECE`."""

    def __init__(self, encoding: str) -> None:
        """Args: encoding: one for which `supports` is true."""
        self._window = _WINDOW[encoding]
        self._member: zlib._Decompress | None = None
        self._between = b""
        self._members = 0
        self._is_complete = False

    @staticmethod
    def supports(encoding: str) -> bool:
        """Return whether a body can be decompressed. Args: encoding: the Content-Encoding header."""
        return encoding in _WINDOW

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next chunk.

        Args:
            data: the bytes as received.

        Yields:
            The decompressed pieces.

        Raises:
            Failed: it is corrupt.
        """
        while not self._is_complete:
            if self._member is None:
                data, self._between = self._between + data, b""
                if not self._begin(data):
                    return
            assert self._member is not None
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise Failed("answer", "the compressed body of the response is corrupt") from None
            if piece:
                yield piece
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail
                if not data and len(piece) < PIECE:
                    return

    def end(self) -> None:
        """Check that the body is complete. Raises: Failed: the end is missing."""
        if self._member is not None:
            raise Failed("answer", "the compressed body of the response is truncated")

    def _begin(self, data: bytes) -> bool:
        """Start the next member of the body, if any; a gzip body can have several."""
        if self._members and (self._window == zlib.MAX_WBITS or (len(data) > 1 and data[:2] != _GZIP)):
            self._is_complete = True  # bytes after the last member are not part of the body
            return False
        if len(data) < (2 if self._members else 1):
            self._between = data
            return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise Failed("answer", f"the compressed body of the response has more than {_MAX_MEMBERS} parts")
        raw = (
            self._window == zlib.MAX_WBITS and data[0] & 15 != 8
        )  # some servers send deflate without the zlib header
        self._member = zlib.decompressobj(-zlib.MAX_WBITS if raw else self._window)
        return True


async def read_body(chunks: AsyncIterable[bytes], encoding: str, count: Callable[[int, int], None]) -> bytes:
    """Read a body.

    Args:
        chunks: the chunks as received.
        encoding: the Content-Encoding header; a body in an unknown encoding is not changed.
        count: called with the bytes received and the bytes decompressed; can raise.

    Returns:
        The body, at most `MAX_RESPONSE_BYTES` bytes.

    Raises:
        Failed: it is too large, as received or decompressed, or corrupt.
    """
    body, until_yield, wire = bytearray(), _YIELD_BYTES, 0
    decompressor = Decompressor(encoding) if Decompressor.supports(encoding) else None
    async for chunk in chunks:
        count(len(chunk), 0)
        wire += len(chunk)
        if wire > max_wire_bytes(encoding):
            raise too_large(encoding)
        until_yield -= len(chunk)
        for piece in (chunk,) if decompressor is None else decompressor.pieces(chunk):
            count(0, len(piece))
            body += piece
            if len(body) > MAX_RESPONSE_BYTES:
                raise too_large()
            until_yield -= len(piece)
            if until_yield < 0:
                until_yield = _YIELD_BYTES
                await asyncio.sleep(0)
        if until_yield < 0:  # also when nothing comes out, as of empty blocks
            until_yield = _YIELD_BYTES
            await asyncio.sleep(0)
    if decompressor is not None:
        decompressor.end()
    return bytes(body)


def max_wire_bytes(encoding: str) -> int:
    """Return how many bytes of a body are received at most. Args: encoding: the Content-Encoding header."""
    return MAX_WIRE_BYTES if Decompressor.supports(encoding) else MAX_RESPONSE_BYTES


def too_large(encoding: str = "") -> Failed:
    """Return the error of a response with too many bytes.

    Args:
        encoding: the Content-Encoding header if too many bytes were received, "" if too many came out.
    """
    compressed = "compressed " if Decompressor.supports(encoding) else ""
    return Failed("too large", f"the {compressed}response has more than {max_wire_bytes(encoding)} bytes")
