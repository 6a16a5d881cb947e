"""The gate: how many executions run at once, and how many of one app."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

PERMITS = Family("picloud_execution_permits", "Executions that may run at once.", "gauge")
RUNNING = Family("picloud_executions_running", "Executions that run now.", "gauge")
REFUSED = Family("picloud_executions_refused_total", "Executions refused because no permit was free.")
METRICS = (PERMITS, RUNNING, REFUSED)


class Admission:
    """Permits for executions: so many in all, and a share of them for each app.

    Nobody waits here: a full gate answers at once, and the caller decides (503, or back into the outbox).

    Attributes:
        permits: executions at once.
        share: executions of one app at once.
    """

    def __init__(self, permits: int, share: int, metrics: Metrics | None = None) -> None:
        """Make a gate.

        Args:
            permits: executions at once.
            share: of these, most for one app.
            metrics: where it counts; None for itself.
        """
        metrics = metrics or Metrics(METRICS)
        self.permits, self.share = permits, min(share, permits)
        self._running, self._refused = metrics.series(RUNNING), metrics.series(REFUSED)
        metrics.series(PERMITS).set(permits)
        self._by_app: Counter[UUID] = Counter()

    @property
    def running(self) -> int:
        """Executions now."""
        return int(self._running.value)

    @property
    def refused(self) -> int:
        """How often it was full."""
        return int(self._refused.value)

    def acquire(self, app_id: UUID) -> None:
        """Take a permit; `leave` is owed.

        Args:
            app_id: whose share it counts against.

        Raises:
            Overloaded: no permit is free, or the app has its share.
        """
        if self._running.value >= self.permits or self._by_app[app_id] >= self.share:
            self._refused.inc()
            raise Overloaded
        self._running.inc()
        self._by_app[app_id] += 1

    def release(self, app_id: UUID) -> None:
        """Give a permit back."""
        self._running.dec()
        self._by_app[app_id] -= 1
        if not self._by_app[app_id]:
            del self._by_app[app_id]
