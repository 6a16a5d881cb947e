"""Routes: which script handles which requests of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.control.domains import require_not_admin_host
from picloud.core.errors import Conflict, Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import HostKind, covering, parse_host
from picloud.routing.pattern import PathKind, parse_method, parse_path
from picloud.routing.table import MAX_SHAPES

MAX_ROUTES = 200_000
"""Routes of one app; workers that serve it have them in memory."""

_CONFLICTS_SHOWN = 20
_SQL = load("routes")
_SCRIPTS, _DOMAINS = load("scripts"), load("domains")


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Attributes:
        id: the route.
        app_id: its app.
        script_id: the script that handles the requests.
        method: an upper-case method, or None for any.
        host: "any", a host, `*.example.com` or `:tenant.example.com`.
        host_kind: any host of the app, one host, or every host below a name.
        path: canonical path pattern.
        path_kind: one path, one with parameters, or all below a path.
        dispatch_mode: "sync".
        created_at: when it was created.
        updated_at: last change.
    """

    id: UUID
    app_id: UUID
    script_id: UUID
    method: str | None
    host: str
    host_kind: HostKind
    path: str
    path_kind: PathKind
    dispatch_mode: str
    created_at: datetime
    updated_at: datetime

    @property
    def draft(self) -> RouteDraft:
        """The fields that users set."""
        return RouteDraft(str(self.script_id), self.method, self.path, self.host, self.dispatch_mode)


@dataclass(frozen=True, slots=True)
class RouteDraft:
    """The fields of a route that users set, unchecked.

    Attributes:
        script_id: an endpoint of the app.
        method: a method, or None for any.
        path: the path pattern.
        host: "any", a host, `*.example.com` or `:tenant.example.com`.
        dispatch_mode: "sync".
    """

    script_id: str
    method: str | None
    path: str
    host: str = "any"
    dispatch_mode: str = "sync"

    def check(self) -> RoutePattern:
        """Parse the patterns.

        Returns:
            The requests that the route matches.

        Raises:
            Invalid: a field is not valid; the message has the reason.
        """
        pattern = RoutePattern(parse_method(self.method), parse_host(self.host), parse_path(self.path))
        name = pattern.host.parameter
        if name is not None and name in dict(pattern.path.parameters):
            raise Invalid(f"the parameter {name!r} is used in both the host and the path", field="path")
        if self.dispatch_mode != "sync":
            raise Invalid("dispatch_mode must be 'sync'; 'async' is not available yet", field="dispatch_mode")
        return pattern


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """The result of a check of a route.

    Attributes:
        ok: True when there is no conflict.
        conflicts: routes that match the same requests with equal precedence, at most 20.
    """

    ok: bool
    conflicts: list[Route]


