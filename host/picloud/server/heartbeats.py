"""Heartbeats: workers show on a page of shared memory that their event loops run.

A worker that was stopped by a signal, or whose event loop is stuck, misses its beats. A worker that only
waits for a core does not: the time it was ready to run is not counted (Linux).
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import Final

BEAT_SECONDS: Final = 0.5
"""How often a worker beats."""
HUNG_SECONDS: Final = 3.5
"""A worker without a beat for this long is hung. The parent looks once a second."""

_WORD = 8  # bytes of a double: an aligned 64-bit store is one instruction, never seen half-done


class Heartbeats:
    """The last beat of each worker. The parent creates it before it forks the workers."""

    def __init__(self, workers: int) -> None:
        """Create the page. Args: workers: number of slots."""
        self._beats = memoryview(mmap.mmap(-1, workers * _WORD)).cast("d")
        self._seen = [0.0] * workers
        self._delayed = [0.0] * workers  # the worker's delay at its last beat

    def beat(self, slot: int) -> None:
        """Record a beat, in the worker."""
        self._beats[slot] = time.monotonic()

    def clear(self, slot: int) -> None:
        """Forget a worker that has ended; its successor is watched from its first beat."""
        self._beats[slot] = 0.0

    def forgive(self) -> None:
        """Count every silence from now on, after the machine or this process was suspended."""
        now = time.monotonic()
        for slot, beat in enumerate(self._beats):
            if beat:
                self._beats[slot] = now

    def silence(self, slot: int, pid: int) -> float:
        """Return the seconds since the last beat, without those in which the worker waited for a core.

        Args:
            slot: the worker's slot.
            pid: its process.
        """
        beat = self._beats[slot]
        if not beat:
            return 0.0
        delay = _run_delay(pid)
        if beat != self._seen[slot]:
            self._seen[slot], self._delayed[slot] = beat, delay
        return time.monotonic() - beat - (delay - self._delayed[slot])


def traced(pid: int) -> bool:
    """Return whether a debugger is attached to a process (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status.splitlines())


def _run_delay(pid: int) -> float:
    """Return how long the main thread of a process has waited for a core, in seconds.

    The second field of schedstat: https://docs.kernel.org/scheduler/sched-stats.html
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
