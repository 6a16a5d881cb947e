"""Server-sent events: the response and the event format (WHATWG HTML, "Server-sent events").

Data is always JSON, which escapes line breaks and NUL. So data is one line and may contain any string.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from picloud.http.edge.responses import SECURITY_HEADERS, json_bytes

CONTENT_TYPE, LAST_EVENT_ID = "text/event-stream", "Last-Event-ID"
HEARTBEAT = b":\n\n"
"""A comment: clients ignore it, and it keeps proxies from closing the stream as idle."""

HEADERS: Mapping[str, str] = {
    **SECURITY_HEADERS,
    "Content-Type": CONTENT_TYPE,
    "X-Accel-Buffering": "no",  # nginx passes on each event at once
}

T = TypeVar("T")

_ONE_LINE = re.compile(r"[^\0\r\n]*")


@dataclass(frozen=True, slots=True)
class StreamEvent(Generic[T]):
    """An event.

    Attributes:
        id: sent back as `Last-Event-ID` when the client reconnects; None keeps the previous id.
        data: serialized by `json_bytes`; None for an event that only updates the id.
        type: the event type; "" for "message".
    """

    id: str | None
    data: T | None
    type: str = ""


def write_event(event: StreamEvent[T]) -> bytes:
    """Serialize an event.

    Returns:
        The event with its final blank line.

    Raises:
        ValueError: the id or the type contains a line break or NUL.
    """
    lines = []
    for name, value in (("id", event.id), ("event", event.type or None)):
        if value is None:
            continue
        if not _ONE_LINE.fullmatch(value):
            raise ValueError(f"the {name} of an event must be one line without NUL: {value!r}")
        lines.append(f"{name}: {value}\n".encode())
    if event.data is not None:
        lines.append(b"data: " + json_bytes(event.data) + b"\n")
    return b"".join(lines) + b"\n"


def write_retry(milliseconds: int) -> bytes:
    """Serialize the field that sets how many milliseconds a client waits before it reconnects."""
    return b"retry: %d\n\n" % milliseconds


class _Connection(Protocol):
    def detect_dead_peer(self) -> None: ...


class EventStream(web.StreamResponse):
    """A response that streams until its source ends or the client disconnects.

    It streams in `write_eof`, after all handlers have returned. So it gets the headers of every response, and
    a shutdown does not wait for it as for a request.
    """

    def __init__(self, frames: AsyncGenerator[bytes, None], release: Callable[[], None]) -> None:
        """Create the response.

        Args:
            frames: the chunks to send; each is requested once the client has taken the previous one.
            release: called once, when the stream ends.
        """
        super().__init__(headers=HEADERS)
        self.force_close()  # no second request on this connection
        self._frames, self._release = frames, release
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers; releases the stream if the client has disconnected."""
        try:
            cast("_Connection", request.protocol).detect_dead_peer()
            self._writer = await super().prepare(request)
        except BaseException:
            self._release()
            raise
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all chunks, no faster than the client takes them."""
        assert self._writer is not None
        try:
            async for frame in self._frames:
                await self._writer.write(frame)
                await self._writer.drain()
        finally:
            try:
                await self._frames.aclose()
            finally:
                self._release()
        await super().write_eof(data)
