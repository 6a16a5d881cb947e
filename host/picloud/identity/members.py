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
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.account import find_user
from picloud.identity.actor import Actor
from picloud.identity.capabilities import may
from picloud.identity.principal import AppRole, Principal, Role

_SQL = load("members")
_NO_USER = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an app.

    Attributes:
        user_id: the user.
        username: name of the user.
        email: the email address, if the user has one.
        role: role in the app.
        instance_role: role in the instance; always `member`.
        is_active: whether the user can log in.
        created_at: when the user was added.
        updated_at: last change.
    """

    user_id: UUID
    username: str
    email: str | None
    role: AppRole
    instance_role: Role
    is_active: bool
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
        return Page.of(rows, page.limit, lambda row: _member(row, row["role"]))

    async def grant(self, app_id: UUID, id_or_name: str, role: AppRole, actor: Actor) -> Member:
        """Add a user to an app.

        Args:
            id_or_name: id or username of the user.
            role: the role in the app.

        Returns:
            The member.

        Raises:
            NotFound: the user or the app does not exist; or the user cannot be added, and the actor may not
                know why, or whether the user exists.
            Invalid: the user is an owner or an admin, or inactive.
            Conflict: the user is already a member.
        """
        try:
            async with self._changes.transaction("users") as connection:
                user_id = await _find_id(connection, id_or_name)
                row = await connection.fetchrow(_SQL.member_grant, app_id, user_id, role)
                if row is not None and row["created_at"] is None and not _may_see_users(actor.principal):
                    row = None
                member = _written(row, "user", role, id_or_name)
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
            user_id = await _find_id(connection, id_or_name)
            row = await connection.fetchrow(_SQL.member_change, app_id, user_id, role)
            member = _written(row, "member", role, id_or_name)
            assert row is not None
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
            user_id = await _find_id(connection, id_or_name)
            row = await connection.fetchrow(_SQL.member_remove, app_id, user_id)
            if row is None:
                await audit.write(connection, actor, app_id=app_id, target=id_or_name)
                return
            before = _audit_fields(row["username"], row["role"])
            await audit.write(connection, actor, app_id=app_id, target=user_id, before=before)


async def _find_id(connection: Connection, id_or_name: str) -> UUID:
    """Return the id of a user, or an id that no user has, so that both cases do the same work."""
    try:
        return (await find_user(connection, id_or_name)).id
    except NotFound:
        return _NO_USER


def _may_see_users(principal: Principal | None) -> bool:
    """Return whether an actor may know which users exist; the console may."""
    return principal is None or may(principal, "instance.manage_users")


def _written(row: Record | None, what: str, role: AppRole, id_or_name: str) -> Member:
    """Return the written member, or raise the reason why there is none."""
    if row is None:
        raise NotFound(what, id_or_name)
    if row["instance_role"] != "member":
        raise Invalid(
            f"{row['username']} has the role {row['instance_role']}, which includes every app; "
            "only users with the role member can be added",
            field="user",
            reason="not_a_member",
        )
    if not row["is_active"]:
        raise Invalid(f"{row['username']} is inactive", field="user", reason="inactive")
    return _member(row, role)


def _member(row: Record, role: AppRole) -> Member:
    return Member(
        row["user_id"],
        row["username"],
        row["email"],
        role,
        row["instance_role"],
        row["is_active"],
        row["created_at"],
        row["updated_at"],
    )


def _audit_fields(username: str, role: str) -> dict[str, str]:
    return {"username": username, "role": role}
