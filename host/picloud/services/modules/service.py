"""The sources of modules by name, from the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from cachetools import LRUCache

from picloud.core.errors import ServiceError
from picloud.core.generations import Generations
from picloud.core.interface import HostFunction
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.db.revisions import Revisions
from picloud.services.call_context import Call
from picloud.services.modules.names import unusable

MAX_REMEMBERED_MISSING = 4096
"""Names without a module that a worker remembers."""

_SQL, _SCRIPTS = load("modules"), load("scripts")


class Sources(Protocol):
    """Finds modules whose names a script computes at run time."""

    async def source(self, call: Call, name: str) -> bytes | None:
        """Return the source of a module, or None."""


def host_functions(modules: Sources) -> Mapping[str, HostFunction]:
    """The host function of imports with computed names."""
    return {"module_source": modules.source}


class ModuleSources:
    """The modules of apps."""

    def __init__(self, database: Database, generations: Generations) -> None:
        """Create it. Args: generations: show when scripts were saved."""
        self._database = database
        self._revisions = Revisions(database, generations, "scripts", _SCRIPTS.script_revisions)
        # App and name -> the app's revision when the module was missing.
        self._missing: LRUCache[tuple[UUID, str], int] = LRUCache(MAX_REMEMBERED_MISSING)

    async def source(self, call: Call, name: str) -> bytes | None:
        """Return the source of a module whose name a script computes at run time.

        Args:
            call: the calling execution.
            name: any string.

        Returns:
            The current source in UTF-8, or None if the app has no script with this name.

        Raises:
            ServiceError: the script is not a module.
        """
        if unusable(name) is not None:
            return None
        app_id, mark = call.app_id, await self._revisions.compare()
        missing_at = self._missing.get((app_id, name))
        if missing_at is not None and missing_at == self._revisions.known(app_id):
            return None
        row = await self._database.fetchrow(_SQL.module_source, app_id, name)
        if row is None:  # the app was deleted
            return None
        self._revisions.keep(app_id, row["revision"], mark)
        if row["kind"] is None:
            self._missing[app_id, name] = row["revision"]
            return None
        if row["kind"] != "module":
            raise ServiceError("module unavailable")
        source: str = row["source"]
        return source.encode()
