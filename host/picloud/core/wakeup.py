"""Waiting for a commit of any worker, on this node or another one.

On this node the writer rings the doorbell of every worker after its commit, which takes no round trip to the
database. Other nodes get a NOTIFY: the one listener of a node bumps the same counters. After a lost
connection the listener bumps every topic, so every waiter is woken once and no commit is missed.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from picloud.core.generations import Generations


class WakeUp:
    """The subscriptions of this worker, on one event loop."""

    def __init__(self, generations: Generations) -> None:
        """Watch the doorbell of this worker.

        Args:
            generations: the shared page of the node; this process owns its slot already.
        """
        self._generations = generations
        self._doorbell = generations.doorbell
        self._seen: dict[str, bytes] = {}
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._doorbell.fileno(), self._rung)

    def close(self) -> None:
        """Stop watching; waiters are not woken any more."""
        self._loop.remove_reader(self._doorbell.fileno())

    def subscribe(self, topic: str) -> Subscription:
        """Subscribe to all commits of a topic from now on.

        Args:
            topic: one of `generations.TOPICS`.

        Returns:
            The subscription; the caller must close it, or use it as a context manager.
        """
        if not self._subscriptions.get(topic):
            self._seen[topic] = self._generations.current(topic)
        return Subscription(self._subscriptions.setdefault(topic, set()))

    def _rung(self) -> None:
        self._doorbell.silence()
        for topic, subscriptions in self._subscriptions.items():
            current = self._generations.current(topic)
            if current != self._seen[topic]:
                self._seen[topic] = current
                for subscription in subscriptions:
                    subscription.wake()


class Subscription:
    """Stores a wake-up until the next wait.

    Subscribe, then look for work, then wait: a commit during the search ends the next wait immediately.
    Several commits can be one wake-up.
    """

    def __init__(self, among: set[Subscription]) -> None:
        """Use `WakeUp.subscribe`."""
        self._among = among
        self._woken = asyncio.Event()
        among.add(self)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for a wake-up since the last wait.

        Args:
            seconds: maximum time to wait; None for no limit.

        Returns:
            Whether there was one.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """End this wait, or the next."""
        self._woken.set()

    def close(self) -> None:
        """Unsubscribe."""
        self._among.discard(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
