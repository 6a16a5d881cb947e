"""Reading an answer's body: decompressed as it comes, and never more of it than there may be."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterable, Callable, Iterator

from picloud.services.outbound.refused import Failed

MAX_ANSWER = 10 * 1024 * 1024
PIECE = 64 * 1024

_BREATH = 128 * 1024  # decompressed without letting others run
_MAX_MEMBERS = 1000
_GZIP = b"\x1f\x8b"
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Inflating:
    """A gzip or deflate body that arrives in chunks; no piece it gives is larger than `PIECE`."""

    def __init__(self, encoding: str) -> None:
        """Args: encoding: one that `understands` knows."""
        self._window = _WINDOW[encoding]
        self._member: zlib._Decompress | None = None
        self._between = b""
        self._members = 0
        self._over = False

    @staticmethod
    def understands(encoding: str) -> bool:
        """Return whether a body can be decompressed. Args: encoding: the Content-Encoding header."""
        return encoding in _WINDOW

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next chunk.

        Args:
            data: as it came over the wire.

        Returns:
            What is in it, piece by piece.

        Raises:
            Failed: it is damaged.
        """
        while not self._over:
            if self._member is None:
                data, self._between = self._between + data, b""
                if not self._begin(data):
                    return
            assert self._member is not None
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise Failed("answer", "the answer's compressed body is damaged") from None
            if piece:
                yield piece
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail
                if not data and len(piece) < PIECE:
                    return

    def end(self) -> None:
        """See that it is whole. Raises: Failed: its end is missing."""
        if self._member is not None:
            raise Failed("answer", "the answer's compressed body is cut short")

    def _begin(self, data: bytes) -> bool:
        """Begin another member of the body, if there is one; gzip may have many, one after the other."""
        if self._members and (self._window == zlib.MAX_WBITS or (len(data) > 1 and data[:2] != _GZIP)):
            self._over = True  # what follows the last member is no part of the body
            return False
        if len(data) < (2 if self._members else 1):
            self._between = data
            return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise Failed("answer", f"the answer's compressed body has more than {_MAX_MEMBERS} parts")
        raw = self._window == zlib.MAX_WBITS and data[0] & 15 != 8  # some send deflate without zlib's header
        self._member = zlib.decompressobj(-zlib.MAX_WBITS if raw else self._window)
        return True


async def read(chunks: AsyncIterable[bytes], encoding: str, came: Callable[[int, int], None]) -> bytes:
    """Read a body.

    Args:
        chunks: as they come over the wire.
        encoding: the Content-Encoding header; a body in one that is not understood stays as it is.
        came: told how many bytes came over the wire, and how many of the body that makes; may raise.

    Returns:
        The body, at most `MAX_ANSWER` bytes.

    Raises:
        Failed: it is larger, or damaged.
    """
    body, breath = bytearray(), _BREATH
    inflating = Inflating(encoding) if Inflating.understands(encoding) else None
    async for chunk in chunks:
        came(len(chunk), 0)
        for piece in (chunk,) if inflating is None else inflating.pieces(chunk):
            came(0, len(piece))
            body += piece
            if len(body) > MAX_ANSWER:
                raise too_large()
            breath -= len(piece)
            if breath < 0:
                breath = _BREATH
                await asyncio.sleep(0)
    if inflating is not None:
        inflating.end()
    return bytes(body)


def too_large() -> Failed:
    """The error of an answer that is larger than `MAX_ANSWER`."""
    return Failed("too large", f"the answer has more than {MAX_ANSWER} bytes")
