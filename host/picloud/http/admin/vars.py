"""Variables of an app."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from picloud.core.errors import QuotaExceeded
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.services.vars import SERVICE
from picloud.services.vars.admin import Variable


class NewValue(Body):
    """The value of a variable.

    Attributes:
        value: a string of at most 8 KiB in UTF-8.
    """

    value: str = Field(examples=["https://example.com"])


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Variable]:
    """List the variables."""
    return await platform.services.admin(SERVICE).list(call.app.id, call.query.limit, call.query.cursor)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Variable:
    """Return a variable."""
    return await platform.services.admin(SERVICE).get(call.app.id, call.path["variable"])


async def put(platform: Platform, call: AdminCall[NewValue, Any]) -> Variable:
    """Set a variable."""
    return await platform.services.admin(SERVICE).put(
        call.app.id, call.path["variable"], call.body.value, actor=call.actor
    )


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete a variable."""
    await platform.services.admin(SERVICE).delete(call.app.id, call.path["variable"], actor=call.actor)


_VARIABLE = "/apps/{app}/vars/{variable}"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/vars",
        handle=list_,
        access="vars.read",
        query=ListQuery,
        summary="List the variables of an app by name",
    ),
    Endpoint(method="GET", path=_VARIABLE, handle=get, access="vars.read", summary="Get a variable"),
    Endpoint(
        method="PUT",
        path=_VARIABLE,
        handle=put,
        access="vars.write",
        action="vars.update",
        body=NewValue,
        errors=(QuotaExceeded,),
        summary="Create or replace a variable",
    ),
    Endpoint(
        method="DELETE",
        path=_VARIABLE,
        handle=delete,
        access="vars.write",
        action="vars.delete",
        status=204,
        summary="Delete a variable",
    ),
)
