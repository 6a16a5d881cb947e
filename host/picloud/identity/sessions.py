"""Sessions: from a bearer token to the user behind it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cachetools import TTLCache
from uuid_utils.compat import uuid7

from picloud.db.changes import Changes
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.generations import Generations
from picloud.identity.principal import Principal
from picloud.identity.tokens import SESSION_PREFIX, new_token, token_hash

ABSOLUTE = timedelta(days=30)
CACHE_SECONDS = 5.0
"""How long another node may still take a session for good that was ended elsewhere."""

_SQL = load("sessions")
_EXTEND_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    generation: tuple[bytes, bytes]


class Sessions:
    """Sessions of users, looked up in memory while nothing changed."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        generations: Generations,
        ttl: timedelta = timedelta(hours=24),
    ) -> None:
        """Make it.

        Args:
            database: the pool.
            changes: makes writes known to the other workers.
            generations: tells when what is in memory is out of date.
            ttl: how long a session lives after it was last used.
        """
        self._database = database
        self._changes = changes
        self._generations = generations
        self._ttl = ttl
        self._known: TTLCache[bytes, _Known] = TTLCache(10_000, CACHE_SECONDS, timer=time.monotonic)

    async def open(self, user_id: UUID) -> tuple[str, datetime]:
        """Start a session.

        Args:
            user_id: a user who proved who they are.

        Returns:
            The token, which is stored nowhere, and when it ends if it is not used.
        """
        token = new_token(SESSION_PREFIX)
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.sessions_sweep)
            expires_at = await connection.fetchval(
                _SQL.session_open, token_hash(token), uuid7(), user_id, self._ttl, ABSOLUTE
            )
        return token, expires_at

    async def principal(self, token: str) -> Principal | None:
        """Find who is behind a token, and let their session live on.

        Args:
            token: what the client sent.

        Returns:
            The principal, or None when the token is not good or the user is not active.

        Raises:
            Unavailable: the database had to be asked and cannot be reached.
        """
        if not token.startswith(SESSION_PREFIX):
            return None
        key = token_hash(token)
        # Read before the database is, so that a change in between leaves this entry out of date.
        generation = (self._generations.current("sessions"), self._generations.current("users"))
        known = self._known.get(key)
        if known is not None and known.generation == generation:
            return known.principal
        row = await self._database.fetchrow(_SQL.session_find, key)
        if row is None:
            self._known.pop(key, None)
            return None
        if row["expires_at"] < datetime.now(UTC) + self._ttl - _EXTEND_EVERY:
            await self._database.execute(_SQL.session_extend, key, self._ttl)
        principal = Principal(row["user_id"], row["username"], row["role"], session_id=row["id"])
        self._known[key] = _Known(principal, generation)
        return principal

    async def end(self, token: str) -> None:
        """End a session; nothing happens when it is over already.

        Args:
            token: the session's token.
        """
        async with self._changes.announce("sessions") as connection:
            await connection.execute(_SQL.session_end, token_hash(token))
