"""Generation counters shared by the processes of one node.

The tables in the memory of a worker (scripts, routes, ...) follow the database by NOTIFY, which
arrives some milliseconds after the response of the write. The next request on every worker must see
the write. So the writer bumps a counter in shared memory after commit and before its response, and
every user of a table compares the counters first: one memory read.

The page is created before the workers are forked. Each worker has its own slot, so two processes never
write the same word and no lock is needed; a reader compares the whole row. A reader copies the row
*before* it reads the database; otherwise it would miss a write in between.

A bump also rings the doorbell of every worker, for waiters of a topic (see wakeup.py).
"""

from __future__ import annotations

import mmap
from typing import Final

from picloud.core.doorbell import Doorbell

TOPICS: Final = ("scripts", "routes", "domains", "sessions", "users", "vars", "executions")
_WORD = 8  # bytes: an aligned 64-bit store is one instruction, never seen half-written


class Generations:
    """One row of counters per topic, one counter per worker."""

    def __init__(self, workers: int = 1) -> None:
        """Create the page, all zero.

        Args:
            workers: number of writing processes.
        """
        width = workers * _WORD
        # Anonymous and shared: every fork sees the writes of the others.
        self._page = mmap.mmap(-1, width * len(TOPICS))
        self._words = memoryview(self._page).cast("Q")
        self._rows = {topic: (index * width, (index + 1) * width) for index, topic in enumerate(TOPICS)}
        self._doorbells = [Doorbell() for _ in range(workers)]
        self._slot = 0

    def own(self, slot: int) -> None:
        """Set the counters that this process writes.

        Args:
            slot: 0 to workers - 1; a restarted worker reuses the slot of its predecessor.
        """
        self._slot = slot

    @property
    def doorbell(self) -> Doorbell:
        """Rings in this process after every bump by any process."""
        return self._doorbells[self._slot]

    def bump(self, topic: str) -> None:
        """Notify every worker that the tables of a topic are out of date.

        Call it after commit and before the response.

        Args:
            topic: one of `TOPICS`.
        """
        self._words[self._rows[topic][0] // _WORD + self._slot] += 1
        for doorbell in self._doorbells:
            doorbell.ring()

    def current(self, topic: str) -> bytes:
        """The counters of a topic, to be stored with a table and compared for equality.

        Args:
            topic: one of `TOPICS`.
        """
        start, end = self._rows[topic]
        return self._page[start:end]
