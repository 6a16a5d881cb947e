"""Turns: how much of one app's is done at once, and done to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

T = TypeVar("T")


class Turns:
    """So many at once of each app, in one worker."""

    def __init__(self, at_once: int) -> None:
        """Make it. Args: at_once: of one app."""
        self._at_once = at_once
        self._apps: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        self._working: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def turn(self, app_id: UUID) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        async with self._of(app_id):
            yield

    async def finish(self, app_id: UUID, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something to its end in a turn, whether or not the caller waits for that.

        Args:
            app_id: whose turn.
            work: what; a caller that is cancelled before the turn comes leaves it undone.

        Returns:
            What it returns.
        """
        turns = self._of(app_id)
        await turns.acquire()
        task = asyncio.create_task(work())

        def done(_: object) -> None:
            turns.release()
            self._working.discard(task)

        self._working.add(task)
        task.add_done_callback(done)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait until all that was begun is done."""
        while self._working:
            await asyncio.wait(self._working)

    def _of(self, app_id: UUID) -> asyncio.Semaphore:
        return self._apps.setdefault(app_id, asyncio.Semaphore(self._at_once))
