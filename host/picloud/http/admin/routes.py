"""Routes of an app."""

from __future__ import annotations

from typing import Any

from picloud.errors import Conflict, NotFound
from picloud.http.admin.endpoint import Call, Endpoint, ListQuery
from picloud.http.fields import Body
from picloud.http.services import Services
from picloud.services.ids import parse_id
from picloud.services.page import Page
from picloud.services.routes import Route


class NewRoute(Body):
    """What a route is made from; `method` null is any method."""

    script_id: str
    method: str | None = None
    path: str
    host: str = "any"
    dispatch_mode: str = "sync"


async def create(services: Services, call: Call[NewRoute, Any]) -> Route:
    """Make a route."""
    body = call.body
    script_id = parse_id(body.script_id)
    if script_id is None:
        raise NotFound("script", body.script_id)
    return await services.routes.create(
        call.app.id, script_id, body.method, body.path, body.host, body.dispatch_mode
    )


async def list_(services: Services, call: Call[Any, ListQuery]) -> Page[Route]:
    """List an app's routes."""
    return await services.routes.list(call.app.id, call.query.page)


async def delete(services: Services, call: Call[Any, Any]) -> None:
    """Delete a route."""
    await services.routes.delete(call.app.id, call.path["route"])


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps/{app}/routes",
        handle=create,
        access="route.write",
        action="route.create",
        status=201,
        body=NewRoute,
        errors=(Conflict,),
        summary="Make a route",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/routes",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List an app's routes",
    ),
    Endpoint(
        method="DELETE",
        path="/apps/{app}/routes/{route}",
        handle=delete,
        access="route.write",
        action="route.delete",
        status=204,
        summary="Delete a route",
    ),
)
