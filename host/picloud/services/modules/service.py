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
from picloud.services.call_context import Call
from picloud.services.modules.names import unusable

MAX_REMEMBERED_MISSING = 4096
"""Names that a worker remembers as those of no module."""

_SQL = load("modules")


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
        self._database, self._current = database, generations.current
        # App and name -> where the topic was when there was no such module.
        self._missing: LRUCache[tuple[UUID, str], bytes] = LRUCache(MAX_REMEMBERED_MISSING)

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
        generation = self._current("scripts")
        if unusable(name) is not None or self._missing.get((call.app_id, name)) == generation:
            return None
        row = await self._database.fetchrow(_SQL.module_source, call.app_id, name)
        if row is None:
            self._missing[call.app_id, name] = generation
            return None
        if row["kind"] != "module":
            raise ServiceError("module unavailable")
        source: str = row["source"]
        return source.encode()
