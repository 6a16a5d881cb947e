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
    """A new user.

    Attributes:
        username: 1 to 64 characters; unique, case-insensitive.
        password: 10 to 256 bytes.
        role: role in the instance.
        email: unique; None for no address.
    """

    username: str
    password: str
    role: Role = "member"
    email: str | None = None


class UserPatch(Body):
    """A JSON merge patch of a user: absent fields keep their value; null clears, only allowed for `email`.

    Attributes:
        is_active: false deactivates the user and ends their sessions and keys.
        password: 10 to 256 bytes.
    """

    username: str | None = None
    email: str | None = None
    role: Role | None = None
    is_active: bool | None = None
    password: str | None = None

    @property
    def changes(self) -> UserChanges:
        """The fields to change."""
        return cast("UserChanges", {name: getattr(self, name) for name in self.model_fields_set})


async def create(platform: Platform, call: AdminCall[NewUser, Any]) -> User:
    """Create a user."""
    body = call.body
    return await platform.accounts.create(
        body.username, body.password, body.role, call.actor, email=body.email
    )


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[User]:
    """List users."""
    return await platform.accounts.list(call.query.page)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> User:
    """Return a user."""
    return await platform.accounts.get(call.path["user"])


async def update(platform: Platform, call: AdminCall[UserPatch, Any]) -> User:
    """Update a user."""
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
        summary="Create a user",
    ),
    Endpoint(
        method="GET",
        path="/users",
        handle=list_,
        access="instance.manage_users",
        query=ListQuery,
        summary="List users",
    ),
    Endpoint(
        method="GET",
        path="/users/{user}",
        handle=get,
        access="instance.manage_users",
        summary="Get a user by id or username",
    ),
    Endpoint(
        method="PATCH",
        path="/users/{user}",
        handle=update,
        access="instance.manage_users",
        action="user.update",
        body=UserPatch,
        errors=(Conflict, Overloaded),
        summary="Update a user; deactivating ends sessions and keys, a new password ends sessions",
    ),
    Endpoint(
        method="DELETE",
        path="/users/{user}",
        handle=delete,
        access="instance.manage_users",
        action="user.delete",
        status=204,
        errors=(Conflict,),
        summary="Delete a user and their sessions, keys and memberships",
    ),
)
