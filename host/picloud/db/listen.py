"""Notifications from PostgreSQL, on one connection that reconnects by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeAlias

from picloud.core.errors import Unavailable
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import BROKEN, connect
from picloud.db.unusable import DatabaseUnusable

logger = logging.getLogger(__name__)

Callback: TypeAlias = Callable[[str | None], None]


class Listener:
    """Listens on the subscribed channels and calls back in the event loop.

    A callback gets the payload of a notification, or None after every connect: notifications before LISTEN
    are lost, so everything must be read again.
    """

    def __init__(self, parameters: ConnectionParameters, *, probe_seconds: float = 30.0) -> None:
        """Create a listener; call `subscribe`, then `start`.

        Args:
            parameters: the database.
            probe_seconds: interval of checks of a silent connection.
        """
        self._parameters = parameters
        self._probe_seconds = probe_seconds
        self._callbacks: dict[str, list[Callback]] = {}
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Call `callback` for notifications on `channel`, an identifier. Before `start` only."""
        if self._task is not None:
            raise RuntimeError("subscribe before start: a running listener cannot add channels")
        self._callbacks.setdefault(channel, []).append(callback)

    def start(self) -> None:
        """Start the task that connects and stays connected."""
        self._task = asyncio.create_task(self._run(), name="listen")

    async def close(self) -> None:
        """End the task and the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                await self._listen()
                delay = 0.1
            except (Unavailable, DatabaseUnusable, *BROKEN) as error:
                logger.warning("cannot listen to the database: %s; retrying in %.1f s", error, delay)
                delay = min(5.0, 2 * delay)
            await asyncio.sleep(delay)

    async def _listen(self) -> None:
        """Listen on one connection until it is lost."""
        connection = await connect(self._parameters)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._heard)
            self.connected.set()
            for channel in self._callbacks:
                self._tell(channel, None)
            while not lost.is_set():
                try:
                    await asyncio.wait_for(lost.wait(), self._probe_seconds)
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=self._probe_seconds)
        finally:
            self.connected.clear()
            connection.terminate()

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._tell(channel, str(payload))

    def _tell(self, channel: str, payload: str | None) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(payload)
            except Exception:
                logger.exception("a callback of channel %s failed", channel)
