"""The event streams of one worker: how many there are, and their end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from picloud.core.errors import NotReady, Overloaded, TooManyStreams
from picloud.core.metrics import Family, Metrics

OPEN = Family("picloud_streams", "Event streams that are open.", "gauge")
REFUSED = Family(
    "picloud_streams_refused_total",
    "Event streams refused because a worker, or their app, had as many as it may.",
    labels={"reason": ("all", "app")},
)
METRICS = (OPEN, REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRules:
    """Limits of event streams.

    Attributes:
        streams: how many a worker serves at once.
        streams_per_app: how many of these one app has.
        heartbeat_seconds: at least this often a stream sends something.
    """

    streams: int = 512
    streams_per_app: int = 64
    heartbeat_seconds: float = 15.0


class OpenStreams:
    """Counts the streams of a worker.

    Attributes:
        rules: their limits.
        closing: set when they are to end.
    """

    def __init__(self, rules: StreamRules, metrics: Metrics | None = None) -> None:
        """Make it.

        Args:
            rules: limits of streams.
            metrics: where it counts; None for itself.
        """
        metrics = metrics or Metrics(METRICS)
        self._open, self._refused = metrics.series(OPEN), metrics.by_value(REFUSED)
        self.rules = rules
        self.closing = asyncio.Event()
        self._by_app: Counter[UUID] = Counter()

    def __len__(self) -> int:
        return self._by_app.total()

    def open(self, app_id: UUID) -> Callable[[], None]:
        """Count a stream.

        Args:
            app_id: whose stream it is.

        Returns:
            The end of it; further calls do nothing.

        Raises:
            NotReady: the server is stopping.
            Overloaded: the worker has no more.
            TooManyStreams: the app has no more.
        """
        if self.closing.is_set():
            raise NotReady("the server is stopping; connect again")
        if self._by_app[app_id] >= self.rules.streams_per_app:
            self._refused["app"].inc()
            raise TooManyStreams(limit=self.rules.streams_per_app)
        if len(self) >= self.rules.streams:
            self._refused["all"].inc()
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
        """End all streams now, and open none any more."""
        self.closing.set()


STREAMS = web.AppKey("streams", OpenStreams)
