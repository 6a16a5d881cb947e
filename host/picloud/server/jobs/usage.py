"""Upkeep of what apps keep: usage is added up, entries that expired are removed."""

from __future__ import annotations

from picloud.core.periodic import PeriodicTask
from picloud.db.pool import Database
from picloud.db.queries import load

COMPACT_SECONDS, FORGET_SECONDS = 5.0, 60.0
BATCH = 5000

_KV, _USAGE = load("kv"), load("usage")


class Upkeep:
    """Two rounds of one worker of each node; nodes that make them at once do no harm."""

    def __init__(self, database: Database) -> None:
        """Make it, idle. Args: database: the pool."""
        self._database = database
        self._rounds = (
            PeriodicTask("usage was not added up", COMPACT_SECONDS, self.compact),
            PeriodicTask("entries that expired were not removed", FORGET_SECONDS, self.forget),
        )

    def start(self) -> None:
        """Make rounds from now on."""
        for one in self._rounds:
            one.start()

    async def close(self) -> None:
        """Stop."""
        for one in self._rounds:
            await one.close()

    async def compact(self) -> None:
        """Add up what writers counted, so that there is little of it to read.

        Raises:
            Unavailable: the database is away.
        """
        await self._database.execute(_USAGE.usage_compact)

    async def forget(self) -> None:
        """Remove every entry of kv that expired; nobody could read it any more.

        Raises:
            Unavailable: the database is away.
        """
        while await self._database.execute(_KV.kv_forget, BATCH) == f"DELETE {BATCH}":
            pass  # in batches, so that none holds locks or memory for long
