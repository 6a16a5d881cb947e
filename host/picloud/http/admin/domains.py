"""Domains of an app."""

from __future__ import annotations

from typing import Any

from picloud.control.domains import Domain
from picloud.core.errors import Conflict
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ForceQuery, ListQuery
from picloud.http.admin.fields import Body


class NewDomain(Body):
    """A new domain."""

    pattern: str


async def create(platform: Platform, call: AdminCall[NewDomain, Any]) -> Domain:
    """Claim a host."""
    return await platform.domains.create(call.app.id, call.body.pattern, call.actor)


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Domain]:
    """List the domains of an app."""
    return await platform.domains.list(call.app.id, call.query.page)


async def delete(platform: Platform, call: AdminCall[Any, ForceQuery]) -> None:
    """Delete a domain."""
    await platform.domains.delete(call.app.id, call.path["domain"], call.actor, call.query.force)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps/{app}/domains",
        handle=create,
        access="domain.manage",
        action="domain.create",
        status=201,
        body=NewDomain,
        errors=(Conflict,),
        summary="Claim a domain: a host, or all subdomains of a name",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/domains",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List the domains of an app",
    ),
    Endpoint(
        method="DELETE",
        path="/apps/{app}/domains/{domain}",
        handle=delete,
        access="domain.manage",
        action="domain.delete",
        status=204,
        query=ForceQuery,
        errors=(Conflict,),
        summary="Delete a domain",
    ),
)
