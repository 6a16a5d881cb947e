"""Single-flight cache fill: concurrent callers share one load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from picloud.core.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K]):
    """Loads each key once at a time. Concurrent callers wait for that load, then all continue together.

    With a lock they would continue one by one, each in its own loop iteration: with hundreds of waiting
    requests, the last would wait for seconds.
    """

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Future[None]] = {}

    async def get(self, key: K, known: Callable[[], V | None], read: Callable[[], Awaitable[V]]) -> V:
        """Return the cached value, or read it.

        Args:
            key: of the cached value.
            known: returns the cached value if valid, else None; called again after another's load.
            read: reads the value, and stores it for `known`.

        Returns:
            The value.

        Raises:
            Unavailable: the read of this caller failed, or the one it waited for.
            Exception: any other error of its own read.
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
