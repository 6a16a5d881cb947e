"""Throttles password guessing: after some free attempts each failure doubles the wait, up to a maximum."""

from __future__ import annotations

from datetime import timedelta

from picloud.core.errors import Throttled
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.tokens import token_hash

FORGET = timedelta(hours=1)

_SQL = load("throttle")


class Throttle:
    """Counts attempts in the database, for all workers of all nodes.

    An attempt counts from its start, so concurrent attempts are throttled before the first one fails.
    """

    def __init__(self, database: Database, kind: str, free: int, longest_seconds: float) -> None:
        """Create a `Throttle`.

        Args:
            kind: name of this set of counts.
            free: attempts before the first wait of one second.
            longest_seconds: the maximum wait.
        """
        self._database = database
        self._kind = kind
        self._free = free
        self._longest = float(longest_seconds)

    async def attempt(self, key: str) -> None:
        """Count an attempt.

        Args:
            key: an account, or the rate limit key of an address.

        Raises:
            Throttled: the wait has not passed; `Retry-After` has the seconds. The attempt is not counted.
        """
        hashed = self._hash(key)
        if (
            await self._database.fetchval(_SQL.attempt_count, hashed, self._free, self._longest, FORGET)
            is None
        ):
            raise Throttled(max(1, await self._database.fetchval(_SQL.attempt_wait, hashed) or 1))

    async def reset(self, key: str) -> None:
        """Reset the count after a successful attempt. Args: key: see `attempt`."""
        await self._database.execute(_SQL.attempts_forget, self._hash(key))

    async def uncount(self, key: str) -> None:
        """Undo one attempt that was not a guess, and its wait. Args: key: see `attempt`."""
        await self._database.execute(_SQL.attempt_uncount, self._hash(key))

    def _hash(self, key: str) -> bytes:
        # Hashed, because users sometimes type the password into the name field.
        return token_hash(f"{self._kind}:{key}")
