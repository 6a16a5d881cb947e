"""vars: the variables of an app, read from memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cachetools import LRUCache

from picloud.core.generations import Generations
from picloud.core.interface import LIMITS, HostFunction
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.db.revisions import Revisions
from picloud.services.call_context import Call

TOPIC = "vars"
MAX_VARS = 256
"""Variables of one app."""
MAX_VARS_BYTES = LIMITS.number("default_max_string_size")
"""Bytes of the values of one app: as many as `vars::all` can return to a script with the default limits."""
CACHE_BYTES = 32 * 1024 * 1024
"""Memory per worker for the variables of all apps."""

_OVERHEAD = 1024  # approximate bytes per app, in addition to names and values
_SQL = load("vars")


class Variables(Protocol):
    """The host functions of vars."""

    async def get(self, call: Call, name: str) -> str | None:
        """Return the value of a variable, or None if it is not set."""

    async def all(self, call: Call) -> Mapping[str, str]:
        """Return the variables of the app by name."""


def host_functions(variables: Variables) -> Mapping[str, HostFunction]:
    """The host functions of vars by import name."""
    return {"vars_get": variables.get, "vars_all": variables.all}


@dataclass(frozen=True, slots=True)
class _AppVariables:
    """The variables of an app. Attributes: revision: revision of the app at the read. values: by name."""

    revision: int
    values: Mapping[str, str]

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return sum(map(sys.getsizeof, (*self.values.keys(), *self.values.values())), _OVERHEAD)


class Vars:
    """The variables of apps, cached until an app writes one."""

    def __init__(self, database: Database, generations: Generations) -> None:
        """Create the service.

        Args:
            generations: show when variables were written.
        """
        self._database = database
        self._revisions = Revisions(database, generations, TOPIC, _SQL.vars_revisions)
        self._apps: LRUCache[UUID, _AppVariables] = LRUCache(CACHE_BYTES, getsizeof=lambda known: known.size)
        self._loads: SingleFlight[UUID] = SingleFlight()

    async def get(self, call: Call, name: str) -> str | None:
        """Read a variable.

        Args:
            call: the calling execution.
            name: any string.

        Returns:
            Its value, or None if it is not set.

        Raises:
            Unavailable: the database cannot be reached.
        """
        return (await self.all(call)).get(name)

    async def all(self, call: Call) -> Mapping[str, str]:
        """Read the variables of the app by name.

        Raises:
            Unavailable: as `get`.
        """
        app_id = call.app_id
        return await self._loads.get(app_id, lambda: self._known(app_id), lambda: self._read(app_id))

    def _known(self, app_id: UUID) -> Mapping[str, str] | None:
        known = self._apps.get(app_id)
        return known.values if known is not None and known.revision == self._revisions.known(app_id) else None

    async def _read(self, app_id: UUID) -> Mapping[str, str]:
        mark = await self._revisions.compare()
        known = self._known(app_id)
        if known is not None:  # another app was written
            return known
        rows = await self._database.fetch(_SQL.vars_of_app, app_id)
        values = {row["name"]: row["value"] for row in rows if row["name"] is not None}
        if rows:  # no rows: the app was deleted
            self._apps[app_id] = _AppVariables(rows[0]["revision"], values)
            self._revisions.keep(app_id, rows[0]["revision"], mark)
        return values


class MemoryVars:
    """Fixed variables, for `picloud run` and tests."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Args: values: values by name."""
        self._values = dict(values)

    async def get(self, call: Call, name: str) -> str | None:
        """Return the value of a variable, or None if it is not set."""
        return self._values.get(name)

    async def all(self, call: Call) -> Mapping[str, str]:
        """Return the variables by name."""
        return self._values
