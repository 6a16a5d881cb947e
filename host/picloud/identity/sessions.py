"""Sessions of logged-in users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.core.errors import NotFound, Unauthenticated
from picloud.core.pagination import Page, PageRequest
from picloud.core.text import clean
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.identity.principal import Principal, Role
from picloud.identity.tokens import SESSION_PREFIX, new_token, token_hash

ABSOLUTE = timedelta(days=30)
"""Maximum lifetime of a session, however often it is used."""
MAX_SESSIONS = 100
"""Sessions of one user; the default of the setting."""
MAX_USER_AGENT = 256

_SQL = load("sessions")


@dataclass(frozen=True, slots=True)
class Session:
    """A session, as its user sees it.

    Attributes:
        id: the session; its token is not stored.
        created_at: time of the log-in.
        last_seen_at: when it was last used, to the minute.
        expires_at: when it expires unless it is used.
        address: client address of the log-in.
        user_agent: User-Agent of the log-in.
    """

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session.

    Attributes:
        token: authenticates the client's requests.
        expires_at: when it expires unless it is used.
    """

    token: str
    expires_at: datetime


class Sessions:
    """Opens, lists and ends sessions; `Principals` finds the user of a token."""

    def __init__(
        self,
        database: Database,
        changes: ChangeNotifier,
        ttl: timedelta = timedelta(hours=24),
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        """Create a `Sessions`.

        Args:
            ttl: lifetime of a session after its last use.
            max_sessions: sessions of one user; one more ends the least recently used.
        """
        self._database = database
        self._changes = changes
        self._ttl = ttl
        self._max_sessions = max_sessions

    async def open(
        self,
        user_id: UUID,
        username: str,
        role: Role,
        actor: Actor,
        *,
        user_agent: str = "",
        password_hash: str | None = None,
    ) -> NewSession:
        """Open a session for an authenticated user, always with a new token.

        Args:
            user_id: the user.
            username: name of the user.
            role: role of the user.
            actor: the client address and request; the audit entry names the user.
            user_agent: the User-Agent header.
            password_hash: the hash the password was checked against, if any.

        Returns:
            The token and its expiry.

        Raises:
            Unauthenticated: the user was deleted or deactivated, or the password changed, in the meantime.
        """
        token, session_id = new_token(SESSION_PREFIX), uuid7()
        async with self._database.transaction() as connection:
            expires_at = await connection.fetchval(
                _SQL.session_open,
                token_hash(token),
                session_id,
                user_id,
                self._ttl,
                ABSOLUTE,
                actor.address,
                clean(user_agent)[:MAX_USER_AGENT],
                password_hash,
            )
            if expires_at is None:
                raise Unauthenticated
            author = replace(
                actor, principal=Principal(user_id, username, role), name=username, action="session.login"
            )
            await audit.write(connection, author, target=session_id)
        await self._end_excess(user_id, session_id, author)
        return NewSession(token, expires_at)

    async def _end_excess(self, user_id: UUID, opened: UUID, author: Actor) -> None:
        """End the least recently used sessions above the maximum, with an audit entry."""
        count = await self._database.fetchval(_SQL.sessions_count, user_id)
        if count <= self._max_sessions:
            return
        async with self._changes.transaction("sessions") as connection:
            ended = await connection.fetch(_SQL.sessions_end_excess, user_id, self._max_sessions)
            if ended:
                author = replace(author, action="session.displace")
                before = {"sessions": [str(row["id"]) for row in ended]}
                await audit.write(connection, author, target=opened, before=before)

    async def list(self, user_id: UUID, page: PageRequest) -> Page[Session]:
        """List a user's active sessions, oldest first."""
        rows = await self._database.fetch(_SQL.sessions_list, user_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Session(**row))

    async def end(self, user_id: UUID, session_id: UUID, actor: Actor) -> None:
        """End a session.

        Args:
            user_id: the user of the session.
            session_id: the session.

        Raises:
            NotFound: the user has no such active session.
        """
        async with self._changes.transaction("sessions") as connection:
            if await connection.fetchval(_SQL.session_end, user_id, session_id) is None:
                raise NotFound("session", session_id)
            await audit.write(connection, actor, target=session_id)
