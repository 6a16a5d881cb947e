"""Letting requests finish when the server stops."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler


class Drain:
    """Counts the requests under way.

    aiohttp's own shutdown stops reading from every connection at once, so a request whose body is
    still arriving could never finish; so the end of the requests is awaited before that begins.
    """

    def __init__(self) -> None:
        """Make it; put `middleware` outermost."""
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = False

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count a request; while draining, its connection is closed behind it."""
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
        """Wait until no request is under way.

        Args:
            seconds: most time to wait.
        """
        self._ending = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return
