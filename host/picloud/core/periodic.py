"""Periodic background work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from picloud.core.errors import Unavailable

_log = logging.getLogger(__name__)


class PeriodicTask:
    """Runs work periodically; a failure is logged, and the next run follows as usual."""

    def __init__(self, name: str, run: Callable[[], Awaitable[float]], retry_seconds: float) -> None:
        """Create a `PeriodicTask`.

        Args:
            name: name in the log.
            run: runs once and returns the seconds until the next run.
            retry_seconds: pause after a failed run.
        """
        self._name, self._run, self._retry_seconds = name, run, retry_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run now, and then again and again."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    async def close(self) -> None:
        """Stop, and cancel a current run."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _repeat(self) -> None:
        while True:
            seconds = self._retry_seconds
            try:
                seconds = await self._run()
            except Unavailable:
                _log.warning("%s failed: the database is not available", self._name)
            except Exception:
                _log.exception("%s failed", self._name)
            await asyncio.sleep(seconds)
