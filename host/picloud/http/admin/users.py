"""Users of the instance."""

from __future__ import annotations

from typing import Any, cast

from picloud.core.errors import Conflict, Overloaded
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.identity.account import User, UserChanges
from picloud.identity.principal import Role


class NewUser(Body):
    """What a user is made from.

    Attributes:
        username: 1 to 64 characters; unique whatever the case.
        password: 10 to 256 bytes.
        role: their role in the instance.
        email: unique, or None.
    """

    username: str
    password: str
    role: Role = "member"
    email: str | None = None


class UserPatch(Body):
    """A JSON merge patch of a user: what is absent stays; null clears, which only `email` can be.

    Attributes:
        is_active: false ends their sessions and keys.
        password: 10 to 256 bytes.
    """

    username: str | None = None
    email: str | None = None
    role: Role | None = None
    is_active: bool | None = None
    password: str | None = None

    @property
    def changes(self) -> UserChanges:
        """The fields that are there."""
        return cast("UserChanges", {name: getattr(self, name) for name in self.model_fields_set})


async def create(platform: Platform, call: AdminCall[NewUser, Any]) -> User:
    """Make a user."""
    body = call.body
    return await platform.accounts.create(
        body.username, body.password, body.role, call.actor, email=body.email
    )


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[User]:
    """List users."""
    return await platform.accounts.list(call.query.page)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> User:
    """Show a user."""
    return await platform.accounts.get(call.path["user"])


async def update(platform: Platform, call: AdminCall[UserPatch, Any]) -> User:
    """Change a user."""
    return await platform.accounts.update(call.path["user"], call.body.changes, call.actor)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete a user."""
    await platform.accounts.delete(call.path["user"], call.actor)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/users",
        handle=create,
        access="instance.manage_users",
        action="user.create",
        status=201,
        body=NewUser,
        errors=(Conflict, Overloaded),
        summary="Make a user",
    ),
    Endpoint(
        method="GET",
        path="/users",
        handle=list_,
        access="instance.manage_users",
        query=ListQuery,
        summary="List the users",
    ),
    Endpoint(
        method="GET",
        path="/users/{user}",
        handle=get,
        access="instance.manage_users",
        summary="Show a user, by id or name",
    ),
    Endpoint(
        method="PATCH",
        path="/users/{user}",
        handle=update,
        access="instance.manage_users",
        action="user.update",
        body=UserPatch,
        errors=(Conflict, Overloaded),
        summary="Change a user; deactivation ends their sessions and keys, a new password their sessions",
    ),
    Endpoint(
        method="DELETE",
        path="/users/{user}",
        handle=delete,
        access="instance.manage_users",
        action="user.delete",
        status=204,
        errors=(Conflict,),
        summary="Delete a user with their sessions, keys and memberships",
    ),
)
