"""Admission: limits concurrent executions in total, per app and per class."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NoReturn, TypeAlias, get_args
from uuid import UUID

from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

PermitClass: TypeAlias = Literal["http", "event"]
"""Executions for which a client waits, and executions of events."""

_CLASSES = {"class": get_args(PermitClass)}

PERMITS = Family("picloud_execution_permits", "Maximum of concurrent executions.", "gauge")
RUNNING = Family("picloud_executions_running", "Running executions.", "gauge", _CLASSES)
DENIED = Family(
    "picloud_executions_refused_total", "Executions denied because no permit was free.", labels=_CLASSES
)
METRICS = (PERMITS, RUNNING, DENIED)

RESERVE_SECONDS = 1.0
"""How long permits are reserved for a class after one of its share was denied."""

_NO_SHARES: Mapping[PermitClass, int] = MappingProxyType({})


class Admission:
    """Permits for executions: a total, a share of it for each app, and a share for each class.

    A class with a share never exceeds it. The class without a share ("http") can use all free permits. If
    another class cannot use its share, permits that become free are reserved for it for `RESERVE_SECONDS`. An
    app can hold the same fraction of a class as of the total.

    Callers do not wait. A denied caller decides what to do (503, or back into the outbox).

    Attributes:
        permits: maximum of concurrent executions.
        share: maximum of one app.
        running: running executions.
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
            permits: maximum of concurrent executions.
            share: maximum of one app.
            shares: maximum of each class. A class without a share can use all permits.
            metrics: metrics of the worker; None for its own.
            clock: a monotonic clock in seconds.
        """
        metrics = metrics or Metrics(METRICS)
        self.permits, self.share = permits, min(share, permits)
        self.running = 0
        self._by_app: dict[UUID, int] = {}
        self._lanes = {
            name: _Lane(limit, max(1, limit * self.share // permits)) for name, limit in shares.items()
        }
        self._running, self._denied = metrics.by_value(RUNNING), metrics.by_value(DENIED)
        metrics.series(PERMITS).set(permits)
        self._clock = clock
        self._reserved_until = 0.0  # 0: no lane was denied a permit recently

    @property
    def denied(self) -> int:
        """How often this worker denied a permit."""
        return int(sum(denied.value for denied in self._denied.values()))

    def acquire(self, app_id: UUID, permit: PermitClass = "http") -> None:
        """Take a permit; the caller must call `release`.

        Args:
            app_id: the app of the execution.
            permit: the class of the execution.

        Raises:
            Overloaded: no permit is free, or the app or the class has used its share.
        """
        lane = self._lanes.get(permit)
        of_app = self._by_app.get(app_id, 0)
        if of_app >= self.share or (lane is not None and lane.is_full(app_id)):
            self._deny(permit)
        if self.running >= self.permits:
            if lane is not None:
                lane.reserved_until = self._reserved_until = self._clock() + RESERVE_SECONDS
            self._deny(permit)
        if self._reserved_until and self.running + self._reserved(lane) >= self.permits:
            self._deny(permit)
        self.running += 1
        self._running[permit].inc()
        self._by_app[app_id] = of_app + 1
        if lane is not None:
            lane.running += 1
            lane.by_app[app_id] = lane.by_app.get(app_id, 0) + 1

    def release(self, app_id: UUID, permit: PermitClass = "http") -> None:
        """Return a permit. Args: see `acquire`."""
        self.running -= 1
        self._running[permit].dec()
        _subtract(self._by_app, app_id)
        lane = self._lanes.get(permit)
        if lane is not None:
            lane.running -= 1
            _subtract(lane.by_app, app_id)

    def running_of(self, permit: PermitClass) -> int:
        """Return the number of running executions of a class."""
        lane = self._lanes.get(permit)
        if lane is not None:
            return lane.running
        return self.running - sum(lane.running for lane in self._lanes.values())

    def _reserved(self, own: _Lane | None) -> int:
        """Return the number of permits reserved for other lanes."""
        now = self._clock()
        if now >= self._reserved_until:
            self._reserved_until = 0.0
            return 0
        return sum(
            lane.limit - lane.running
            for lane in self._lanes.values()
            if lane is not own and now < lane.reserved_until
        )

    def _deny(self, permit: PermitClass) -> NoReturn:
        self._denied[permit].inc()
        raise Overloaded


class _Lane:
    """The permits of a class that has a share."""

    __slots__ = ("app_limit", "by_app", "limit", "reserved_until", "running")

    def __init__(self, limit: int, app_limit: int) -> None:
        self.limit, self.app_limit = limit, app_limit
        self.running = 0
        self.by_app: dict[UUID, int] = {}
        self.reserved_until = 0.0

    def is_full(self, app_id: UUID) -> bool:
        return self.running >= self.limit or self.by_app.get(app_id, 0) >= self.app_limit


def _subtract(counts: dict[UUID, int], app_id: UUID) -> None:
    left = counts[app_id] - 1
    if left:
        counts[app_id] = left
    else:
        del counts[app_id]
