"""Parses server-sent events (WHATWG HTML, "Server-sent events") in bounded memory."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from picloud.core.numbers import NotAnInteger, read_integer

_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_RETRY = 999_999_999  # milliseconds
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event of a stream.

    Attributes:
        id: the last id so far; "" if there was none.
        type: the event type; "message" by default.
        data: its data; None if the event only updates the id.
    """

    id: str
    type: str
    data: str | None


class EventTooLong(Exception):
    """An event exceeds the maximum size."""


class EventReader:
    """Parses events from chunks of a stream, split at any byte.

    Attributes:
        retry: milliseconds to wait before a reconnect, as requested by the server, or None.
    """

    def __init__(self, max_bytes: int) -> None:
        """Create a reader; `max_bytes` is the maximum size of an event."""
        self.retry: int | None = None
        self._max_bytes = max_bytes
        self._line = bytearray()  # the incomplete line
        self._after_return = False  # a line feed now belongs to the previous carriage return
        self._is_first = True
        self._size = 0  # of the incomplete event
        self._id, self._type, self._has_moved = "", "", False
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """Parse a chunk.

        Yields:
            The events it completes, without empty ones such as comments.

        Raises:
            EventTooLong: the event has too many bytes.
        """
        if not piece:
            return
        if self._after_return:
            piece = piece.removeprefix(b"\n")
            self._after_return = False
        start = 0
        for end in _LINE_END.finditer(piece):
            self._line += piece[start : end.start()]
            start = end.end()
            event = self._end_line()
            if event is not None:
                yield event
        self._line += piece[start:]
        self._after_return = piece.endswith(b"\r")
        self._require_short(len(self._line))

    def _end_line(self) -> ServerEvent | None:
        line = bytes(self._line)
        self._line.clear()
        if self._is_first:
            line, self._is_first = line.removeprefix(_BOM), False
        self._require_short(len(line))
        if not line:
            return self._end_event()
        self._size += len(line)
        name, _, value = line.partition(b":")
        self._field(name, value.removeprefix(b" ").decode(errors="replace"))
        return None

    def _field(self, name: bytes, value: str) -> None:
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value
        elif name == b"id" and "\0" not in value:
            self._has_moved |= self._id != value
            self._id = value
        elif name == b"retry":
            with contextlib.suppress(NotAnInteger):
                self.retry = read_integer(value, maximum=_LONGEST_RETRY)

    def _end_event(self) -> ServerEvent | None:
        data = "\n".join(self._data) if self._data else None
        event = ServerEvent(self._id, self._type or "message", data)
        says_something = data is not None or self._has_moved
        self._size, self._type, self._has_moved = 0, "", False
        self._data.clear()
        return event if says_something else None

    def _require_short(self, more: int) -> None:
        if self._size + more > self._max_bytes:
            raise EventTooLong(f"an event of more than {self._max_bytes} bytes")
