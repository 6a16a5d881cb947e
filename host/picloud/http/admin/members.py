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
    """What a member may do."""

    role: AppRole = Field(examples=["editor"])


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Member]:
    """List members."""
    return await platform.members.list(call.app.id, call.query.page)


async def grant(platform: Platform, call: AdminCall[MemberRole, Any]) -> Member:
    """Make a user a member."""
    return await platform.members.grant(call.app.id, call.path["user"], call.body.role, call.actor)


async def change(platform: Platform, call: AdminCall[MemberRole, Any]) -> Member:
    """Give a member another role."""
    return await platform.members.change(call.app.id, call.path["user"], call.body.role, call.actor)


async def remove(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Take a membership away."""
    await platform.members.remove(call.app.id, call.path["user"], call.actor)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/members",
        handle=list_,
        access="app.admin",
        query=ListQuery,
        summary="List an app's members",
    ),
    Endpoint(
        method="PUT",
        path="/apps/{app}/members/{user}",
        handle=grant,
        access="app.admin",
        action="member.grant",
        body=MemberRole,
        errors=(Conflict,),
        summary="Make a user, by id or name, a member of an app",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}/members/{user}",
        handle=change,
        access="app.admin",
        action="member.change",
        body=MemberRole,
        summary="Give a member another role",
    ),
    Endpoint(
        method="DELETE",
        path="/apps/{app}/members/{user}",
        handle=remove,
        access="app.admin",
        action="member.remove",
        status=204,
        summary="Take a membership away, where there is one",
    ),
)
