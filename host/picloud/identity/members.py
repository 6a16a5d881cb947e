"""Members of apps: users with the role member and their role in an app.

Owners and admins have no memberships. A deactivated member keeps theirs for a later activation; a member
who becomes an owner or admin loses them.
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
    """A member of an app.

    Attributes:
        user_id: the user.
        username: name of the user.
        role: role in the app.
        created_at: when the user was added.
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
        self._database = database
        self._changes = changes

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Member]:
        """List an app's members, in the order in which the users were created."""
        rows = await self._database.fetch(_SQL.members_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, _member)

    async def grant(self, app_id: UUID, id_or_name: str, role: AppRole, actor: Actor) -> Member:
        """Add a user to an app.

        Args:
            id_or_name: id or username of the user.
            role: the role in the app.

        Returns:
            The member.

        Raises:
            NotFound: the user or the app does not exist.
            Invalid: the user is an owner or an admin, or inactive.
            Conflict: the user is already a member.
        """
        try:
            async with self._changes.transaction("users") as connection:
                user_id = (await find_user(connection, id_or_name)).id
                row = await connection.fetchrow(_SQL.member_grant, app_id, user_id, role)
                member = _written(row, user_id, role, id_or_name)
                await audit.write(
                    connection,
                    actor,
                    app_id=app_id,
                    target=user_id,
                    after=_audit_fields(member.username, role),
                )
                return member
        except UniqueViolationError:
            raise Conflict("the user is already a member; change the role instead") from None
        except ForeignKeyViolationError:
            raise NotFound("app", app_id) from None

    async def change(self, app_id: UUID, id_or_name: str, role: AppRole, actor: Actor) -> Member:
        """Change the role of a member.

        Args:
            id_or_name: id or username of the user.
            role: the new role.

        Returns:
            The member.

        Raises:
            NotFound: the user is not a member.
            Invalid: the user is inactive.
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
                before=_audit_fields(name, row["before"]),
                after=_audit_fields(name, role),
            )
            return member

    async def remove(self, app_id: UUID, id_or_name: str, actor: Actor) -> None:
        """Remove a member; does nothing if the user is not a member.

        Args:
            id_or_name: id or username; the user need not exist.
        """
        async with self._changes.transaction("users") as connection:
            try:
                user = await find_user(connection, id_or_name)
            except NotFound:
                await audit.write(connection, actor, app_id=app_id, target=id_or_name)
                return
            role = await connection.fetchval(_SQL.member_remove, app_id, user.id)
            before = None if role is None else _audit_fields(user.username, role)
            await audit.write(connection, actor, app_id=app_id, target=user.id, before=before)


def _written(row: Record | None, user_id: UUID, role: AppRole, id_or_name: str) -> Member:
    """Return the written member, or raise the reason why there is none."""
    if row is None:
        raise NotFound("user", id_or_name)
    if row["user_role"] != "member":
        raise Invalid(
            f"{row['username']} has the role {row['user_role']}, which includes every app; "
            "only users with the role member can be added",
            field="user",
            reason="not_a_member",
        )
    if not row["is_active"]:
        raise Invalid(f"{row['username']} is inactive", field="user", reason="inactive")
    return Member(user_id, row["username"], role, row["created_at"], row["updated_at"])


def _member(row: Record) -> Member:
    return Member(row["id"], row["username"], row["role"], row["created_at"], row["updated_at"])


def _audit_fields(username: str, role: str) -> dict[str, str]:
    return {"username": username, "role": role}
