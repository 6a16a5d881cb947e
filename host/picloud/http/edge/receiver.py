"""What a connection receives: cut into heads and bodies, and parsed in slices."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from picloud.core.errors import BadRequest, HeadTooLarge, PicloudError, TargetTooLong
from picloud.core.numbers import NotAnInteger
from picloud.http.edge.chunked import ChunkedBody
from picloud.http.edge.request_head import content_length
from picloud.http.edge.turns import Turns

MAX_TARGET = 8 * 1024
"""Maximum bytes of a request target."""
MAX_FIELD = 16 * 1024
"""Maximum bytes of one header."""
MAX_FIELDS = 128
"""Maximum number of headers of a request."""

MAX_HEAD = 64 * 1024
"""Maximum bytes of a request head."""

_SLICE = 64 * 1024  # bytes of a body parsed at once
_AT_ONCE = 16 * 1024  # bytes parsed when they arrive, if they are not chunks
_MAX_PIPELINED = 4  # requests read ahead of the current one
_MAX_METHOD = 32
_HEAD_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")  # before a request line (RFC 9112, 2.2)
_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]* [!-~]+ HTTP/1\.[01]\r\n")
_RAW_LINE = re.compile(rb"[A-Z][A-Z-]* [!-~\x80-\xff]+ HTTP/1\.[01]\r\n")
_LINE_BEGIN = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)|\r\Z")  # or an empty line, as far as it is there
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class RejectedBody(RequestPayloadError):
    """A body whose framing is not valid, or that is too large; for its reader."""

    def __init__(self, error: PicloudError) -> None:
        super().__init__(error.message)
        self.error = error


class Receiver(web.RequestHandler):
    """Feeds aiohttp's parser with one head, or one slice of a body, at a time.

    So a head is complete when it is parsed, a body is followed to its end, and bytes behind the last request
    of a connection are not parsed. Input that cannot be parsed yet is kept here, and reading pauses.
    """

    __slots__ = (
        "_ahead",
        "_at",
        "_blank",
        "_body",
        "_broken",
        "_chunks",
        "_closes",
        "_ended",
        "_is_waiting",
        "_left",
        "_searched",
        "_turns",
    )

    def __init__(self, turns: Turns, server: web.Server, **arguments: Any) -> None:
        """Create the receiver; the other arguments are aiohttp's."""
        super().__init__(
            server,
            max_line_size=MAX_TARGET,
            max_field_size=MAX_FIELD,
            max_headers=MAX_FIELDS,
            **arguments,
        )
        self._max_msg_queue_size = _MAX_PIPELINED
        self._msg_queue_resume_size = _MAX_PIPELINED // 2
        self._turns = turns
        self._ahead = b""  # received and not parsed, from `_at`
        self._at = 0
        self._searched = 0  # no head ends before
        self._blank = 0  # bytes of empty lines before a head
        self._body: StreamReader = EMPTY_PAYLOAD  # of the last request
        self._left = 0  # bytes of a body still to come
        self._chunks: ChunkedBody | None = None  # a body of unknown length
        self._closes = False  # the last request is the last one of the connection
        self._ended = False  # no more is parsed
        self._broken = False  # the parser has failed
        self._is_waiting = False  # for its turn

    # What subclasses do.

    def head_received(self, message: RawRequestMessage) -> bool:
        """Check a head, the last of `_messages`; report whether its request will be handled."""
        raise NotImplementedError

    def head_incomplete(self) -> None:
        """A part of a head has arrived."""

    def body_received(self, size: int) -> None:
        """A part of a body was parsed. Args: size: bytes."""

    def excess_received(self, size: int) -> None:
        """Bytes behind the last request were discarded. Args: size: how many."""

    def abort(self) -> None:
        """Close the connection at once."""
        raise NotImplementedError

    def reject(self, error: PicloudError) -> None:
        """Answer what follows the last request with an error, and end the connection."""
        raise NotImplementedError

    # Receiving.

    def connection_lost(self, exc: BaseException | None) -> None:
        """Drop what is not parsed."""
        self.end_input()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, now or in slices."""
        if not data:  # the reader of a body wants more, and the parser may have some
            self._feed_body(b"")
        elif self._ended or self._close or self._force_close:
            self.excess_received(len(data))
            return
        elif self._ahead:
            self._ahead, self._searched = self._ahead[self._at :] + data, max(0, self._searched - self._at)
            self._at = 0
        else:
            self._ahead = data
        more = not self._is_waiting
        if len(data) <= _AT_ONCE:
            while more and self._chunks is None:
                more = self.read_slice()
        if more:
            self._read_on()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Continue after a pause (see aiohttp); its readers call this each time they have read."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def end_input(self) -> None:
        """Parse no more; further bytes are discarded."""
        self._ended = True
        self._ahead, self._at, self._searched = b"", 0, 0

    def reject_body(self, error: PicloudError) -> None:
        """Give an error to the reader of the last body; the connection ends with its response."""
        self._broken = True
        self.end_input()
        if not self._body.is_eof():
            self._body.set_exception(RejectedBody(error))

    def keep_discarding(self) -> None:
        """Discard the rest of a rejected body for a while, so that the client sees the response."""
        body = self._body
        body._exception = None  # noqa: SLF001

    def read_slice(self) -> bool:
        """Parse one head, or a slice of a body; report whether more can be parsed now."""
        more = False
        if self._can_read:
            if self._chunks is not None:
                self._read_chunks(self._chunks)
                more = self._can_read
            elif self._left:
                self._read_body()
                more = self._can_read
            else:
                more = self._read_head() and self._at < len(self._ahead) and self._can_read
        if not more:
            self._is_waiting = False
            if self._at == len(self._ahead) and not self._buffer_paused:
                self._ahead, self._at, self._searched = b"", 0, 0
            else:
                self._settle()
        return more

    def _read_on(self) -> None:
        self._is_waiting = self._turns.enter(self)
        self._settle()

    def _resume_reading_if_drained(self) -> None:
        """Continue after requests were taken from the full queue (see aiohttp)."""
        if not self._is_waiting:
            self._read_on()

    def _decline_upgrade(self) -> None:
        """Parse what follows an upgrade request as HTTP."""
        if self._parser is not None:
            self._parser.set_upgraded(False)
            self._upgraded = False
            self._resume_reading_if_drained()

    @property
    def _can_read(self) -> bool:
        return (
            self._at < len(self._ahead)
            and not self._reading_paused
            and not self._upgraded
            and len(self._messages) < _MAX_PIPELINED
        )

    def _settle(self) -> None:
        """Free what was parsed; pause reading while there is input that cannot be parsed yet."""
        if self._at == len(self._ahead):
            self._ahead, self._at, self._searched = b"", 0, 0
        is_held = bool(self._ahead) and (self._is_waiting or not self._can_read)
        if is_held != self._buffer_paused:
            (self._pause_reading_for_buffer if is_held else self._resume_reading_for_buffer)()

    # Heads.

    def _read_head(self) -> bool:
        data, at = self._ahead, self._at
        end = data.find(_HEAD_END, self._searched) + len(_HEAD_END)
        is_complete = end >= len(_HEAD_END)
        if is_complete and end - at <= MAX_HEAD and _REQUEST_LINE.match(data, at) is not None:
            return self._parse_head(data[at:end], end)
        if data.startswith(b"\r\n", at):
            return self._skip_empty_lines()
        error = _line_error(data, at)
        if error is None and (end if is_complete else len(data)) - at > MAX_HEAD:
            error = _head_too_large()
        if error is None and is_complete:
            raw = _RAW_LINE.match(data, at)
            if raw is not None:
                line = _NOT_ASCII.sub(_percent_encoded, raw[0])
                return self._parse_head(line + data[raw.end() : end], end)
            error = _invalid_line()
        if error is not None:
            self.reject(error)
        else:
            self._searched = max(at, len(data) - len(_HEAD_END) + 1)
            self.head_incomplete()
        return False

    def _skip_empty_lines(self) -> bool:
        skipped = _EMPTY_LINES.match(self._ahead, self._at)
        assert skipped is not None
        self._at = self._searched = skipped.end()
        self._blank += len(skipped[0])
        if self._blank > MAX_HEAD:
            self.reject(_head_too_large())
            return False
        self.head_incomplete()
        return True

    def _parse_head(self, head: bytes, end: int) -> bool:
        self._at = self._searched = end
        self._blank = 0
        if not self._feed(head):  # the connection is closing
            self.end_input()
            return False
        if self._broken:
            return False
        message, self._body = self._messages[-1]
        assert not isinstance(message, _ErrInfo)
        self._closes = not self.head_received(message) or message.should_close
        if message.chunked or hdrs.CONTENT_LENGTH in message.headers:
            self._begin_body(message)
        elif self._closes:
            self.end_input()
        return True

    def _begin_body(self, message: RawRequestMessage) -> None:
        if message.chunked:
            self._chunks = ChunkedBody()
            return
        try:
            self._left = content_length(message.headers[hdrs.CONTENT_LENGTH])
        except NotAnInteger:  # rejected already
            self.end_input()
        if not self._left:
            self._end_body()

    # Bodies.

    def _read_body(self) -> None:
        end = min(self._at + min(self._left, _SLICE), len(self._ahead))
        piece = self._ahead[self._at : end]
        self._at = end
        self._left -= len(piece)
        self._feed_body(piece)
        if not self._left:
            self._end_body()

    def _read_chunks(self, chunks: ChunkedBody) -> None:
        start = self._at
        try:
            self._at = chunks.advance(self._ahead, start, min(start + _SLICE, len(self._ahead)))
        except PicloudError as error:
            self.reject_body(error)
            return
        self._feed_body(self._ahead[start : self._at])
        if chunks.complete:
            self._end_body()

    def _end_body(self) -> None:
        self._chunks, self._searched = None, self._at
        if self._closes:
            self.end_input()

    # The parser.

    def _feed_body(self, piece: bytes) -> None:
        if self._feed(piece):
            failed, _ = self._messages[-1]  # no request, as the body is followed to its end here
            exc = failed.exc if isinstance(failed, _ErrInfo) else None
            if isinstance(exc, HttpProcessingError):
                self.reject_body(parse_error(exc))
            else:
                self.reject_body(BadRequest("the framing of the body is broken"))
        else:
            self.body_received(len(piece))

    def _feed(self, piece: bytes) -> int:
        """Let aiohttp parse; return the number of requests and errors that it found."""
        if self._broken:
            return 0
        count = self._request_count
        super().data_received(piece)
        found = self._request_count - count
        if found and isinstance(self._messages[-1][0], _ErrInfo):
            self._broken = True
            self.end_input()
        return found


def parse_error(error: HttpProcessingError) -> PicloudError:
    """Convert a parse error; the message quotes nothing from the request."""
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET:
            return _target_too_long()
        return HeadTooLarge(f"a request header has more than {MAX_FIELD} bytes")
    if isinstance(error, InvalidURLError):
        return BadRequest("not a valid HTTP request: the target is not a URL")
    if error.message == "Too many headers received":
        return HeadTooLarge(f"the request has more than {MAX_FIELDS} headers")
    reason = error.message.partition(":")[0].strip().removesuffix(".") or "it cannot be parsed"
    return BadRequest(f"not a valid HTTP request: {reason}")


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the request headers have more than {MAX_HEAD} bytes")


def _line_error(data: bytes, at: int) -> PicloudError | None:
    """Return why data cannot begin with a request line; None if it can, as far as it has arrived."""
    if data.startswith(b"\x16\x03", at):
        return BadRequest("not a valid HTTP request: TLS on a port for plain HTTP")
    line = data[at : at + MAX_TARGET + _MAX_METHOD]
    if line and _LINE_BEGIN.match(line) is None:
        return _invalid_line()
    if b"\r\n" in line or len(line) < MAX_TARGET + _MAX_METHOD:
        return None
    return _target_too_long()


def _target_too_long() -> TargetTooLong:
    return TargetTooLong(f"the request target has more than {MAX_TARGET} bytes")


def _invalid_line() -> BadRequest:
    return BadRequest("not a valid HTTP request: the request line must be METHOD TARGET HTTP/1.1")


def _percent_encoded(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
