"""Periodic background work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from picloud.core.errors import Unavailable

_log = logging.getLogger(__name__)


class PeriodicTask:
    """Runs work periodically; a failure is logged, and the next run follows as usual."""

    def __init__(self, what: str, every_seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Make it, idle.

        Args:
            what: said of a round that failed, as "nothing was swept".
            every_seconds: between the end of one and the next.
            work: makes one round.
        """
        self._what, self._every, self._work = what, every_seconds, work
        self._rounds: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make a round now, and then again and again."""
        self._rounds = asyncio.create_task(self._go_round())

    async def close(self) -> None:
        """Stop."""
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.wait([self._rounds])

    async def _go_round(self) -> None:
        while True:
            try:
                await self._work()
            except Unavailable:
                _log.warning("%s: the database is away", self._what)
            except Exception:
                _log.exception(self._what)
            await asyncio.sleep(self._every)
