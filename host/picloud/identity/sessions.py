"""Sessions: how a log-in lasts, and how it ends."""

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
"""However much it is used, no session lives longer."""
MAX_SESSIONS = 100
"""Sessions of one user, unless configured otherwise."""
MAX_USER_AGENT = 256

_SQL = load("sessions")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its user sees it.

    Attributes:
        id: the session; not its token, which is stored nowhere.
        created_at: when they logged in.
        last_seen_at: when it was last used, to the minute.
        expires_at: when it ends unless it is used.
        address: where the log-in came from.
        user_agent: what the client called itself then.
    """

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that was just opened.

    Attributes:
        token: what the client proves itself with from now on.
        expires_at: when it ends unless it is used.
    """

    token: str
    expires_at: datetime


class Sessions:
    """Sessions of users; who is behind one is for `Principals` to say."""

    def __init__(
        self,
        database: Database,
        changes: ChangeNotifier,
        ttl: timedelta = timedelta(hours=24),
        most: int = MAX_SESSIONS,
    ) -> None:
        """Make it.

        Args:
            database: the pool.
            changes: makes writes known to the other workers.
            ttl: how long a session lives after it was last used.
            most: sessions of one user; one more ends the one that was not used for the longest time.
        """
        self._database = database
        self._changes = changes
        self._ttl = ttl
        self._most = most

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
        """Start a session for someone who proved who they are; always with a token that is new.

        Args:
            user_id: the user.
            username: their name.
            role: their role.
            actor: who asked for it and from where; the entry is made in the user's name.
            user_agent: what the client calls itself.
            password_hash: what they were checked against, if it was a password.

        Returns:
            The session's token and end.

        Raises:
            Unauthenticated: the user was deleted or deactivated, or the password changed, meanwhile.
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
        await self._end_beyond(user_id, session_id, author)
        return NewSession(token, expires_at)

    async def _end_beyond(self, user_id: UUID, opened: UUID, author: Actor) -> None:
        """Make room for the session that was just opened; the user is told by the audit log."""
        count = await self._database.fetchval(_SQL.sessions_count, user_id)
        if count <= self._most:
            return
        async with self._changes.transaction("sessions") as connection:
            ended = await connection.fetch(_SQL.sessions_end_beyond, user_id, self._most)
            if ended:
                author = replace(author, action="session.displace")
                before = {"sessions": [str(row["id"]) for row in ended]}
                await audit.write(connection, author, target=opened, before=before)

    async def list(self, user_id: UUID, page: PageRequest) -> Page[Session]:
        """List a user's sessions that are not over, oldest first.

        Args:
            user_id: whose.
            page: which part of the list.
        """
        rows = await self._database.fetch(_SQL.sessions_list, user_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Session(**row))

    async def end(self, user_id: UUID, session_id: UUID, actor: Actor) -> None:
        """End a session.

        Args:
            user_id: whose it must be.
            session_id: the session.
            actor: who ends it.

        Raises:
            NotFound: the user has no such session, or it is over already.
        """
        async with self._changes.transaction("sessions") as connection:
            if await connection.fetchval(_SQL.session_end, user_id, session_id) is None:
                raise NotFound("session", session_id)
            await audit.write(connection, actor, target=session_id)
