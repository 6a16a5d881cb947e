"""Users of the instance and how they log in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.db.changes import Changes
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.errors import Conflict, Invalid, NotFound, Unauthenticated
from picloud.identity.passwords import Passwords
from picloud.identity.throttle import Throttle, network

ROLES = ("owner", "admin", "member")

_SQL = load("users")
_SESSIONS = load("sessions")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class User:
    """A user, without their password.

    Attributes:
        id: the user.
        username: unique whatever its case.
        role: one of `ROLES`.
        is_active: an inactive user has no sessions and cannot log in.
        created_at: when they were made.
        updated_at: last change.
    """

    id: UUID
    username: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


def check_username(username: str) -> None:
    """Refuse a name no user can have.

    Args:
        username: 1 to 64 letters, digits and `. _ @ + -`, beginning with a letter or digit.

    Raises:
        Invalid: it is something else.
    """
    if not _NAME.fullmatch(username):
        raise Invalid(
            "a username has 1 to 64 letters, digits or . _ @ + - and begins with a letter or digit",
            field="username",
        )


async def insert_user(connection: Connection, username: str, password_hash: str, role: str) -> User:
    """Write a new user within a transaction of the caller.

    Args:
        connection: of the transaction.
        username: checked name.
        password_hash: argon2 string.
        role: one of `ROLES`.

    Returns:
        The user.

    Raises:
        Conflict: the name is taken.
    """
    try:
        row = await connection.fetchrow(_SQL.user_insert, uuid7(), username, password_hash, role)
    except UniqueViolationError:
        raise Conflict("this username is taken", field="username") from None
    assert row is not None
    return User(**row)


class Users:
    """The users of the instance."""

    def __init__(self, database: Database, changes: Changes, passwords: Passwords) -> None:
        """Make it; what it counts of failed logins lives in this process."""
        self._database = database
        self._changes = changes
        self._passwords = passwords
        self._by_account = Throttle(free=5, longest_seconds=60)
        self._by_address = Throttle(free=20, longest_seconds=300)

    async def create_user(self, username: str, password: str, role: str = "owner") -> User:
        """Make a user.

        Args:
            username: see `check_username`.
            password: 10 to 256 bytes.
            role: one of `ROLES`.

        Returns:
            The new user.

        Raises:
            Invalid: one of them is not acceptable.
            Conflict: the name is taken.
        """
        check_username(username)
        if role not in ROLES:
            raise Invalid(f"there is no role {role!r}", field="role", known=list(ROLES))
        password_hash = await self._passwords.hash(password)
        async with self._changes.announce("users") as connection:
            return await insert_user(connection, username, password_hash, role)

    async def reset_password(self, username: str, password: str) -> None:
        """Give a user a new password and end all their sessions.

        Args:
            username: in any case.
            password: 10 to 256 bytes.

        Raises:
            NotFound: there is no such user.
            Invalid: the password is not acceptable.
        """
        password_hash = await self._passwords.hash(password)
        async with self._changes.announce("users", "sessions") as connection:
            user_id = await connection.fetchval(_SQL.user_set_password, username, password_hash)
            if user_id is None:
                raise NotFound("user", username)
            await connection.execute(_SESSIONS.sessions_end_of_user, user_id)

    async def log_in(self, username: str, password: str, address: str) -> User:
        """Check a name and a password.

        An unknown name, a wrong password and an inactive user get the same answer in the same time.

        Args:
            username: as typed.
            password: as typed.
            address: where the attempt comes from.

        Returns:
            The user.

        Raises:
            Unauthenticated: they do not fit.
            Throttled: too many attempts for this account or from this address.
        """
        account, origin = username.lower()[:64], network(address)
        self._by_address.attempt(origin)
        self._by_account.attempt(account)
        row = (
            await self._database.fetchrow(_SQL.user_by_name, username) if _NAME.fullmatch(username) else None
        )
        stored = row["password_hash"] if row is not None and row["is_active"] else None
        if not await self._passwords.verify(stored, password) or row is None or stored is None:
            raise Unauthenticated("wrong username or password")
        self._by_account.succeeded(account)
        self._by_address.succeeded(origin)
        if self._passwords.is_outdated(stored):
            await self._database.execute(
                _SQL.user_rehash, row["id"], stored, await self._passwords.hash(password)
            )
        return User(**{name: value for name, value in row.items() if name != "password_hash"})

    async def exist(self) -> bool:
        """Tell whether there is any user, that is, whether the first start is over."""
        return bool(await self._database.fetchval(_SQL.users_exist))
