"""Whether a route leads to a script, from memory while no routes were changed."""

from __future__ import annotations

from uuid import UUID

from cachetools import LRUCache

from picloud.core.generations import Generations
from picloud.db.pool import Database
from picloud.db.queries import load

_SQL = load("routes")
_MAX_SCRIPTS = 65_536


class RoutedScripts:
    """Remembers, per worker, which scripts have a route."""

    def __init__(self, database: Database, generations: Generations) -> None:
        """Args: generations: show when routes were changed."""
        self._database, self._current = database, generations.current
        self._known: LRUCache[tuple[UUID, UUID], tuple[bytes, bool]] = LRUCache(_MAX_SCRIPTS)

    async def has_route(self, app_id: UUID, script_id: UUID) -> bool:
        """Return whether a route of the app leads to the script.

        Raises:
            Unavailable: it is not known, and the database cannot be reached.
        """
        now = self._current("routes")
        known = self._known.get((app_id, script_id))
        if known is None or known[0] != now:
            found = bool(await self._database.fetchval(_SQL.script_has_route, app_id, script_id))
            known = self._known[app_id, script_id] = now, found
        return known[1]
