"""Lets running requests finish when the server stops."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler


class Drain:
    """Counts running requests and waits for them; install `middleware` outermost.

    aiohttp's shutdown stops reading from all connections, so a request whose body is still arriving could
    never finish. So call `wait` before that shutdown.
    """

    def __init__(self) -> None:
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = False

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count a request; while draining, close its connection after the response."""
        self._running += 1
        self._idle.clear()
        try:
            response = await handler(request)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        if self._ending:
            response.force_close()
        return response

    async def wait(self, seconds: float) -> None:
        """Wait until no request is running, for at most `seconds`."""
        self._ending = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return
