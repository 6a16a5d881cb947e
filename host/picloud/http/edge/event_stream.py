"""Server-sent events: the response, and how an event is written (WHATWG HTML, "Server-sent events").

Data is always JSON. So it is one line, and any text survives: JSON escapes every line break and every NUL.
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
"""A comment: clients ignore it, proxies and sockets see that the stream is alive."""

HEADERS: Mapping[str, str] = {
    **SECURITY_HEADERS,
    "Content-Type": CONTENT_TYPE,
    "X-Accel-Buffering": "no",  # nginx passes on each event at once
}

T = TypeVar("T")

_ONE_LINE = re.compile(r"[^\0\r\n]*")


@dataclass(frozen=True, slots=True)
class StreamEvent(Generic[T]):
    """One event.

    Attributes:
        id: the client sends the last one as `Last-Event-ID` when it connects again; None for no change.
        data: what happened, as `json_bytes` writes it; None for an event that only moves the id.
        type: what kind of event it is; "" for "message".
    """

    id: str | None
    data: T | None
    type: str = ""


def write_event(event: StreamEvent[T]) -> bytes:
    """Write an event.

    Args:
        event: the event.

    Returns:
        The bytes, with the blank line that ends it.

    Raises:
        ValueError: the id or the type has a line break or a NUL.
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
    """Tell the client how long to wait before it connects again. Args: milliseconds: how long."""
    return b"retry: %d\n\n" % milliseconds


class _Connection(Protocol):
    def notice_dead_peer(self) -> None: ...


class EventStream(web.StreamResponse):
    """A response that goes on until its source ends, or the client is gone.

    It streams when it is written, behind all handlers, as every response: so it has the headers that all
    have, and a stop of the server does not wait for it as for a request.
    """

    def __init__(self, frames: AsyncGenerator[bytes, None], release: Callable[[], None]) -> None:
        """Make it.

        Args:
            frames: what is sent; each is taken when the client has taken the one before.
            release: called once, at the end.
        """
        super().__init__(headers=HEADERS)
        self.force_close()  # what comes behind a stream is a new connection
        self._frames, self._release = frames, release
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin; where the client is gone by now, this is the end."""
        try:
            cast("_Connection", request.protocol).notice_dead_peer()
            self._writer = await super().prepare(request)
        except BaseException:
            self._release()
            raise
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send everything, no faster than the client takes it."""
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
