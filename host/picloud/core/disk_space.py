"""The free space of the data folder: writes stop before the disk is full, so that deletions still work."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from picloud.core.errors import StorageFull
from picloud.core.repeated_log import RepeatedLog

_FRESH_SECONDS = 0.25

_log_full = RepeatedLog(logging.getLogger(__name__))


class DiskSpace:
    """Reports whether a folder has less free space than a reserve.

    PostgreSQL needs space for every statement, also for a DELETE, and stops if its log cannot grow. The
    reserve is kept for deletions.
    """

    def __init__(self, folder: Path | None = None, reserve: int = 0) -> None:
        """Create it.

        Args:
            folder: a folder on the disk; None for a disk that is never full.
            reserve: bytes to keep free.
        """
        self._folder, self.reserve = folder, reserve
        self._checked, self._full = -_FRESH_SECONDS, False

    def is_full(self) -> bool:
        """Return whether less than the reserve is free; at most a quarter of a second old."""
        if self._folder is None:
            return False
        now = time.monotonic()
        if now - self._checked >= _FRESH_SECONDS:
            self._checked, self._full = now, free_bytes(self._folder) < self.reserve
        return self._full

    def require(self) -> None:
        """Check that there is space for a write that adds data. Raises: StorageFull."""
        if self.is_full():
            _log_full(
                "rejected a write: the disk of the data folder has less than %d MiB", self.reserve >> 20
            )
            raise StorageFull


def free_bytes(folder: Path) -> int:
    """Return the bytes that a process without privileges can still write to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
