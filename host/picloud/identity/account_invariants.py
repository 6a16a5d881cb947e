"""What keeps users from taking more than they were given, and the instance from being left alone.

Both look at what is true now, so they are asked under the lock that every change of a user holds.
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
    """Ask what the actor may do now: what they were when their request came may have changed since.

    Passwords are hashed before this, and wait for their turn: time enough to revoke a key.

    Args:
        connection: holding the lock.
        actor: who changes a user; the console may do everything.
        roles: of that user, before and after.

    Raises:
        Forbidden: they manage no users any more, what they act by was ended, or it takes an owner.
    """
    if actor.principal is None:
        return
    authority = await connection.fetchval(
        _SQL.user_authority, actor.user_id, actor.key_id, actor.principal.session_id
    )
    if authority not in ("owner", "admin"):
        raise Forbidden("this needs the capability instance.manage_users")
    if "owner" in roles and authority != "owner":
        raise Forbidden("only an owner makes an owner, and only an owner changes one")


async def keep_someone(connection: Connection, before: User, after: User | None) -> None:
    """Refuse what would leave nobody to run the instance.

    Args:
        connection: holding the lock.
        before: a user as they are.
        after: as they are to be; None when they are to be deleted.

    Raises:
        Conflict: they are the last active owner, or the last active owner or admin.
    """
    if not before.is_active:
        return
    others = await connection.fetchrow(_SQL.users_besides, before.id)
    assert others is not None
    role = after.role if after is not None and after.is_active else None
    if before.role == "owner" and role != "owner" and others["owners"] == 0:
        raise Conflict("this is the last active owner: make another one first", guard="last_owner")
    if before.role != "member" and role not in ("owner", "admin") and others["managers"] == 0:
        raise Conflict("this is the last active admin: make another one first", guard="last_admin")
