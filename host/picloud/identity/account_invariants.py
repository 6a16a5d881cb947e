"""Invariants of every change of a user: enough authority, and an owner and an admin remain.

Both functions read the current state and run under the lock that every change of a user holds.
"""

from __future__ import annotations

from picloud.core.errors import Conflict, Forbidden
from picloud.db.pool import Connection
from picloud.db.queries import load
from picloud.identity.account import User
from picloud.identity.actor import Actor
from picloud.identity.principal import Role

_SQL = load("users")


async def authorise_now(connection: Connection, actor: Actor, *roles: Role) -> None:
    """Check the actor's current authority, which may have changed since the request was authenticated.

    A password is hashed before this, which takes long enough for a key to be revoked.

    Args:
        actor: who changes a user; the console is always allowed.
        roles: roles of that user before and after the change.

    Raises:
        Forbidden: the actor can no longer manage users, or the change requires an owner.
    """
    if actor.principal is None:
        return
    authority = await connection.fetchval(
        _SQL.user_authority, actor.user_id, actor.key_id, actor.principal.session_id
    )
    if authority not in ("owner", "admin"):
        raise Forbidden("requires the capability instance.manage_users")
    if "owner" in roles and authority != "owner":
        raise Forbidden("requires the role owner to create, change or delete an owner")


async def require_manager_left(connection: Connection, before: User, after: User | None) -> None:
    """Check that an active owner and an active admin remain.

    Args:
        before: the user now.
        after: the user after the change; None when they are deleted.

    Raises:
        Conflict: this is the last active owner, or the last active owner or admin.
    """
    if not before.is_active:
        return
    others = await connection.fetchrow(_SQL.users_besides, before.id)
    assert others is not None
    role = after.role if after is not None and after.is_active else None
    if before.role == "owner" and role != "owner" and others["owners"] == 0:
        raise Conflict("this is the last active owner; create another one first", guard="last_owner")
    if before.role != "member" and role not in ("owner", "admin") and others["managers"] == 0:
        raise Conflict("this is the last active admin; create another one first", guard="last_admin")
