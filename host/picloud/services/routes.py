"""Routes: which script answers which requests of an app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.db.changes import Changes
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.errors import Conflict, Invalid, NotFound
from picloud.routing.pattern import parse_host, parse_method, parse_path
from picloud.services.ids import parse_id
from picloud.services.page import Page, PageRequest

_SQL = load("routes")
_APPS = load("apps")
_SCRIPTS = load("scripts")


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Attributes:
        id: the route.
        app_id: its app.
        script_id: the script that answers.
        method: an upper-case method, or None for any.
        host: "any".
        host_kind: "any".
        path: canonical path.
        path_kind: "exact".
        dispatch_mode: "sync".
        created_at: when it was made.
    """

    id: UUID
    app_id: UUID
    script_id: UUID
    method: str | None
    host: str
    host_kind: str
    path: str
    path_kind: str
    dispatch_mode: str
    created_at: datetime


class Routes:
    """The routes of apps."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """Make it."""
        self._database = database
        self._changes = changes

    async def create(
        self, app_id: UUID, script_id: UUID, method: str | None, path: str, host: str, dispatch_mode: str
    ) -> Route:
        """Make a route.

        Args:
            app_id: the app.
            script_id: an endpoint of the app.
            method: a method, or None for any.
            path: an exact path that is not reserved.
            host: "any".
            dispatch_mode: "sync".

        Returns:
            The route.

        Raises:
            Invalid: one of them is not acceptable; the message has the reason.
            NotFound: the app has no such script.
            Conflict: a route matches the same requests; it is in the details.
        """
        method, host, path = parse_method(method), parse_host(host), parse_path(path)
        if dispatch_mode != "sync":
            raise Invalid("only 'sync' routes can be made; 'async' ones cannot yet", field="dispatch_mode")
        async with self._changes.announce("routes") as connection:
            await connection.execute(_APPS.app_lock, app_id)
            kind = await connection.fetchval(_SCRIPTS.script_lock, app_id, script_id)
            if kind is None:
                raise NotFound("script", script_id)
            if kind != "endpoint":
                raise Invalid("a module cannot answer a route", field="script_id")
            other = await connection.fetchrow(_SQL.route_conflicting, app_id, method, host, path)
            if other is not None:
                raise Conflict("a route matches the same requests", route=Route(**other))
            row = await connection.fetchrow(
                _SQL.route_insert, app_id, uuid7(), script_id, method, host, path, dispatch_mode
            )
        assert row is not None
        return Route(**row)

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Route]:
        """List an app's routes, oldest first."""
        rows = await self._database.fetch(_SQL.routes_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Route(**row))

    async def delete(self, app_id: UUID, route_id: str) -> None:
        """Delete a route.

        Args:
            app_id: the app.
            route_id: as it stands in a URL.

        Raises:
            NotFound: the app has no such route.
        """
        parsed = parse_id(route_id)
        if parsed is None:
            raise NotFound("route", route_id)
        async with self._changes.announce("routes") as connection:
            if await connection.fetchval(_SQL.route_delete, app_id, parsed) is None:
                raise NotFound("route", route_id)
