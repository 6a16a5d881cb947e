"""Members of apps: which users of role member may do what in which app.

Owners and admins need no row and can have none. A deactivated member keeps theirs, so that an
activation brings back what was; who becomes an admin loses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import ForeignKeyViolationError, Record, UniqueViolationError

from picloud.core.errors import Conflict, Invalid, NotFound
from picloud.core.pagination import Page, PageRequest
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.account import find_user
from picloud.identity.actor import Actor
from picloud.identity.principal import AppRole

_SQL = load("members")


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an app.

    Attributes:
        user_id: the user.
        username: their name.
        role: their role in the app.
        created_at: when they became a member.
        updated_at: last change.
    """

    user_id: UUID
    username: str
    role: AppRole
    created_at: datetime
    updated_at: datetime


class Members:
    """Members of apps. Each check and its write are one statement."""

    def __init__(self, database: Database, changes: ChangeNotifier) -> None:
        """Make it."""
        self._database = database
        self._changes = changes

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Member]:
        """List an app's members, in the order in which the users were made.

        Args:
            app_id: the app.
            page: which part of the list.
        """
        rows = await self._database.fetch(_SQL.members_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, _member)

    async def grant(self, app_id: UUID, id_or_name: str, role: AppRole, actor: Actor) -> Member:
        """Make a user a member.

        Args:
            app_id: the app.
            id_or_name: the user.
            role: their role.
            actor: who grants it.

        Returns:
            The member.

        Raises:
            NotFound: there is no such user, or the app is gone.
            Invalid: they are an owner or an admin, or not active.
            Conflict: they are a member already.
        """
        try:
            async with self._changes.transaction("users") as connection:
                user_id = (await find_user(connection, id_or_name)).id
                row = await connection.fetchrow(_SQL.member_grant, app_id, user_id, role)
                member = _written(row, user_id, role, id_or_name)
                await audit.write(
                    connection, actor, app_id=app_id, target=user_id, after=_logged(member.username, role)
                )
                return member
        except UniqueViolationError:
            raise Conflict("this user is a member already: change their role instead") from None
        except ForeignKeyViolationError:
            raise NotFound("app", app_id) from None

    async def change(self, app_id: UUID, id_or_name: str, role: AppRole, actor: Actor) -> Member:
        """Give a member another role.

        Args:
            app_id: the app.
            id_or_name: the user.
            role: their new role.
            actor: who gives it.

        Returns:
            The member.

        Raises:
            NotFound: they are not a member.
            Invalid: they are not active.
        """
        async with self._changes.transaction("users") as connection:
            user_id = (await find_user(connection, id_or_name)).id
            row = await connection.fetchrow(_SQL.member_change, app_id, user_id, role)
            if row is None:
                raise NotFound("member", id_or_name)
            member = _written(row, user_id, role, id_or_name)
            name = member.username
            await audit.write(
                connection,
                actor,
                app_id=app_id,
                target=user_id,
                before=_logged(name, row["before"]),
                after=_logged(name, role),
            )
            return member

    async def remove(self, app_id: UUID, id_or_name: str, actor: Actor) -> None:
        """Take a membership away; nothing happens where there is none.

        Args:
            app_id: the app.
            id_or_name: the user, who need not exist.
            actor: who takes it away.
        """
        async with self._changes.transaction("users") as connection:
            try:
                user = await find_user(connection, id_or_name)
            except NotFound:
                await audit.write(connection, actor, app_id=app_id, target=id_or_name)
                return
            role = await connection.fetchval(_SQL.member_remove, app_id, user.id)
            before = None if role is None else _logged(user.username, role)
            await audit.write(connection, actor, app_id=app_id, target=user.id, before=before)


def _written(row: Record | None, user_id: UUID, role: AppRole, id_or_name: str) -> Member:
    """The member that was written, or why none was."""
    if row is None:
        raise NotFound("user", id_or_name)
    if row["user_role"] != "member":
        raise Invalid(
            f"{row['username']} is an {row['user_role']} and may do everything in every app",
            field="user",
            reason="not_a_member",
        )
    if not row["is_active"]:
        raise Invalid(f"{row['username']} is not active", field="user", reason="inactive")
    return Member(user_id, row["username"], role, row["created_at"], row["updated_at"])


def _member(row: Record) -> Member:
    return Member(row["id"], row["username"], row["role"], row["created_at"], row["updated_at"])


def _logged(username: str, role: str) -> dict[str, str]:
    return {"username": username, "role": role}
