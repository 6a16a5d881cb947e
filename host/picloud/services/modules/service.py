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
"""Names that a worker remembers as those of no module."""

_SQL, _SCRIPTS = load("modules"), load("scripts")


class Sources(Protocol):
    """Where modules come from whose name a script made while it ran."""

    async def source(self, call: Call, name: str) -> bytes | None:
        """The source of a module, or None where there is none."""


def host_functions(modules: Sources) -> Mapping[str, HostFunction]:
    """The host function of imports that are no literals, by import name."""
    return {"module_source": modules.source}


class ModuleSources:
    """The modules of apps."""

    def __init__(self, database: Database, generations: Generations) -> None:
        """Create it. Args: database: the pool. generations: tell when scripts were saved."""
        self._database = database
        self._revisions = Revisions(database, generations, "scripts", _SCRIPTS.script_revisions)
        # App and name -> the app's revision when there was no such module.
        self._missing: LRUCache[tuple[UUID, str], int] = LRUCache(MAX_REMEMBERED_MISSING)

    async def source(self, call: Call, name: str) -> bytes | None:
        """The source of a module whose name a script made while it ran.

        Args:
            call: whose.
            name: any text.

        Returns:
            Rhai, UTF-8, as it is now, or None where the app has no such script.

        Raises:
            ServiceError: the script of this name is no module.
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
