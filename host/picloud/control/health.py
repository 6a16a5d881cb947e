"""Whether this process can do its work, and what it is made of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from picloud import __version__
from picloud.core.errors import Unavailable
from picloud.db.pool import Database
from picloud.db.queries import load

API = "v1"
PATIENCE_SECONDS = 2.0

_SQL = load("health")


@dataclass(frozen=True, slots=True)
class Versions:
    """What runs here.

    Attributes:
        product: PiCloud's version.
        sdk: version of what scripts can call.
        api: version of the HTTP API.
        schema: number of the migration this code needs.
        guest: first 16 hexadecimal digits of the guest module's SHA-256.
    """

    product: str
    sdk: str
    api: str
    schema: int
    guest: str


class Health:
    """Answers /readyz and /version."""

    def __init__(self, database: Database, schema: int, sdk: str, guest_sha256: str) -> None:
        """Make it, once the guest is loaded.

        Args:
            schema: number of the last migration this code knows.
            sdk: as the guest says.
            guest_sha256: hexadecimal hash of the guest module that was loaded.
        """
        self._database = database
        self.versions = Versions(__version__, sdk, API, schema, guest_sha256[:16])

    async def problems(self) -> list[str]:
        """What keeps this process from serving.

        Returns:
            One sentence for each; none when it is ready. That the guest is loaded is known by this
            object being there.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                schema = await self._database.fetchval(_SQL.health_schema)
        except (Unavailable, TimeoutError):
            return ["the database is not reachable"]
        if schema != self.versions.schema:
            return [f"the schema is at {schema}, this version needs {self.versions.schema}"]
        return []
