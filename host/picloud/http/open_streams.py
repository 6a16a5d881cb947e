"""Counts and limits the open event streams of one worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from picloud.core.errors import NotReady, Overloaded, TooManyStreams
from picloud.core.metrics import Family, Metrics

OPEN = Family("picloud_streams", "Open event streams.", "gauge")
REJECTED = Family(
    "picloud_streams_refused_total",
    "Event streams rejected because the worker or the app was at its limit.",
    labels={"reason": ("all", "app")},
)
METRICS = (OPEN, REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRules:
    """Limits of event streams.

    Attributes:
        streams: maximum per worker.
        streams_per_app: maximum per app and worker.
        heartbeat_seconds: maximum time in which a stream sends nothing.
    """

    streams: int = 512
    streams_per_app: int = 64
    heartbeat_seconds: float = 15.0


class OpenStreams:
    """Counts the streams of a worker.

    Attributes:
        rules: the limits.
        closing: set when all streams must end.
    """

    def __init__(self, rules: StreamRules, metrics: Metrics | None = None) -> None:
        """Create it; without `metrics` it has private counters."""
        metrics = metrics or Metrics(METRICS)
        self._open, self._rejected = metrics.series(OPEN), metrics.by_value(REJECTED)
        self.rules = rules
        self.closing = asyncio.Event()
        self._by_app: Counter[UUID] = Counter()

    def __len__(self) -> int:
        return self._by_app.total()

    def open(self, app_id: UUID) -> Callable[[], None]:
        """Add a stream of an app.

        Returns:
            A function that removes it; further calls do nothing.

        Raises:
            NotReady: the server is stopping.
            Overloaded: the worker is at its limit.
            TooManyStreams: the app is at its limit.
        """
        if self.closing.is_set():
            raise NotReady("the server is stopping; connect again")
        if self._by_app[app_id] >= self.rules.streams_per_app:
            self._rejected["app"].inc()
            raise TooManyStreams(limit=self.rules.streams_per_app)
        if len(self) >= self.rules.streams:
            self._rejected["all"].inc()
            raise Overloaded("all event streams of this worker are in use; try again in a second")
        self._by_app[app_id] += 1
        self._open.inc()
        is_open = True

        def end() -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                self._open.dec()
                self._by_app[app_id] -= 1
                if not self._by_app[app_id]:
                    del self._by_app[app_id]

        return end

    def close(self) -> None:
        """End all streams and reject new ones."""
        self.closing.set()


STREAMS = web.AppKey("streams", OpenStreams)
