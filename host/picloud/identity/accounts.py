"""The users of the instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from picloud.core.errors import Conflict, Forbidden, Unauthenticated
from picloud.core.pagination import Page, PageRequest
from picloud.core.validation import require_not_null
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.account import (
    User,
    UserChanges,
    audit_fields,
    check_email,
    check_role,
    check_username,
    find_user,
    insert_user,
    update_user,
)
from picloud.identity.account_invariants import authorise_now, require_manager_left
from picloud.identity.actor import Actor
from picloud.identity.passwords import Passwords
from picloud.identity.principal import Role
from picloud.identity.throttle import Throttle

_SQL = load("users")
_SESSIONS = load("sessions")
_KEYS = load("keys")
_MEMBERS = load("members")


class Accounts:
    """The users of the instance. Every change holds one lock, which protects the invariants."""

    def __init__(self, database: Database, changes: ChangeNotifier, passwords: Passwords) -> None:
        self._database = database
        self._changes = changes
        self._passwords = passwords
        self._by_password_check = Throttle(database, "password", free=5, longest_seconds=60)

    async def create(
        self, username: str, password: str, role: Role, actor: Actor, *, email: str | None = None
    ) -> User:
        """Create a user.

        Args:
            username: see `check_username`.
            password: 10 to 256 bytes.
            role: one of `ROLES`; only an owner can create an owner.
            email: see `check_email`.

        Returns:
            The new user.

        Raises:
            Invalid: a value is not valid.
            Conflict: the username or email address is already in use.
            Forbidden: the actor cannot create a user with this role.
        """
        check_username(username)
        check_email(email)
        check_role(role)
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("users") as connection:
            await connection.execute(_SQL.users_lock)
            await authorise_now(connection, actor, role)
            user = await insert_user(connection, username, password_hash, role, email)
            await audit.write(connection, actor, target=user.id, after=audit_fields(user))
        return user

    async def get(self, id_or_name: str) -> User:
        """Find a user.

        Args:
            id_or_name: an id or a username.

        Raises:
            NotFound: the user does not exist.
        """
        async with self._database.acquire() as connection:
            return await find_user(connection, id_or_name)

    async def list(self, page: PageRequest) -> Page[User]:
        """List the users, oldest first."""
        rows = await self._database.fetch(_SQL.users_list, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: User(**row))

    async def update(self, id_or_name: str, changes: UserChanges, actor: Actor) -> User:
        """Change a user.

        Deactivating a user ends their sessions and revokes their keys. A new password ends their sessions.
        Promoting a member to owner or admin removes their memberships (see `members.py`).

        Args:
            id_or_name: the user.
            changes: the fields that change.

        Returns:
            The updated user.

        Raises:
            NotFound: the user does not exist.
            Invalid: a value is not valid.
            Conflict: the username or email address is already in use, or this is the last owner or admin.
            Forbidden: the actor cannot make this change, or it is their own password.
        """
        _check(changes)
        password = changes.get("password")
        password_hash = None if password is None else await self._passwords.hash(password)
        async with self._changes.transaction("users", "sessions") as connection:
            await connection.execute(_SQL.users_lock)
            before = await find_user(connection, id_or_name)
            wanted = {name: value for name, value in changes.items() if name != "password"}
            after = replace(before, **wanted)  # type: ignore[arg-type]  # by name, checked above
            await authorise_now(connection, actor, before.role, after.role)
            if password_hash is not None and before.id == actor.user_id:
                raise Forbidden("you cannot reset your own password; change it with POST auth/password")
            await require_manager_left(connection, before, after)
            after = await update_user(connection, after, password_hash)
            if password_hash is not None or not after.is_active:
                await connection.execute(_SESSIONS.sessions_end_of_user, after.id, None)
            if not after.is_active:
                await connection.execute(_KEYS.keys_end_of_user, after.id)
            lost = await _drop_memberships(connection, before, after)
            new_password = {"password": "changed"} if password_hash is not None else {}
            await audit.write(
                connection,
                actor,
                target=after.id,
                before={**audit_fields(before), **lost},
                after={**audit_fields(after), **new_password},
            )
        return after

    async def delete(self, id_or_name: str, actor: Actor) -> None:
        """Delete a user with their sessions, keys and memberships.

        Args:
            id_or_name: the user.

        Raises:
            NotFound: the user does not exist.
            Conflict: this is the last owner or admin.
            Forbidden: the actor cannot delete this user.
        """
        async with self._changes.transaction("users", "sessions") as connection:
            await connection.execute(_SQL.users_lock)
            user = await find_user(connection, id_or_name)
            await authorise_now(connection, actor, user.role)
            await require_manager_left(connection, user, None)
            await connection.execute(_SQL.user_delete, user.id)
            await audit.write(connection, actor, target=user.id, before=audit_fields(user))

    async def change_password(self, actor: Actor, current: str, password: str) -> None:
        """Change the actor's own password and end their other sessions.

        Args:
            actor: the user, in a session.
            current: the current password.
            password: the new one, 10 to 256 bytes.

        Raises:
            Forbidden: the current password is wrong, or the actor uses an API key.
            Throttled: too many wrong passwords.
            Invalid: the new password is not valid.
            Conflict: it was changed at the same time.
            Unauthenticated: the user was deleted or deactivated at the same time.
        """
        if actor.principal is None or actor.principal.session_id is None:
            raise Forbidden("this requires a session; an API key cannot change a password")
        user_id = actor.principal.user_id
        await self._by_password_check.attempt(str(user_id))
        stored = await self._database.fetchval(_SQL.user_password, user_id)
        if not await self._passwords.verify(stored, current):
            raise Forbidden("the current password is wrong", field="current")
        await self._by_password_check.reset(str(user_id))
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("sessions") as connection:
            if await connection.fetchval(_SQL.user_set_password, user_id, stored, password_hash) is None:
                if await connection.fetchval(_SQL.user_password, user_id) is None:
                    raise Unauthenticated("the user was deleted or deactivated at the same time")
                raise Conflict("the password was changed at the same time")
            await connection.execute(_SESSIONS.sessions_end_of_user, user_id, actor.principal.session_id)
            await audit.write(connection, actor, target=user_id)


async def _drop_memberships(connection: Connection, before: User, after: User) -> dict[str, Any]:
    """Remove the memberships of a promoted member; a later demotion must not restore them."""
    if before.role != "member" or after.role == "member":
        return {}
    rows = await connection.fetch(_MEMBERS.members_remove_of_user, after.id)
    return {"memberships": {str(row["app_id"]): row["role"] for row in rows}}


def _check(changes: UserChanges) -> None:
    require_not_null(changes, "username", "role", "is_active", "password")
    if (username := changes.get("username")) is not None:
        check_username(username)
    if (role := changes.get("role")) is not None:
        check_role(role)
    check_email(changes.get("email"))
