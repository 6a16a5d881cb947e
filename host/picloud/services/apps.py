"""Apps: the isolation boundary that owns everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.errors import Conflict, Invalid, NotFound
from picloud.services.page import Page, PageRequest

_SQL = load("apps")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class App:
    """An app.

    Attributes:
        id: the app.
        slug: its name in URLs.
        name: its name for people.
        description: free text.
        created_at: when it was made.
        updated_at: last change.
    """

    id: UUID
    slug: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


class Apps:
    """The apps of the instance."""

    def __init__(self, database: Database) -> None:
        """Make it."""
        self._database = database

    async def create(self, slug: str, name: str, description: str = "") -> App:
        """Make an app.

        Args:
            slug: 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen, and no UUID.
            name: for people.
            description: free text.

        Returns:
            The app.

        Raises:
            Invalid: the slug cannot be one.
            Conflict: another app has it.
        """
        # A slug that reads as an id would make `/apps/{id_or_slug}` ambiguous.
        if not _SLUG.fullmatch(slug) or parse_id(slug) is not None:
            raise Invalid(
                "a slug has 1 to 63 lower-case letters, digits or hyphens, no hyphen first, and is no id",
                field="slug",
            )
        try:
            row = await self._database.fetchrow(_SQL.app_insert, uuid7(), slug, name, description)
        except UniqueViolationError:
            raise Conflict("this slug is taken", field="slug") from None
        assert row is not None
        return App(**row)

    async def get(self, id_or_slug: str) -> App:
        """Find an app.

        Args:
            id_or_slug: as it stands in a URL.

        Returns:
            The app.

        Raises:
            NotFound: there is none.
        """
        app_id = parse_id(id_or_slug)
        row = None
        if app_id is not None:
            row = await self._database.fetchrow(_SQL.app_by_id, app_id)
        elif _SLUG.fullmatch(id_or_slug):
            row = await self._database.fetchrow(_SQL.app_by_slug, id_or_slug)
        if row is None:
            raise NotFound("app", id_or_slug)
        return App(**row)

    async def list(self, page: PageRequest) -> Page[App]:
        """List the apps, oldest first."""
        rows = await self._database.fetch(_SQL.apps_list, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: App(**row))


def parse_id(text: str) -> UUID | None:
    """Read an id as PiCloud writes it.

    Args:
        text: any text.

    Returns:
        The id, or None when it is none; other spellings UUIDs have (braces, urn:) are none either.
    """
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
