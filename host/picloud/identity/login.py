"""Log-in: from a name and a password to a session."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asyncpg import Record

from picloud.core.background import Background
from picloud.core.client_address import rate_limit_key
from picloud.core.errors import Overloaded, Unauthenticated
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.account import User, is_username
from picloud.identity.accounts import Accounts
from picloud.identity.actor import Actor
from picloud.identity.login_sources import LoginSources, network_of
from picloud.identity.passwords import Passwords
from picloud.identity.sessions import NewSession, Sessions
from picloud.identity.throttle import Throttle

_SQL = load("users")


@dataclass(frozen=True, slots=True)
class LoginResult:
    """What a log-in leads to.

    Attributes:
        user: who it is.
        session: what they prove it with from now on.
    """

    user: User
    session: NewSession


class LogIn:
    """Checks names and passwords, slows down guessing, opens sessions."""

    def __init__(
        self,
        database: Database,
        users: Accounts,
        passwords: Passwords,
        sessions: Sessions,
        background: Background,
    ) -> None:
        """Make it.

        Args:
            database: the pool.
            users: the users.
            passwords: checks them.
            sessions: opens them.
            background: writes down failed attempts after they were answered.
        """
        self._database = database
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._background = background
        self._sources = LoginSources(database)
        self._by_account = Throttle(database, "account", free=5, longest_seconds=60)
        self._by_place = Throttle(database, "place", free=5, longest_seconds=60)
        self._by_address = Throttle(database, "address", free=20, longest_seconds=300)

    async def log_in(self, username: str, password: str, actor: Actor, user_agent: str = "") -> LoginResult:
        """Check a name and a password and open a session.

        An unknown name, a wrong password and an inactive user get the same answer in the same time. Where an
        account logged in from of late, attempts on it are counted apart: else whoever guesses from anywhere
        would keep its owner out.

        Args:
            username: as typed.
            password: as typed.
            actor: nobody yet, and where the attempt comes from.
            user_agent: what the client calls itself.

        Returns:
            The user and their new session.

        Raises:
            Unauthenticated: name and password do not fit.
            Throttled: too many attempts for this account or from this address.
            Overloaded: too many are being checked right now.
        """
        account, origin = username.lower()[:64], rate_limit_key(actor.address)
        place = network_of(account, origin)
        await self._by_address.attempt(origin)
        known = await self._sources.know(place)
        throttle, counted = (self._by_place, place) if known else (self._by_account, account)
        await throttle.attempt(counted)
        try:
            row = await self._check(username, password, actor)
            session = await self._open(row, password, actor, user_agent)
        except Overloaded:
            await self._by_address.uncount(origin)
            await throttle.uncount(counted)
            raise
        await throttle.forget(counted)
        await self._sources.keep(place)
        # Not forgotten: else a good log-in now and then would let one address guess at all the others.
        await self._by_address.uncount(origin)
        return LoginResult(await self._users.get(str(row["id"])), session)

    async def _check(self, username: str, password: str, actor: Actor) -> Record:
        row = None
        if is_username(username):
            row = await self._database.fetchrow(_SQL.user_for_login, username)
        stored = row["password_hash"] if row is not None and row["is_active"] else None
        if await self._passwords.verify(stored, password) and row is not None:
            return row
        self._note_failure(row, actor)
        raise Unauthenticated("wrong username or password")

    def _note_failure(self, row: Record | None, actor: Actor) -> None:
        """Write it down after the answer: neither its time nor the next one's may tell that the name exists.

        Names that do not exist are written nowhere, only that there was one: people type passwords into the
        field for the name.
        """
        attempt, target = (actor, None) if row is None else (replace(actor, name=row["username"]), row["id"])
        self._background.spawn(
            f"failed log-in of request {actor.request_id}",
            lambda: audit.write_refusal(self._database, attempt, Unauthenticated.code, target=target),
        )

    async def _open(self, row: Record, password: str, actor: Actor, user_agent: str) -> NewSession:
        stored = row["password_hash"]
        if self._passwords.is_outdated(stored):
            renewed = await self._passwords.hash(password)
            await self._database.execute(_SQL.user_rehash, row["id"], stored, renewed)
            # Whoever logged in at the same time may have been faster: check again against what is there now.
            row = await self._check(row["username"], password, actor)
            stored = row["password_hash"]
        try:
            return await self._sessions.open(
                row["id"], row["username"], row["role"], actor, user_agent=user_agent, password_hash=stored
            )
        except Unauthenticated:
            raise Unauthenticated("wrong username or password") from None
