"""Routes of an app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from picloud.control.routes import Route, RouteCheck, RouteDraft
from picloud.core.errors import Conflict, NotFound
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.routing.explain import explain


class NewRoute(Body):
    """A new route.

    Attributes:
        script_id: a script of the app, of kind `endpoint`.
        method: the method; None for all methods.
        path: `/exact`, `/users/:id` or `/files/*`.
        host: `any`, a host claimed by the app, `*.example.com` or `:tenant.example.com`.
        dispatch_mode: `sync`.
    """

    script_id: str
    method: str | None = None
    path: str
    host: str = "any"
    dispatch_mode: str = "sync"

    @property
    def draft(self) -> RouteDraft:
        """The route as the service expects it."""
        return RouteDraft(self.script_id, self.method, self.path, self.host, self.dispatch_mode)


class RouteToCheck(NewRoute):
    """A route to check, as a new route or as a replacement of `route_id`.

    Attributes:
        route_id: the route it would replace.
    """

    route_id: str | None = None


class RoutePatch(Body):
    """A JSON merge patch of a route: absent fields keep their value; only `method` can be null, for all."""

    script_id: str | None = None
    method: str | None = None
    path: str | None = None
    host: str | None = None
    dispatch_mode: str | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The fields to change."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Probe(Body):
    """A request to match.

    Attributes:
        method: the method.
        url: a full URL, or a path to ignore the host.
    """

    method: str = Field("GET", min_length=1, max_length=32)
    url: str = Field(min_length=1, max_length=8192)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The route that matches a request.

    Attributes:
        route: the route; None if none matches.
        params: the parameters of its patterns.
        rest: the path after a prefix pattern.
        reason: the explanation, as a sentence.
    """

    route: Route | None
    params: dict[str, str]
    rest: str
    reason: str


async def create(platform: Platform, call: AdminCall[NewRoute, Any]) -> Route:
    """Create a route."""
    return await platform.routes.create(call.app.id, call.body.draft, call.actor)


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Route]:
    """List an app's routes."""
    return await platform.routes.list(call.app.id, call.query.page)


async def list_of_script(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Route]:
    """List a script's routes."""
    return await platform.routes.of_script(call.script.app_id, call.script.id, call.query.page)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Route:
    """Return a route."""
    return await platform.routes.get(call.app.id, call.path["route"])


async def update(platform: Platform, call: AdminCall[RoutePatch, Any]) -> Route:
    """Update a route."""
    return await platform.routes.update(call.app.id, call.path["route"], call.body.changes, call.actor)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete a route."""
    await platform.routes.delete(call.app.id, call.path["route"], call.actor)


async def check(platform: Platform, call: AdminCall[RouteToCheck, Any]) -> RouteCheck:
    """Check whether a route could be created."""
    return await platform.routes.check(call.app.id, call.body.draft, call.body.route_id)


async def match(platform: Platform, call: AdminCall[Probe, Any]) -> RouteMatch:
    """Find the route that matches a request."""
    directory, app_id = platform.directory, call.app.id
    app = await directory.app(app_id)
    if app is None:
        raise NotFound("app", app_id)
    found = explain(await directory.domains(), app.routes, app_id, call.body.method, call.body.url)
    if found.match is None:
        return RouteMatch(None, {}, "", found.reason)
    route = await platform.routes.get(app_id, str(found.match.route.id))
    return RouteMatch(route, found.match.params, found.match.rest, found.reason)


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
        summary="Create a route",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/routes",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List the routes of an app",
    ),
    Endpoint(
        method="POST",
        path="/apps/{app}/routes:check",
        handle=check,
        access="app.read",
        action="route.check",
        body=RouteToCheck,
        summary="Check whether a route could be created, and which routes conflict with it",
    ),
    Endpoint(
        method="POST",
        path="/apps/{app}/routes:match",
        handle=match,
        access="app.read",
        action="route.match",
        body=Probe,
        summary="Find the route that matches a request",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/routes/{route}",
        handle=get,
        access="app.read",
        summary="Get a route",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}/routes/{route}",
        handle=update,
        access="route.write",
        action="route.update",
        body=RoutePatch,
        errors=(Conflict,),
        summary="Update a route",
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
    Endpoint(
        method="GET",
        path="/scripts/{script}/routes",
        handle=list_of_script,
        access="app.read",
        query=ListQuery,
        summary="List the routes of a script",
    ),
)
