"""Domains: the hosts an app claims."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.db.changes import Changes
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.errors import Conflict
from picloud.routing.domains import parse_claim
from picloud.services.page import Page, PageRequest

_SQL = load("domains")


@dataclass(frozen=True, slots=True)
class Domain:
    """A claim.

    Attributes:
        id: the claim.
        app_id: its app.
        pattern: the host, normalised.
        kind: "exact".
        created_at: when it was made.
    """

    id: UUID
    app_id: UUID
    pattern: str
    kind: str
    created_at: datetime


class Domains:
    """The claims of apps."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """Make it."""
        self._database = database
        self._changes = changes

    async def create(self, app_id: UUID, pattern: str) -> Domain:
        """Claim a host.

        Args:
            app_id: the app.
            pattern: an exact host.

        Returns:
            The claim.

        Raises:
            Invalid: it is no host.
            Conflict: an app has claimed it.
        """
        host = parse_claim(pattern)
        try:
            async with self._changes.announce("domains") as connection:
                row = await connection.fetchrow(_SQL.domain_insert, app_id, uuid7(), host)
        except UniqueViolationError:
            raise Conflict(f"the host {host!r} is claimed already", field="pattern") from None
        assert row is not None
        return Domain(**row)

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Domain]:
        """List an app's claims, oldest first."""
        rows = await self._database.fetch(_SQL.domains_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Domain(**row))
