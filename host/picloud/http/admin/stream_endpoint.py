"""Declares an endpoint that streams events until the client disconnects.

authenticate -> find the app -> authorise -> read -> handler, as for every endpoint. While it streams, the
caller is authenticated and authorised before each event and every second.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from picloud.core.errors import NotReady, PicloudError
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint
from picloud.http.caller import request_token
from picloud.http.edge.event_stream import (
    HEADERS,
    HEARTBEAT,
    EventStream,
    StreamEvent,
    write_event,
    write_retry,
)
from picloud.http.edge.middleware import REQUEST_ID
from picloud.http.open_streams import STREAMS, OpenStreams
from picloud.identity.capabilities import authorise
from picloud.identity.principal import Principal

CHECK_SECONDS = 1.0
"""How often an idle stream checks that its caller still has access."""
RETRY_MILLISECONDS = (500, 1500)
"""Range of the clients' delay before they reconnect; random, so that they do not all reconnect at once."""

_log = logging.getLogger(__name__)

Source = AsyncGenerator[StreamEvent[Any], None]
Check = Callable[[], Awaitable[Principal]]
Seen = Callable[[StreamEvent[Any]], Awaitable[StreamEvent[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEndpoint(Endpoint):
    """A path that streams. `handle` returns an async generator of `StreamEvent`, which is closed at the end.

    An event without data is not sent on its own: its id is sent with the next heartbeat.

    Attributes:
        visible: returns the data of an event as a principal may see it.
    """

    visible: Callable[[Any, Principal], Any]

    async def respond(
        self, platform: Platform, request: web.Request, call: AdminCall[Any, Any], result: Any
    ) -> web.StreamResponse:
        """Return a response that streams the events in `result`.

        Raises:
            NotReady, Overloaded, TooManyStreams: see `OpenStreams.open`.
        """
        if call.head:
            return web.Response(headers=HEADERS)
        streams = request.app[STREAMS]
        sent = request_token(request)

        async def check() -> Principal:
            caller = await platform.principals.of_token(sent.token) if sent is not None else None
            return authorise(caller, self.access, call.app_id)

        async def seen(event: StreamEvent[Any]) -> StreamEvent[Any]:
            # The role can change while it streams.
            return replace(event, data=self.visible(event.data, await check()))

        release = streams.open(call.app_id)
        return EventStream(_frames(result, streams, check, seen, request[REQUEST_ID]), release)


async def _frames(
    source: Source, streams: OpenStreams, check: Check, seen: Seen, request_id: str
) -> AsyncGenerator[bytes, None]:
    """Yield the serialized stream: events, heartbeats, and finally the reason why it ended."""
    yield write_retry(random.randint(*RETRY_MILLISECONDS))  # noqa: S311  # not a secret
    try:
        async with aclosing(_events(source, streams, check, seen)) as frames:
            async for frame in frames:
                yield frame
        return
    except PicloudError as error:
        last: PicloudError = error
    except Exception:
        _log.exception("a stream failed", extra={"request_id": request_id})
        last = PicloudError()
    yield write_event(StreamEvent(None, {"code": last.code, "message": last.message}, "closing"))


async def _events(
    source: Source, streams: OpenStreams, check: Check, seen: Seen
) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    closing = asyncio.create_task(streams.closing.wait())
    coming = asyncio.create_task(_next(source))
    has_begun, position = False, None
    beat_at = loop.time() + streams.rules.heartbeat_seconds
    try:
        while True:
            seconds = min(CHECK_SECONDS, max(0.0, beat_at - loop.time()))
            await asyncio.wait({coming, closing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                raise NotReady("the server is stopping; connect again")
            await check()  # also right before each event
            frame = b""
            if coming.done():
                event = coming.result()
                if event is None:
                    return
                position = event.id or position
                if event.data is not None:
                    frame = write_event(await seen(event))
                elif not has_begun:
                    beat_at = loop.time()  # send the position at once
                coming = asyncio.create_task(_next(source))
            if not frame and loop.time() >= beat_at:
                frame = HEARTBEAT if position is None else write_event(StreamEvent(position, None))
            if frame:
                yield frame
                has_begun, position = True, None
                beat_at = loop.time() + streams.rules.heartbeat_seconds
    finally:
        closing.cancel()
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await source.aclose()


async def _next(source: Source) -> StreamEvent[Any] | None:
    return await anext(source, None)
