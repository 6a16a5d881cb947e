"""One PiCloud per data folder."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from picloud.db.unusable import DatabaseUnusable


class FolderLock:
    """An exclusive lock on a file, released when this process ends.

    The kernel releases a `flock` when the last copy of the descriptor is closed, and a forked worker has a
    copy. It closes its copy at the fork, so that a worker that outlives a killed parent cannot block the
    next start.
    """

    def __init__(self, path: Path) -> None:
        """Args: path: the lock file; created if missing, and not deleted."""
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquire the lock, or report its holder.

        Raises:
            DatabaseUnusable: another process holds it, or the file cannot be opened.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"cannot open {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DatabaseUnusable(
                f"another PiCloud (process {holder or 'unknown'}) already uses the data folder "
                f"{self._path.parent}; stop it, or use another folder with --data-dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        forget = weakref.WeakMethod(self.release)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
