"""Single-flight cache fill: concurrent callers share one load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from picloud.core.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K]):
    """Loads each key once at a time. Concurrent callers wait for that load, then all continue at once.

    Behind a lock they would go on one by one, a turn of the loop each: with hundreds of requests that
    wait while others are served, the last would wait for seconds.
    """

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Future[None]] = {}

    async def get(self, key: K, known: Callable[[], V | None], read: Callable[[], Awaitable[V]]) -> V:
        """What is known, or else is read.

        Args:
            key: of the cached value.
            known: returns the cached value if valid, else None; called again after another's load.
            read: reads it, and keeps it for `known`.

        Returns:
            It.

        Raises:
            Unavailable: by this caller's read or the one it waited for; the same would happen to it.
            Exception: whatever else its own read raises.
        """
        while (value := known()) is None:
            landing = self._under_way.get(key)
            if landing is None:
                return await self._read(key, read)
            await asyncio.shield(landing)
        return value

    async def _read(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        landing = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            return await read()
        except Unavailable as error:
            landing.set_exception(error)
            landing.exception()  # there may be no waiter
            raise
        finally:
            del self._under_way[key]
            if not landing.done():
                landing.set_result(None)
