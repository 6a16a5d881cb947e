"""Finds the principal of a session token or an API key, or of a user by id.

Principals are cached for a few seconds, until a session, key, user or member changes. The next request on
every worker of this node sees the change (see generations.py).
"""

from __future__ import annotations

import hmac
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from asyncpg import Record
from cachetools import TTLCache

from picloud.core.background import Background
from picloud.core.generations import Generations
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.principal import NO_MEMBERSHIPS, AppRole, KeyGrant, Principal
from picloud.identity.tokens import KEY, KEY_PREFIX, KEY_PREFIX_LENGTH, SESSION_TOKEN, token_hash

CACHE_SECONDS = 5.0
"""How long another node may still accept a session or key that ended here, if its NOTIFY is late."""
CACHE_SIZE = 10_000

_SQL = load("principals")
_SESSIONS = load("sessions")
_KEYS = load("keys")
_SESSION = re.compile(SESSION_TOKEN, re.ASCII)
_KEY = re.compile(KEY, re.ASCII)


@dataclass(frozen=True, slots=True)
class _CachedPrincipal:
    """A principal, valid for a generation and until a time of the monotonic clock."""

    principal: Principal
    generation: object
    ends_at: float


class Principals:
    """Finds principals by token or user id."""

    def __init__(
        self,
        database: Database,
        generations: Generations,
        background: Background,
        session_ttl: timedelta = timedelta(hours=24),
    ) -> None:
        """Create a `Principals`.

        Args:
            generations: show when cached principals are out of date.
            background: records the last use of sessions and keys after the response.
            session_ttl: how long a session lives after it was last used.
        """
        self._database = database
        self._generations = generations
        self._background = background
        self._session_ttl = session_ttl
        self._known: TTLCache[bytes, _CachedPrincipal] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS, timer=time.monotonic
        )
        self._users: TTLCache[UUID, _CachedPrincipal] = TTLCache(
            CACHE_SIZE, CACHE_SECONDS, timer=time.monotonic
        )

    async def of_token(self, token: str) -> Principal | None:
        """Find the principal of a token.

        Args:
            token: any string a client sent.

        Returns:
            The principal, or None when the token is not valid or its user is inactive.

        Raises:
            Unavailable: the database cannot be reached.
        """
        is_key = _KEY.fullmatch(token) is not None
        if not is_key and not _SESSION.fullmatch(token):
            return None
        digest = token_hash(token)
        # Read before the database is, so that a change in between leaves this entry out of date.
        generation = (self._generations.current("sessions"), self._generations.current("users"))
        known = self._known.get(digest)
        if known is not None and known.generation == generation and time.monotonic() < known.ends_at:
            return known.principal
        asked_at = time.monotonic()
        row = await (self._key(token, digest) if is_key else self._session(digest))
        if row is None:
            self._known.pop(digest, None)
            return None
        if row["is_stale"]:
            self._touch(row["id"], is_key)
        principal = _principal(row, is_key)
        # By the database's clock, which may differ from this node's.
        seconds_left = row["seconds_left"]
        ends_at = math.inf if seconds_left is None else asked_at + seconds_left
        self._known[digest] = _CachedPrincipal(principal, generation, ends_at)
        return principal

    async def of_user(self, user_id: UUID) -> Principal | None:
        """Find the principal of a user, with their current role and memberships and without a key.

        Args:
            user_id: for example the user who registered a trigger.

        Returns:
            The principal, or None when the user does not exist or is inactive.

        Raises:
            Unavailable: the database cannot be reached.
        """
        generation = self._generations.current("users")  # before the database is read, as above
        known = self._users.get(user_id)
        if known is not None and known.generation == generation:
            return known.principal
        row = await self._database.fetchrow(_SQL.principal_of_user, user_id)
        if row is None:
            self._users.pop(user_id, None)
            return None
        principal = Principal(row["user_id"], row["username"], row["role"], _memberships(row))
        self._users[user_id] = _CachedPrincipal(principal, generation, math.inf)
        return principal

    async def _session(self, digest: bytes) -> Record | None:
        return await self._database.fetchrow(_SQL.principal_of_session, digest, self._session_ttl)

    async def _key(self, token: str, digest: bytes) -> Record | None:
        prefix = token.removeprefix(KEY_PREFIX)[:KEY_PREFIX_LENGTH]
        rows = await self._database.fetch(_SQL.principals_of_keys, prefix)
        matching = [row for row in rows if hmac.compare_digest(row["key_hash"], digest)]
        return matching[0] if matching else None

    def _touch(self, found: UUID, is_key: bool) -> None:
        database, ttl = self._database, self._session_ttl
        if is_key:
            self._background.spawn(
                f"last use of key {found}", lambda: database.execute(_KEYS.key_touch, found)
            )
        else:
            self._background.spawn(
                f"last use of session {found}", lambda: database.execute(_SESSIONS.session_touch, found, ttl)
            )


def _principal(row: Record, is_key: bool) -> Principal:
    if not is_key:
        return Principal(
            row["user_id"], row["username"], row["role"], _memberships(row), session_id=row["id"]
        )
    grant = KeyGrant(row["id"], frozenset(row["scopes"]), row["app_id"], row["expires_at"])
    return Principal(row["user_id"], row["username"], row["role"], _memberships(row), grant)


def _memberships(row: Record) -> Mapping[UUID, AppRole]:
    roles: dict[str, AppRole] | None = row["memberships"]
    if not roles:
        return NO_MEMBERSHIPS
    return MappingProxyType({UUID(app_id): role for app_id, role in roles.items()})
