"""A user of the instance: the type, the checks of its fields, and its row."""

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
_AUDITED = ("username", "email", "role", "is_active")


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password.

    Attributes:
        id: the user.
        username: unique, ignoring case.
        email: unique, ignoring case, or None.
        role: one of `ROLES`.
        is_active: an inactive user has no sessions or keys and cannot log in.
        created_at: when the user was created.
        updated_at: last change.
        last_login_at: last log-in, or None.
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
    """Fields of a user to change; absent fields stay. Only `email` can be None."""

    username: str | None
    email: str | None
    role: Role | None
    is_active: bool | None
    password: str | None


def is_username(text: str) -> bool:
    """Return whether a string is a valid username. Args: text: any string."""
    return _NAME.fullmatch(text) is not None and parse_id(text) is None


def check_username(username: str) -> None:
    """Check a username.

    Args:
        username: 1 to 64 letters, digits and `. _ @ + -`, starting with a letter or digit. ASCII only,
            so that no name looks like another; not a UUID, so that a user can be found by id or name.

    Raises:
        Invalid: it is not valid.
    """
    if not is_username(username):
        raise Invalid(
            "invalid username; use 1 to 64 letters, digits or . _ @ + -, starting with a letter or digit, "
            "and not a UUID",
            field="username",
        )


def check_email(email: str | None) -> None:
    """Check the form of an email address, not whether it receives mail.

    Args:
        email: the address, or None.

    Raises:
        Invalid: it is not valid.
    """
    if email is not None and not _EMAIL.fullmatch(email):
        raise Invalid("invalid email address; use the form name@example.com", field="email")


async def insert_user(
    connection: Connection, username: str, password_hash: str, role: Role, email: str | None = None
) -> User:
    """Insert a user in the caller's transaction.

    Args:
        username: a checked name.
        password_hash: argon2 string.
        role: one of `ROLES`.
        email: a checked address, or None.

    Returns:
        The user.

    Raises:
        Conflict: the username or email address is already in use.
    """
    try:
        row = await connection.fetchrow(_SQL.user_insert, uuid7(), username, email, password_hash, role)
    except UniqueViolationError as error:
        raise _taken(error) from None
    assert row is not None
    return User(**row)


def audit_fields(user: User) -> dict[str, Any]:
    """Return the fields of a user that its audit entries contain."""
    return {name: getattr(user, name) for name in _AUDITED}


def check_role(role: str) -> None:
    """Check the name of an instance role. Raises: Invalid."""
    if role not in ROLES:
        raise Invalid(f"unknown role {role!r}; use owner, admin or member", field="role", known=list(ROLES))


async def find_user(connection: Connection, id_or_name: str) -> User:
    """Find a user in the caller's transaction.

    Args:
        id_or_name: an id or a username.

    Raises:
        NotFound: the user does not exist.
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
    """Update a user in the caller's transaction. Raises: Conflict."""
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
        return Conflict("this email address is already in use", field="email")
    return Conflict("this username is already in use", field="username")
