"""Log-in with a username and a password."""

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
class NewLogin:
    """The result of a log-in.

    Attributes:
        user: the user.
        session: the new session.
    """

    user: User
    session: NewSession


class LogIn:
    """Checks passwords, throttles guessing and opens sessions."""

    def __init__(
        self,
        database: Database,
        users: Accounts,
        passwords: Passwords,
        sessions: Sessions,
        background: Background,
    ) -> None:
        """Create a `LogIn`.

        Args:
            passwords: checks them.
            sessions: opens them.
            background: writes audit entries of failed attempts after the response.
        """
        self._database = database
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._background = background
        self._sources = LoginSources(database)
        self._by_account = Throttle(database, "account", free=5, longest_seconds=60)
        self._by_network = Throttle(database, "place", free=5, longest_seconds=60)
        self._by_address = Throttle(database, "address", free=20, longest_seconds=300)

    async def log_in(self, username: str, password: str, actor: Actor, user_agent: str = "") -> NewLogin:
        """Check a username and a password and open a session.

        An unknown name, a wrong password and an inactive user get the same response in the same time.
        Attempts from a network where the account logged in recently have their own count. Otherwise guesses
        from elsewhere would lock the user out.

        Args:
            actor: anonymous, with the client address.
            user_agent: the User-Agent header.

        Returns:
            The user and their new session.

        Raises:
            Unauthenticated: username or password is wrong.
            Throttled: too many attempts for this account or from this address.
            Overloaded: too many passwords are being checked.
        """
        account, origin = username.lower()[:64], rate_limit_key(actor.address)
        network = network_of(account, origin)
        await self._by_address.attempt(origin)
        known = await self._sources.is_known(network)
        throttle, counted = (self._by_network, network) if known else (self._by_account, account)
        await throttle.attempt(counted)
        try:
            row = await self._check(username, password, actor)
            session = await self._open(row, password, actor, user_agent)
        except Overloaded:
            await self._by_address.uncount(origin)
            await throttle.uncount(counted)
            raise
        await throttle.reset(counted)
        await self._sources.keep(network)
        # Not reset: a successful log-in must not let the address guess passwords of other accounts.
        await self._by_address.uncount(origin)
        return NewLogin(await self._users.get(str(row["id"])), session)

    async def _check(self, username: str, password: str, actor: Actor) -> Record:
        row = None
        if is_username(username):
            row = await self._database.fetchrow(_SQL.user_for_login, username)
        stored = row["password_hash"] if row is not None and row["is_active"] else None
        if await self._passwords.verify(stored, password) and row is not None:
            return row
        self._audit_failure(row, actor)
        raise Unauthenticated("wrong username or password")

    def _audit_failure(self, row: Record | None, actor: Actor) -> None:
        """Write the audit entry after the response, so that timing does not reveal whether the name exists.

        Unknown names are not recorded: users sometimes type the password into the name field.
        """
        attempt, target = (actor, None) if row is None else (replace(actor, name=row["username"]), row["id"])
        self._background.spawn(
            f"failed log-in of request {actor.request_id}",
            lambda: audit.write_denial(self._database, attempt, Unauthenticated.code, target=target),
        )

    async def _open(self, row: Record, password: str, actor: Actor, user_agent: str) -> NewSession:
        stored = row["password_hash"]
        if self._passwords.is_outdated(stored):
            renewed = await self._passwords.hash(password)
            await self._database.execute(_SQL.user_rehash, row["id"], stored, renewed)
            # A concurrent log-in may have been faster: check again against the stored hash.
            row = await self._check(row["username"], password, actor)
            stored = row["password_hash"]
        try:
            return await self._sessions.open(
                row["id"], row["username"], row["role"], actor, user_agent=user_agent, password_hash=stored
            )
        except Unauthenticated:
            raise Unauthenticated("wrong username or password") from None
