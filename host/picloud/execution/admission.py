"""The gate: how many executions run at once, and how many of one app."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from picloud.core.errors import Overloaded


class Admission:
    """Permits for executions: so many in all, and a share of them for each app.

    Nobody waits here: a full gate answers at once, and the caller decides (503, or back into the outbox).

    Attributes:
        permits: executions at once.
        share: executions of one app at once.
        running: executions now.
        refused: how often it was full.
    """

    def __init__(self, permits: int, share: int) -> None:
        """Make a gate.

        Args:
            permits: executions at once.
            share: of these, most for one app.
        """
        self.permits, self.share = permits, min(share, permits)
        self.running = self.refused = 0
        self._by_app: Counter[UUID] = Counter()

    def acquire(self, app_id: UUID) -> None:
        """Take a permit; `leave` is owed.

        Args:
            app_id: whose share it counts against.

        Raises:
            Overloaded: no permit is free, or the app has its share.
        """
        if self.running >= self.permits or self._by_app[app_id] >= self.share:
            self.refused += 1
            raise Overloaded
        self.running += 1
        self._by_app[app_id] += 1

    def release(self, app_id: UUID) -> None:
        """Give a permit back."""
        self.running -= 1
        self._by_app[app_id] -= 1
        if not self._by_app[app_id]:
            del self._by_app[app_id]
