"""A user of the instance: what they are, the checks of their fields, and their row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, get_args
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.core.errors import Conflict, Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.db.pool import Connection
from picloud.db.queries import load
from picloud.identity.principal import Role

ROLES: tuple[Role, ...] = get_args(Role)

_SQL = load("users")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,189}")
_LOGGED = ("username", "email", "role", "is_active")


@dataclass(frozen=True, slots=True)
class User:
    """A user, without their password.

    Attributes:
        id: the user.
        username: unique whatever its case.
        email: unique whatever its case, or None.
        role: one of `ROLES`.
        is_active: an inactive user has no sessions and no keys and cannot log in.
        created_at: when they were made.
        updated_at: last change.
        last_login_at: when they last proved their password, or None.
    """

    id: UUID
    username: str
    email: str | None
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


class UserChanges(TypedDict, total=False):
    """What may be changed of a user; what is absent stays. Only `email` may be None."""

    username: str | None
    email: str | None
    role: Role | None
    is_active: bool | None
    password: str | None


def is_username(text: str) -> bool:
    """Tell whether a text could be a username. Args: text: any text."""
    return _NAME.fullmatch(text) is not None and parse_id(text) is None


def check_username(username: str) -> None:
    """Refuse a name no user can have.

    Args:
        username: 1 to 64 letters, digits and `. _ @ + -`, beginning with a letter or digit. ASCII only,
            so that no name looks like another; no id, so that a user can be found by either.

    Raises:
        Invalid: it is something else.
    """
    if not is_username(username):
        raise Invalid(
            "a username has 1 to 64 letters, digits or . _ @ + -, the first no sign, and is no id",
            field="username",
        )


def check_email(email: str | None) -> None:
    """Refuse what is surely no address; whether mail arrives there is not for a pattern to say.

    Args:
        email: the address, or None for none.

    Raises:
        Invalid: it is something else.
    """
    if email is not None and not _EMAIL.fullmatch(email):
        raise Invalid("an email address looks like name@example.com", field="email")


async def insert_user(
    connection: Connection, username: str, password_hash: str, role: Role, email: str | None = None
) -> User:
    """Write a new user within a transaction of the caller.

    Args:
        connection: of the transaction.
        username: checked name.
        password_hash: argon2 string.
        role: one of `ROLES`.
        email: checked address, or None.

    Returns:
        The user.

    Raises:
        Conflict: the name or the address is taken.
    """
    try:
        row = await connection.fetchrow(_SQL.user_insert, uuid7(), username, email, password_hash, role)
    except UniqueViolationError as error:
        raise _taken(error) from None
    assert row is not None
    return User(**row)


def audit_fields(user: User) -> dict[str, Any]:
    """What the audit log keeps of a user. Args: user: the user."""
    return {name: getattr(user, name) for name in _LOGGED}


def check_role(role: str) -> None:
    """Refuse a role that does not exist. Raises: Invalid."""
    if role not in ROLES:
        raise Invalid(f"there is no role {role!r}", field="role", known=list(ROLES))


async def find_user(connection: Connection, id_or_name: str) -> User:
    """Find a user in a transaction of the caller.

    Args:
        connection: of the transaction.
        id_or_name: as it stands in a URL.

    Raises:
        NotFound: there is none.
    """
    user_id, row = parse_id(id_or_name), None
    if user_id is not None:
        row = await connection.fetchrow(_SQL.user_by_id, user_id)
    elif is_username(id_or_name):
        row = await connection.fetchrow(_SQL.user_by_name, id_or_name)
    if row is None:
        raise NotFound("user", id_or_name)
    return User(**row)


async def update_user(connection: Connection, user: User, password_hash: str | None) -> User:
    """Write a changed user within a transaction of the caller. Raises: Conflict."""
    try:
        row = await connection.fetchrow(
            _SQL.user_update, user.id, user.username, user.email, user.role, user.is_active, password_hash
        )
    except UniqueViolationError as error:
        raise _taken(error) from None
    assert row is not None
    return User(**row)


def _taken(error: UniqueViolationError) -> Conflict:
    if error.constraint_name == "admin_users_email":
        return Conflict("this email address is taken", field="email")
    return Conflict("this username is taken", field="username")
