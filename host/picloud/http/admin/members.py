"""Members of an app."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from picloud.core.errors import Conflict
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.identity.members import Member
from picloud.identity.principal import AppRole


class MemberRole(Body):
    """The role of a member."""

    role: AppRole = Field(examples=["editor"])


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Member]:
    """List members."""
    return await platform.members.list(call.app.id, call.query.page)


async def grant(platform: Platform, call: AdminCall[MemberRole, Any]) -> Member:
    """Add a user to the app, or change their role."""
    return await platform.members.grant(call.app.id, call.path["user"], call.body.role, call.actor)


async def change(platform: Platform, call: AdminCall[MemberRole, Any]) -> Member:
    """Change the role of a member."""
    return await platform.members.change(call.app.id, call.path["user"], call.body.role, call.actor)


async def remove(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Remove a member."""
    await platform.members.remove(call.app.id, call.path["user"], call.actor)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/members",
        handle=list_,
        access="app.admin",
        query=ListQuery,
        summary="List the members of an app",
    ),
    Endpoint(
        method="PUT",
        path="/apps/{app}/members/{user}",
        handle=grant,
        access="app.admin",
        action="member.grant",
        body=MemberRole,
        errors=(Conflict,),
        summary="Add a user, by id or username, to an app",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}/members/{user}",
        handle=change,
        access="app.admin",
        action="member.change",
        body=MemberRole,
        summary="Change the role of a member",
    ),
    Endpoint(
        method="DELETE",
        path="/apps/{app}/members/{user}",
        handle=remove,
        access="app.admin",
        action="member.remove",
        status=204,
        summary="Remove a member; succeeds if the user is not a member",
    ),
)
