"""Slows down guessing: every failure too many doubles the wait, and no wait is for ever."""

from __future__ import annotations

from datetime import timedelta

from picloud.core.errors import Throttled
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.tokens import token_hash

FORGET = timedelta(hours=1)

_SQL = load("throttle")


class Throttle:
    """Counts attempts by whom they are on, in the database: for all workers of all nodes.

    An attempt counts from its start, so a hundred at once do not slip through before the first fails.
    """

    def __init__(self, database: Database, kind: str, free: int, longest_seconds: float) -> None:
        """Make it.

        Args:
            database: the pool.
            kind: keeps these counts apart from others.
            free: attempts before the first wait of one second.
            longest_seconds: the wait at which doubling stops.
        """
        self._database = database
        self._kind = kind
        self._free = free
        self._longest = float(longest_seconds)

    async def attempt(self, who: str) -> None:
        """Count an attempt, or refuse it.

        Args:
            who: an account, or what an address is counted under (`address.source`).

        Raises:
            Throttled: there is still a wait; `Retry-After` says how long. Refused attempts do not count.
        """
        key = self._key(who)
        if await self._database.fetchval(_SQL.attempt_count, key, self._free, self._longest, FORGET) is None:
            raise Throttled(max(1, await self._database.fetchval(_SQL.attempt_wait, key) or 1))

    async def forget(self, who: str) -> None:
        """Forget what was counted: whoever it is has proved to be the one. Args: who: as for `attempt`."""
        await self._database.execute(_SQL.attempts_forget, self._key(who))

    async def uncount(self, who: str) -> None:
        """Take one attempt back that was no guess, and its wait. Args: who: as for `attempt`."""
        await self._database.execute(_SQL.attempt_uncount, self._key(who))

    def _key(self, who: str) -> bytes:
        # Hashed, because people type passwords into the field for the name.
        return token_hash(f"{self._kind}:{who}")
