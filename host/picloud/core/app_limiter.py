"""Limits concurrent work per app, and runs started work to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

T = TypeVar("T")


class AppLimiter:
    """Limits concurrent work of each app, and of all apps, in one worker.

    A waiter for a shared slot already has a slot of its app. So a busy app has no more waiters for
    shared slots than any other app, and all proceed in turn.
    """

    def __init__(self, at_once: int, of_all: int | None = None) -> None:
        """Args: at_once: limit per app. of_all: limit of all apps together; None for no limit."""
        self._at_once = at_once
        self._all = None if of_all is None else asyncio.Semaphore(of_all)
        self._apps: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        self._working: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def slot(self, app_id: UUID) -> AsyncIterator[None]:
        """Wait for a slot; it is released at the end of the context."""
        end = await self.acquire(app_id)
        try:
            yield
        finally:
            end()

    async def acquire(self, app_id: UUID) -> Callable[[], None]:
        """Wait for a slot; `slot` for a caller that runs so often that a context manager costs too much.

        Returns:
            Releases the slot. The caller must call it, also on error.
        """
        app = self._apps.setdefault(app_id, asyncio.Semaphore(self._at_once))
        await app.acquire()
        if self._all is not None:
            try:
                await self._all.acquire()
            except BaseException:
                app.release()
                raise

        def end() -> None:
            if self._all is not None:
                self._all.release()
            app.release()

        return end

    async def run_to_completion(self, app_id: UUID, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something to its end in a turn, whether or not the caller waits for that.

        Args:
            app_id: whose turn.
            work: what; a caller that is cancelled before the turn comes leaves it undone.

        Returns:
            What it returns.
        """
        end = await self.acquire(app_id)
        task = asyncio.create_task(work())

        def done(_: object) -> None:
            end()
            self._working.discard(task)

        self._working.add(task)
        task.add_done_callback(done)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait until all that was begun is done."""
        while self._working:
            await asyncio.wait(self._working)
