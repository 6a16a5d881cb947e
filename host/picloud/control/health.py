"""Readiness of this process, and the versions of its parts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from picloud import __version__
from picloud.core.disk_space import DiskSpace
from picloud.core.errors import Unavailable
from picloud.db.pool import Database
from picloud.db.queries import load

API = "v1"
PATIENCE_SECONDS = 2.0

_SQL = load("health")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of this server.

    Attributes:
        product: PiCloud's version.
        sdk: version of the functions that scripts can call.
        api: version of the HTTP API.
        schema: number of the migration this code needs.
        guest: first 16 hexadecimal digits of the SHA-256 of the guest module.
    """

    product: str
    sdk: str
    api: str
    schema: int
    guest: str


class Health:
    """Serves /readyz and /version."""

    def __init__(
        self, database: Database, schema: int, sdk: str, guest_sha256: str, space: DiskSpace
    ) -> None:
        """Create it once the guest is loaded.

        Args:
            schema: number of the last migration this code knows.
            sdk: SDK version of the guest.
            guest_sha256: hexadecimal hash of the guest module that was loaded.
            space: of the disk of the data folder.
        """
        self._database, self._space = database, space
        self.versions = Versions(__version__, sdk, API, schema, guest_sha256[:16])

    async def problems(self) -> list[str]:
        """Return why this process cannot serve requests.

        Returns:
            One message per problem; empty when ready. The guest is loaded before this object exists.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                schema = await self._database.fetchval(_SQL.health_schema)
        except (Unavailable, TimeoutError):
            return ["the database is not reachable"]
        if schema != self.versions.schema:
            return [f"the schema version is {schema}, but this server needs {self.versions.schema}"]
        if self._space.is_full():
            return ["the disk of the data folder is full; only deletions work"]
        return []