class Routes:
    """The routes of apps."""

    def __init__(self, database: Database, changes: ChangeNotifier, admin_host: str | None = None) -> None:
        """Create a `Routes`.

        Args:
            admin_host: the host of the admin API, which no app can use, or None.
        """
        self._database = database
        self._admin_host = admin_host
        self._changes = changes

    async def create(self, app_id: UUID, draft: RouteDraft, actor: Actor) -> Route:
        """Create a route.

        Args:
            draft: its fields.

        Raises:
            Invalid: a field is not valid; the message has the reason.
            NotFound: the app has no such script.
            Conflict: routes match the same requests with equal precedence (see the details), or the app has
                `MAX_ROUTES`.
        """
        pattern = draft.check()
        async with self._changes.transaction("routes") as connection:
            count = await connection.fetchval(_SQL.routes_lock, app_id)
            if count is None:
                raise NotFound("app", app_id)
            if count >= MAX_ROUTES:
                raise Conflict(f"an app can have at most {MAX_ROUTES} routes", limit=MAX_ROUTES)
            script_id = await self._verify(connection, app_id, draft, pattern)
            row = await connection.fetchrow(
                _SQL.route_insert, *columns(app_id, uuid7(), script_id, pattern, draft.dispatch_mode)
            )
            assert row is not None
            route = Route(**row)
            await audit.write(connection, actor, app_id=app_id, target=route.id, after=_audit_fields(route))
        return route

    async def get(self, app_id: UUID, route_id: str) -> Route:
        """Find a route of an app.

        Raises:
            NotFound: the app has no such route.
        """
        row = await self._database.fetchrow(_SQL.route_find, app_id, _id(route_id))
        if row is None:
            raise NotFound("route", route_id)
        return Route(**row)

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Route]:
        """List an app's routes, oldest first."""
        rows = await self._database.fetch(_SQL.routes_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Route(**row))

    async def of_script(self, app_id: UUID, script_id: UUID, page: PageRequest) -> Page[Route]:
        """List the routes of a script, oldest first."""
        rows = await self._database.fetch(
            _SQL.routes_list_of_script, app_id, page.after, page.limit + 1, script_id
        )
        return Page.of(rows, page.limit, lambda row: Route(**row))

    async def update(self, app_id: UUID, route_id: str, patch: Mapping[str, Any], actor: Actor) -> Route:
        """Update a route.

        Args:
            patch: JSON merge patch of the fields of `RouteDraft`; only `method` can be null.

        Returns:
            The updated route.

        Raises:
            Invalid, NotFound, Conflict: as `create`; also when the app has no such route.
        """
        for name, value in patch.items():
            if value is None and name != "method":
                raise Invalid(f"{name} cannot be null", field=name)
        async with self._changes.transaction("routes") as connection:
            await connection.execute(_SQL.routes_lock, app_id)
            row = await connection.fetchrow(_SQL.route_find, app_id, _id(route_id))
            if row is None:
                raise NotFound("route", route_id)
            route = Route(**row)
            draft = replace(route.draft, **patch)
            pattern = draft.check()
            script_id = await self._verify(connection, app_id, draft, pattern, route.id)
            row = await connection.fetchrow(
                _SQL.route_update, *columns(app_id, route.id, script_id, pattern, draft.dispatch_mode)
            )
            assert row is not None
            changed = Route(**row)
            await audit.write(
                connection,
                actor,
                app_id=app_id,
                target=route.id,
                before=_audit_fields(route),
                after=_audit_fields(changed),
            )
        return changed

    async def delete(self, app_id: UUID, route_id: str, actor: Actor) -> None:
        """Delete a route.

        Raises:
            NotFound: the app has no such route.
        """
        async with self._changes.transaction("routes") as connection:
            await connection.execute(_SQL.routes_lock, app_id)
            row = await connection.fetchrow(_SQL.route_delete, app_id, _id(route_id))
            if row is None:
                raise NotFound("route", route_id)
            route = Route(**row)
            await audit.write(connection, actor, app_id=app_id, target=route.id, before=_audit_fields(route))

    async def check(self, app_id: UUID, draft: RouteDraft, replaces: str | None = None) -> RouteCheck:
        """Check whether a route can be created.

        Args:
            draft: its fields.
            replaces: a route it would replace, or None.

        Returns:
            The result, with the conflicting routes.

        Raises:
            Invalid, NotFound: as `create`.
        """
        pattern = draft.check()
        async with self._database.transaction() as connection:
            route_id = _id(replaces) if replaces is not None else None
            await self._script(connection, app_id, draft)
            await self._require_routable(connection, app_id, pattern)
            conflicts = await self._conflicts(connection, app_id, pattern, route_id)
        return RouteCheck(not conflicts, list(conflicts))

    async def _verify(
        self,
        connection: Connection,
        app_id: UUID,
        draft: RouteDraft,
        pattern: RoutePattern,
        replaces: UUID | None = None,
    ) -> UUID:
        """Check that the app can have this route. Returns: the script's id."""
        script_id = await self._script(connection, app_id, draft)
        await self._require_routable(connection, app_id, pattern)
        conflicts = await self._conflicts(connection, app_id, pattern, replaces)
        if conflicts:
            raise Conflict(
                "another route matches the same requests with equal precedence",
                route=conflicts[0],
                routes=conflicts,
            )
        return script_id

    async def _script(self, connection: Connection, app_id: UUID, draft: RouteDraft) -> UUID:
        script_id = parse_id(draft.script_id)
        kind = script_id and await connection.fetchval(_SCRIPTS.script_lock, app_id, script_id)
        if script_id is None or kind is None:
            raise NotFound("script", draft.script_id)
        if kind != "endpoint":
            raise Invalid("a module cannot handle a route; use a script of kind endpoint", field="script_id")
        return script_id

    async def _require_routable(self, connection: Connection, app_id: UUID, pattern: RoutePattern) -> None:
        """Check that the app has claimed the host, and the number of shapes."""
        host = pattern.host.shape
        require_not_admin_host(host, self._admin_host, "host")
        if host != "any" and not await connection.fetchval(_DOMAINS.domain_claimed, app_id, covering(host)):
            raise Invalid(f"no domain of the app covers the host {host!r}; claim it first", field="host")
        if pattern.shape:
            shapes = {row["shape"] for row in await connection.fetch(_SQL.route_shapes, app_id, host)}
            if pattern.shape not in shapes and len(shapes) >= MAX_SHAPES:
                raise Invalid(
                    f"the app has paths with {MAX_SHAPES} different positions of parameters, the maximum; "
                    "use the positions of another route",
                    field="path",
                    limit=MAX_SHAPES,
                )

    async def _conflicts(
        self, connection: Connection, app_id: UUID, pattern: RoutePattern, replaces: UUID | None
    ) -> Sequence[Route]:
        """Return conflicting routes: the query selects candidates by an index, `conflict` decides."""
        found: list[Route] = []
        candidates = connection.cursor(
            _SQL.routes_conflicting, app_id, pattern.stem, pattern.method, pattern.tail, replaces
        )
        async for row in candidates:
            other = RoutePattern(row["method"], parse_host(row["host"]), parse_path(row["path"]))
            if conflict(pattern, other):
                found.append(Route(**row))
            if len(found) == _CONFLICTS_SHOWN:
                break
        return found


def columns(
    app_id: UUID, route_id: UUID, script_id: UUID, pattern: RoutePattern, dispatch_mode: str = "sync"
) -> tuple[object, ...]:
    """Return the parameters of `route_insert` and `route_update`.

    Args:
        script_id: the script that handles the requests.
        pattern: the requests it matches.
        dispatch_mode: "sync".
    """
    host, path = pattern.host, pattern.path
    return (
        app_id,
        route_id,
        script_id,
        pattern.method,
        str(host),
        host.kind,
        str(path),
        path.kind,
        dispatch_mode,
        host.shape,
        pattern.shape,
        pattern.stem,
        pattern.tail,
    )


def _id(route_id: str) -> UUID:
    parsed = parse_id(route_id)
    if parsed is None:
        raise NotFound("route", route_id)
    return parsed


def _audit_fields(route: Route) -> dict[str, object]:
    """What the audit log says of a route."""
    return {
        "script_id": str(route.script_id),
        "method": route.method,
        "host": route.host,
        "path": route.path,
        "dispatch_mode": route.dispatch_mode,
    }
