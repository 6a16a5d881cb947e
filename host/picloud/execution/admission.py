"""Admission: how many executions run at once, how many of one app, and how many of one class."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NoReturn, TypeAlias, get_args
from uuid import UUID

from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

PermitClass: TypeAlias = Literal["http", "event"]
"""Executions that a client waits for, and those that events cause."""

_CLASSES = {"class": get_args(PermitClass)}

PERMITS = Family("picloud_execution_permits", "Executions that may run at once.", "gauge")
RUNNING = Family("picloud_executions_running", "Executions that run now.", "gauge", _CLASSES)
REFUSED = Family(
    "picloud_executions_refused_total", "Executions refused because no permit was free.", labels=_CLASSES
)
METRICS = (PERMITS, RUNNING, REFUSED)

KEEP_SECONDS = 1.0
"""How long permits are kept for a class after it was denied one of its share."""

_NO_SHARES: Mapping[PermitClass, int] = MappingProxyType({})


class Admission:
    """Permits for executions: a total, a share of it for each app, and a share for each class.

    A class with a share never gets more than that. The class without one ("http") can use all permits that
    are free; when that leaves another class without one of its share, permits that become free are kept for
    that class for `KEEP_SECONDS`. Of a class an app can hold the same part as of the total.

    No caller waits here: a denied caller decides (503, or back into the outbox).

    Attributes:
        permits: executions at once.
        share: executions of one app at once.
        running: executions now.
    """

    def __init__(
        self,
        permits: int,
        share: int,
        shares: Mapping[PermitClass, int] = _NO_SHARES,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an `Admission`.

        Args:
            permits: executions at once.
            share: of these, at most so many for one app.
            shares: of these, at most so many for a class. A class without a share can use all of them.
            metrics: of the worker; None for its own.
            clock: in seconds, from any start.
        """
        metrics = metrics or Metrics(METRICS)
        self.permits, self.share = permits, min(share, permits)
        self.running = 0
        self._by_app: dict[UUID, int] = {}
        self._lanes = {
            name: _Lane(most, max(1, most * self.share // permits)) for name, most in shares.items()
        }
        self._running, self._refused = metrics.by_value(RUNNING), metrics.by_value(REFUSED)
        metrics.series(PERMITS).set(permits)
        self._clock = clock
        self._keeps_until = 0.0  # 0: no lane was denied a permit lately

    @property
    def refused(self) -> int:
        """How often this worker denied a permit."""
        return int(sum(refused.value for refused in self._refused.values()))

    def acquire(self, app_id: UUID, permit: PermitClass = "http") -> None:
        """Take a permit; the caller must call `release`.

        Args:
            app_id: whose share it counts against.
            permit: the class it counts against.

        Raises:
            Overloaded: no permit is free, or the app or the class has its share.
        """
        lane = self._lanes.get(permit)
        of_app = self._by_app.get(app_id, 0)
        if of_app >= self.share or (lane is not None and lane.is_full(app_id)):
            self._deny(permit)
        if self.running >= self.permits:
            if lane is not None:
                lane.keeps_until = self._keeps_until = self._clock() + KEEP_SECONDS
            self._deny(permit)
        if self._keeps_until and self.running + self._kept(lane) >= self.permits:
            self._deny(permit)
        self.running += 1
        self._running[permit].inc()
        self._by_app[app_id] = of_app + 1
        if lane is not None:
            lane.running += 1
            lane.by_app[app_id] = lane.by_app.get(app_id, 0) + 1

    def release(self, app_id: UUID, permit: PermitClass = "http") -> None:
        """Give a permit back. Args: as for `acquire`."""
        self.running -= 1
        self._running[permit].dec()
        _subtract(self._by_app, app_id)
        lane = self._lanes.get(permit)
        if lane is not None:
            lane.running -= 1
            _subtract(lane.by_app, app_id)

    def running_of(self, permit: PermitClass) -> int:
        """How many executions of a class run now."""
        lane = self._lanes.get(permit)
        if lane is not None:
            return lane.running
        return self.running - sum(lane.running for lane in self._lanes.values())

    def _kept(self, own: _Lane | None) -> int:
        """How many permits are kept for other lanes than the caller's own."""
        now = self._clock()
        if now >= self._keeps_until:
            self._keeps_until = 0.0
            return 0
        return sum(
            lane.most - lane.running
            for lane in self._lanes.values()
            if lane is not own and now < lane.keeps_until
        )

    def _deny(self, permit: PermitClass) -> NoReturn:
        self._refused[permit].inc()
        raise Overloaded


class _Lane:
    """The permits of a class that has a share."""

    __slots__ = ("by_app", "keeps_until", "most", "most_of_app", "running")

    def __init__(self, most: int, most_of_app: int) -> None:
        self.most, self.most_of_app = most, most_of_app
        self.running = 0
        self.by_app: dict[UUID, int] = {}
        self.keeps_until = 0.0

    def is_full(self, app_id: UUID) -> bool:
        return self.running >= self.most or self.by_app.get(app_id, 0) >= self.most_of_app


def _subtract(counts: dict[UUID, int], app_id: UUID) -> None:
    left = counts[app_id] - 1
    if left:
        counts[app_id] = left
    else:
        del counts[app_id]
