"""Where requests go: the routing tables in memory, never older than the last answered write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.generations import Generations
from picloud.routing.domains import DomainTable
from picloud.routing.table import RouteEntry, RouteTable

_DOMAINS, _ROUTES = load("domains"), load("routes")


@dataclass(frozen=True, slots=True)
class Tables:
    """One consistent reading of the routing tables.

    Attributes:
        domains: host -> app.
        routes: method and path -> route.
        generation: where the topics were before the tables were read.
    """

    domains: DomainTable
    routes: RouteTable
    generation: bytes


class Directory:
    """Keeps the tables of this worker."""

    def __init__(self, database: Database, generations: Generations) -> None:
        """Make it; the first request reads the tables."""
        self._database = database
        self._current = generations.current
        self._tables: Tables | None = None
        self._reading = asyncio.Lock()

    async def tables(self) -> Tables:
        """The tables as they are now: from memory, unless a write was announced since they were read.

        Raises:
            Unavailable: they had to be read and the database cannot be reached.
        """
        tables = self._tables
        if tables is not None and tables.generation == self._generation():
            return tables
        async with self._reading:
            return await self._read()

    def _generation(self) -> bytes:
        return self._current("domains") + self._current("routes")

    async def _read(self) -> Tables:
        generation = self._generation()
        if self._tables is None or self._tables.generation != generation:
            domains = await self._database.fetch(_DOMAINS.domains_all)
            routes = await self._database.fetch(_ROUTES.routes_all)
            self._tables = Tables(
                DomainTable((row["pattern"], row["app_id"]) for row in domains),
                RouteTable(RouteEntry(**row) for row in routes),
                generation,
            )
        return self._tables
