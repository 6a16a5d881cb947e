"""The framing of chunked bodies (RFC 9112, 7.1): its sizes are checked before the parser sees them."""

from __future__ import annotations

from picloud.core.errors import BadRequest, BodyTooLarge
from picloud.core.numbers import NotAnInteger, OutOfRange, read_integer
from picloud.sandbox.limits import FIXED

MAX_FRAMING = 256 * 1024
"""Maximum bytes around a body, in addition to one for every eight bytes of the body."""
MAX_SIZE_LINE = 1024
"""Maximum bytes of a chunk size with its extensions."""

_MAX_BODY = FIXED["max_request_body"]
_MAX_LINES = 128  # per slice: a line takes a microsecond or two to parse
_DATA_END = 2  # bytes: CRLF


class ChunkedBody:
    """Follows a chunked body as it arrives, without keeping it.

    aiohttp's parser accepts chunks of one byte, any amount of extensions, sizes of 2^63, and trailers without
    end. So the sizes are read here first.

    Attributes:
        complete: whether the body has ended.
    """

    __slots__ = ("_around", "_body", "_chunk", "_in_trailers", "_line", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._around = 0  # bytes that are not of the body
        self._body = 0
        self._chunk = 0  # bytes of the chunk still to come, with its CRLF
        self._line = b""  # the beginning of a line that is not complete
        self._in_trailers = False

    def advance(self, data: bytes, start: int, stop: int) -> int:
        """Follow the next bytes, at most 128 lines of them.

        Args:
            data: bytes that were received.
            start: position of the next byte of the body.
            stop: position to stop at.

        Returns:
            The position reached; the body ends there if `complete` is set.

        Raises:
            BadRequest: a size is not a number, or its line is too long.
            BodyTooLarge: the body, or the framing around it, is too large.
        """
        at = start
        for _ in range(_MAX_LINES):
            if self._chunk:
                step = min(self._chunk, stop - at)
                self._chunk -= step
                at += step
            end = data.find(b"\n", at, stop) + 1
            if not end:
                self._begin_line(data[at:stop])
                return stop
            line, self._line = self._line + data[at:end], b""
            self._around += len(line)
            at = end
            if self._in_trailers:
                if line == b"\r\n":
                    self.complete = True
                    return at
            else:
                self._end_line(line)
            self._require_little()
        return at

    def _begin_line(self, piece: bytes) -> None:
        self._line += piece
        if not self._in_trailers and len(self._line) > MAX_SIZE_LINE:
            raise _line_too_long()
        if self._around + len(self._line) > MAX_FRAMING + self._body // 8:
            raise _too_much_framing()

    def _end_line(self, line: bytes) -> None:
        if len(line) > MAX_SIZE_LINE:
            raise _line_too_long()
        try:
            size = read_integer(
                line[:-2].partition(b";")[0].decode("latin-1"), maximum=_MAX_BODY - self._body, base=16
            )
        except OutOfRange:
            raise BodyTooLarge(f"the body has more than {_MAX_BODY} bytes", limit=_MAX_BODY) from None
        except NotAnInteger:
            raise BadRequest("the size of a chunk is not a hexadecimal number of at most 16 digits") from None
        self._body += size
        self._in_trailers = not size
        if size:
            self._chunk = size + _DATA_END
            self._around += _DATA_END

    def _require_little(self) -> None:
        if self._around > MAX_FRAMING + self._body // 8:
            raise _too_much_framing()


def _line_too_long() -> BadRequest:
    return BadRequest(f"the size and extensions of a chunk have more than {MAX_SIZE_LINE} bytes")


def _too_much_framing() -> BodyTooLarge:
    return BodyTooLarge(
        "the body has too many bytes of chunk sizes, extensions and trailers; send larger chunks"
    )
