"""Fire-and-forget work: small writes such as the last use of a key, or a failed log-in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable

from picloud.core.errors import Unavailable
from picloud.core.repeated_log import RepeatedLog

_log = logging.getLogger(__name__)
_log_unavailable = RepeatedLog(_log)


class Background:
    """Runs coroutines in the background. Failures are logged and not raised."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[None]] = {}

    def spawn(self, what: Hashable, work: Callable[[], Awaitable[object]]) -> None:
        """Start something, unless the same is under way.

        Args:
            what: its name, for the log when it fails.
            work: does it.
        """
        if what in self._running:
            return
        task = asyncio.create_task(self._finish(what, work))
        self._running[what] = task

    async def drain(self) -> None:
        """Wait until all that was started is done."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def _finish(self, what: Hashable, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Unavailable:
            _log_unavailable("%s could not be written: the database is not available", what)
        except Exception:
            _log.exception("%s could not be written", what)
        finally:
            del self._running[what]
