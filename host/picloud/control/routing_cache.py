"""The routing cache of a worker: domains and routes, never older than the last completed write.

There is one table of domains for the instance, and one table of routes for each app, which the first request
loads. Every change of an app's routes or CORS settings increases its revision. When the generation of the
node changes, the revisions in memory are compared with the database, and only apps with another revision are
read again, usually just the changed routes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from uuid import UUID

from asyncpg import Record

from picloud.core.generations import Generations
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.routing.conflict import RoutePattern
from picloud.routing.cors import Cors
from picloud.routing.domains import DomainTable
from picloud.routing.hosts import parse_host
from picloud.routing.pattern import parse_path
from picloud.routing.table import RouteTable

_CHANGES_KEPT = 900  # revisions; the database keeps more (migrations/0003_routing.sql)
_CHANGES_TAKEN = 1000  # routes; if more changed, all are read
_AT_ONCE = 500  # routes; parsing these takes a few milliseconds, then other tasks run

_APPS, _DOMAINS, _ROUTES = load("apps"), load("domains"), load("routes")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AppRouting:
    """The routing of one app.

    Attributes:
        routes: method, host and path -> route.
        cors: the CORS settings, or None to send no CORS headers.
        revision: at least this revision of the app was read.
    """

    app_id: UUID
    routes: RouteTable
    cors: Cors | None
    revision: int


class RoutingCache:
    """The routing tables of one worker."""

    def __init__(self, database: Database, generations: Generations, default_app: str | None = None) -> None:
        """Create an empty cache.

        Args:
            generations: show when the tables are out of date.
            default_app: slug of the app for unclaimed hosts, while no other app has claimed any; or None.
        """
        self._database = database
        self._default_app = default_app
        self._default_id: UUID | None = None
        self._current = generations.current

        self._domains = DomainTable(())
        self._domains_fingerprint = 0
        self._domains_seen = b""  # generation before the table was read; no generation is empty
        self._apps: dict[UUID, AppRouting] = {}
        self._behind: set[UUID] = set()
        self._routes_seen = b""  # generation before the revisions were last compared

        self._loads: SingleFlight[str | UUID] = SingleFlight()  # "domains", "revisions", an app's routes

    async def find(self, host: str) -> tuple[AppRouting, str] | None:
        """Find the app of a request, from memory unless a write was announced since.

        Args:
            host: the Host header.

        Returns:
            The routing and the normalised host; None when no app responds to the host.

        Raises:
            Unavailable: the database cannot be reached.
        """
        if self._domains_seen != self._current("domains"):
            await self.domains()
        found = self._domains.find(host)
        if found is None:
            return None
        app_id, name = found
        app = self._apps.get(app_id)
        if app is None or self._routes_seen != self._current("routes") or app_id in self._behind:
            app = await self.app(app_id)
        return (app, name) if app is not None else None

    async def domains(self) -> DomainTable:
        """Return the current domains of all apps. Raises: Unavailable: as `find`."""
        return await self._loads.get(
            "domains",
            lambda: self._domains if self._domains_seen == self._current("domains") else None,
            self._read_domains,
        )

    async def app(self, app_id: UUID) -> AppRouting | None:
        """Return the current routing of one app.

        Returns:
            Its routing, or None when the app does not exist.

        Raises:
            Unavailable: as `find`.
        """
        await self._loads.get(
            "revisions",
            lambda: True if self._routes_seen == self._current("routes") else None,
            self._compare_revisions,
        )
        return await self._loads.get(
            app_id,
            lambda: self._apps.get(app_id) if app_id not in self._behind else None,
            lambda: self._load(app_id),
        )

    async def check(self) -> None:
        """Compare every table with the database, in case a notification was lost; reload when needed.

        Raises:
            Unavailable: the database cannot be reached; the tables stay in use.
        """
        await self._loads.get("revisions", lambda: None, self._compare_revisions)
        fingerprint = await self._database.fetchval(_DOMAINS.domains_fingerprint)
        # An app can get or lose the slug of the default app without a change of domains.
        if fingerprint != self._domains_fingerprint or await self._find_default() != self._default_id:
            self._domains_seen = b""

    async def _read_domains(self) -> DomainTable:
        seen = self._current("domains")
        # The fingerprint first: if it is older than the table, the next check reads the table again.
        self._domains_fingerprint = await self._database.fetchval(_DOMAINS.domains_fingerprint)
        self._default_id = await self._find_default()
        rows = await self._database.fetch(_DOMAINS.domains_all)
        self._domains = DomainTable(((row["pattern"], row["app_id"]) for row in rows), self._default_id)
        self._domains_seen = seen
        return self._domains

    async def _find_default(self) -> UUID | None:
        if self._default_app is None:
            return None
        row = await self._database.fetchrow(_APPS.app_by_slug, self._default_app)
        return row["id"] if row is not None else None

    async def _compare_revisions(self) -> bool:
        """Find the apps in memory that are out of date."""
        seen = self._current("routes")
        if self._apps:
            rows = await self._database.fetch(_ROUTES.routing_revisions, list(self._apps))
            revisions = {row["id"]: row["routing_revision"] for row in rows}
            for app_id, app in list(self._apps.items()):
                if app_id not in revisions:
                    del self._apps[app_id]
                # Not "older than": a table read in the meantime is newer than these rows.
                elif app.revision != revisions[app_id]:
                    self._behind.add(app_id)
        self._routes_seen = seen
        return True

    def _keep(self, app_id: UUID, app: AppRouting | None, seen: bytes) -> None:
        """Store a table; it is out of date if the revisions were compared during the read."""
        if app is None:
            self._apps.pop(app_id, None)
        else:
            self._apps[app_id] = app
        if app is not None and self._routes_seen != seen:
            self._behind.add(app_id)
        else:
            self._behind.discard(app_id)

    async def _load(self, app_id: UUID) -> AppRouting | None:
        known, seen = self._apps.get(app_id), self._routes_seen
        app = await self._update(known) if known is not None else None
        if app is None:
            app = await self._load_whole(app_id)
        self._keep(app_id, app, seen)
        return app

    async def _update(self, known: AppRouting) -> AppRouting | None:
        """Apply the changed routes; None when there are too many, or the app was deleted."""
        rows = await self._database.fetch(
            _ROUTES.routes_changed_since, known.app_id, known.revision, _CHANGES_TAKEN
        )
        if not rows or len(rows) == _CHANGES_TAKEN:
            return None
        revision, cors = rows[0]["routing_revision"], rows[0]["cors"]
        if revision - known.revision > _CHANGES_KEPT:
            return None
        changed = {row["route_id"]: row for row in rows if row["route_id"] is not None}
        patterns = {route_id: _pattern(row) for route_id, row in changed.items() if row["path"] is not None}
        # No await below: a request never sees a partial update.
        for route_id in changed:
            known.routes.drop(route_id)
        for route_id, pattern in patterns.items():
            known.routes.put(route_id, changed[route_id]["script_id"], pattern)
        return replace(known, cors=Cors.stored(cors), revision=revision)

    async def _load_whole(self, app_id: UUID) -> AppRouting | None:
        async with self._database.transaction() as connection:  # a cursor needs one
            row = await connection.fetchrow(_ROUTES.app_routing, app_id)
            if row is None:
                return None
            table = RouteTable()
            async for route in connection.cursor(_ROUTES.routes_of_app, app_id, prefetch=_AT_ONCE):
                table.put(route["id"], route["script_id"], _pattern(route))
        return AppRouting(app_id, table, Cors.stored(row["cors"]), row["routing_revision"])


def _pattern(row: Record) -> RoutePattern:
    return RoutePattern(row["method"], parse_host(row["host"]), parse_path(row["path"]))
