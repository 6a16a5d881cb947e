"""A file that holds disk space for PostgreSQL, and is given up when other programs fill the disk."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

from picloud.core.disk_space import free_bytes

_CHECK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class DiskReserve:
    """Keeps a quarter of the reserve in a file, so that there is space for deletions on a full disk.

    Writes of PiCloud stop when less than the reserve is free (`core/disk_space.py`). Other programs go on.
    """

    def __init__(self, folder: Path, reserve: int) -> None:
        """Create it.

        Args:
            folder: the data folder.
            reserve: bytes to keep free.
        """
        self._folder, self._file = folder, folder / "reserve"
        self._reserve, self._size = reserve, reserve // 4
        self._next, self._full = 0.0, False

    def poll(self) -> None:
        """Check the disk, once a second at most: give the file up, create it again, log the state."""
        now = time.monotonic()
        if now < self._next or not self._reserve:
            return
        self._next = now + _CHECK_SECONDS
        with contextlib.suppress(OSError):
            free = free_bytes(self._folder)
            exists = self._file.exists()
            if exists and free < self._size:
                self._file.unlink()
                _log.error("the disk of the data folder is almost full; gave up the reserve")
            elif not exists and free > self._reserve + 2 * self._size:
                self._create()
            self._report(free < self._reserve)

    def _create(self) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        finally:
            os.close(descriptor)

    def _report(self, full: bool) -> None:
        if full and not self._full:
            _log.error(
                "the disk of the data folder has less than %d MiB: only deletions work until there is more",
                self._reserve >> 20,
            )
        elif self._full and not full:
            _log.warning("there is space on the disk of the data folder again")
        self._full = full
