"""Users of the instance, and what keeps it from being left without an owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from picloud.core.errors import Conflict, Forbidden, Unauthenticated
from picloud.core.pagination import Page, PageRequest
from picloud.core.validation import refuse_null
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
from picloud.identity.account_invariants import authorise_now, keep_someone
from picloud.identity.actor import Actor
from picloud.identity.passwords import Passwords
from picloud.identity.principal import Role
from picloud.identity.throttle import Throttle

_SQL = load("users")
_SESSIONS = load("sessions")
_KEYS = load("keys")
_MEMBERS = load("members")


class Accounts:
    """The users of the instance. Every change of one holds the same lock, so guards cannot be raced."""

    def __init__(self, database: Database, changes: ChangeNotifier, passwords: Passwords) -> None:
        """Make it."""
        self._database = database
        self._changes = changes
        self._passwords = passwords
        self._by_password_check = Throttle(database, "password", free=5, longest_seconds=60)

    async def create(
        self, username: str, password: str, role: Role, actor: Actor, *, email: str | None = None
    ) -> User:
        """Make a user.

        Args:
            username: see `check_username`.
            password: 10 to 256 bytes.
            role: one of `ROLES`; only an owner makes an owner.
            actor: who makes them.
            email: see `check_email`.

        Returns:
            The new user.

        Raises:
            Invalid: one of them is not acceptable.
            Conflict: the name or the address is taken.
            Forbidden: the actor may not make such a user.
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
            id_or_name: as it stands in a URL.

        Raises:
            NotFound: there is none.
        """
        async with self._database.acquire() as connection:
            return await find_user(connection, id_or_name)

    async def list(self, page: PageRequest) -> Page[User]:
        """List the users, oldest first. Args: page: which part of the list."""
        rows = await self._database.fetch(_SQL.users_list, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: User(**row))

    async def update(self, id_or_name: str, changes: UserChanges, actor: Actor) -> User:
        """Change a user.

        A deactivation ends every session and every key of theirs, a new password every session. Someone
        who is no longer a member of apps by their own right (see `members.py`) loses their memberships.

        Args:
            id_or_name: the user.
            changes: the fields that change.
            actor: who changes them.

        Returns:
            The user as they are now.

        Raises:
            NotFound: there is no such user.
            Invalid: a value is not acceptable.
            Conflict: a name or address is taken, or nobody would be left to run the instance.
            Forbidden: the actor may not change this user so, or it is their own password.
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
                raise Forbidden("change your own password with the one you have: POST auth/password")
            await keep_someone(connection, before, after)
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
            actor: who deletes them.

        Raises:
            NotFound: there is no such user.
            Conflict: nobody would be left to run the instance.
            Forbidden: the actor may not delete this user.
        """
        async with self._changes.transaction("users", "sessions") as connection:
            await connection.execute(_SQL.users_lock)
            user = await find_user(connection, id_or_name)
            await authorise_now(connection, actor, user.role)
            await keep_someone(connection, user, None)
            await connection.execute(_SQL.user_delete, user.id)
            await audit.write(connection, actor, target=user.id, before=audit_fields(user))

    async def change_password(self, actor: Actor, current: str, password: str) -> None:
        """Change one's own password and end one's other sessions.

        Args:
            actor: whose, in a session.
            current: the password they have.
            password: the new one, 10 to 256 bytes.

        Raises:
            Forbidden: the current one is wrong, or there is no session.
            Throttled: too many wrong ones.
            Invalid: the new one is not acceptable.
            Conflict: it was changed at the same time.
            Unauthenticated: the user was deleted or deactivated at the same time.
        """
        if actor.principal is None or actor.principal.session_id is None:
            raise Forbidden("this needs a session")
        user_id = actor.principal.user_id
        await self._by_password_check.attempt(str(user_id))
        stored = await self._database.fetchval(_SQL.user_password, user_id)
        if not await self._passwords.verify(stored, current):
            raise Forbidden("the current password is wrong", field="current")
        await self._by_password_check.forget(str(user_id))
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("sessions") as connection:
            if await connection.fetchval(_SQL.user_set_password, user_id, stored, password_hash) is None:
                if await connection.fetchval(_SQL.user_password, user_id) is None:
                    raise Unauthenticated("the user was deleted or deactivated at the same time")
                raise Conflict("the password was changed at the same time")
            await connection.execute(_SESSIONS.sessions_end_of_user, user_id, actor.principal.session_id)
            await audit.write(connection, actor, target=user_id)


async def _drop_memberships(connection: Connection, before: User, after: User) -> dict[str, Any]:
    """Owners and admins are in every app: rows of their own would come back to life with a demotion."""
    if before.role != "member" or after.role == "member":
        return {}
    rows = await connection.fetch(_MEMBERS.members_remove_of_user, after.id)
    return {"memberships": {str(row["app_id"]): row["role"] for row in rows}}


def _check(changes: UserChanges) -> None:
    refuse_null(changes, "username", "role", "is_active", "password")
    if (username := changes.get("username")) is not None:
        check_username(username)
    if (role := changes.get("role")) is not None:
        check_role(role)
    check_email(changes.get("email"))
