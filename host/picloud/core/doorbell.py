"""A doorbell: one process wakes the event loop of another.

An eventfd on Linux, a pipe elsewhere. It is created before a fork and carries no message: several rings
before `silence` are one, so a ring never blocks and costs one system call.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref


class Doorbell:
    """Wakes the watchers of its descriptor. Garbage collection closes its descriptors."""

    def __init__(self) -> None:
        """Open it, silent."""
        if sys.platform == "linux":
            self._reading = self._writing = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._reading, self._writing = os.pipe()
            os.set_blocking(self._reading, False)
            os.set_blocking(self._writing, False)
        for descriptor in {self._reading, self._writing}:
            weakref.finalize(self, os.close, descriptor)

    def fileno(self) -> int:
        """The descriptor to watch: readable after a ring, until `silence`."""
        return self._reading

    def ring(self) -> None:
        """Wake the process that watches it. Any process with the descriptor can ring."""
        with contextlib.suppress(BlockingIOError):  # it already rings
            os.write(self._writing, _ONE)

    def silence(self) -> None:
        """Stop the ringing. Look for changes after this, not before: a ring in between rings again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reading, 4096)


_ONE = (1).to_bytes(8, sys.byteorder)  # what an eventfd adds to its count
