"""How fast the execution log of an app may grow, per worker.

The job that deletes the oldest executions runs every few seconds, and PostgreSQL uses their space again
after its next vacuum. A flood of large records would need more space than the quota until then. So each app
has an allowance for what makes records large: bodies, headers and log lines. Beyond it, records have only
figures.
"""

from __future__ import annotations

import time
from uuid import UUID

from cachetools import LRUCache

FREE_BYTES = 2048
"""Bytes of each record that need no allowance: an ordinary record without bodies."""
SHARE_PER_MINUTE = 0.25
"""Share of the quota that one worker can write in a minute."""
LEAST_PER_MINUTE = 4 * 1024 * 1024
_MAX_APPS = 10_000


class LogRate:
    """The allowances of apps; an empty one is full again after a minute."""

    def __init__(self, quota: int | None = None) -> None:
        """Create the allowances. Args: quota: maximum bytes of an app's log; None for no limit."""
        self._most = None if quota is None else max(LEAST_PER_MINUTE, quota * SHARE_PER_MINUTE)
        self._left: LRUCache[UUID, tuple[float, float]] = LRUCache(_MAX_APPS)  # bytes, at a time

    def has_room(self, app_id: UUID) -> bool:
        """Return whether the next record of an app may be large."""
        return not self._left or self._of(app_id) > 0

    def spend(self, app_id: UUID, size: int) -> None:
        """Count a record of an app. Args: size: its bytes."""
        if size > FREE_BYTES and self._most is not None:
            self._left[app_id] = self._of(app_id) - (size - FREE_BYTES), time.monotonic()

    def _of(self, app_id: UUID) -> float:
        assert self._most is not None
        left, at = self._left.get(app_id, (self._most, 0.0))
        return min(self._most, left + (time.monotonic() - at) * self._most / 60)
