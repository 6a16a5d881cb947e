"""An app's files as people look through them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from uuid import UUID

from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.errors import Invalid, NotFound, ServiceError
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.services.files.file import File
from picloud.services.files.service import Files
from picloud.services.page import Page, PageRequest

_SQL = load("files")


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of files.

    Attributes:
        name: its name.
        files: how many it has.
        bytes: how many these have.
    """

    name: str
    files: int
    bytes: int


class FileBrowser:
    """What the admin API asks of files."""

    def __init__(self, database: Database, files: Files) -> None:
        """Make it."""
        self._database, self._files = database, files

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[Collection]:
        """List the collections of an app by name.

        Args:
            app_id: the app.
            limit: at most so many.
            cursor: of the page before; None for the first.

        Raises:
            Invalid: the cursor is not one that was given out.
        """
        after = _read_name(cursor) if cursor else ""
        rows = await self._database.fetch(_SQL.file_collections, app_id, after, limit + 1)
        shown = [Collection(**row) for row in rows[:limit]]
        return Page(shown, _write_name(shown[-1].name) if len(rows) > limit else None)

    async def list(self, app_id: UUID, collection: str, page: PageRequest) -> Page[File]:
        """List the files of a collection, oldest first."""
        rows = await self._database.fetch(_SQL.files_page, app_id, collection, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: File(**row))

    async def get(self, app_id: UUID, collection: str, id_: str) -> File:
        """What is known of a file.

        Raises:
            NotFound: there is none.
        """
        try:
            file = await self._files.find(app_id, collection, id_)
        except ServiceError:  # no collection is called that
            file = None
        if file is None:
            raise NotFound("file", id_)
        return file

    async def delete(self, app_id: UUID, collection: str, id_: str, *, actor: Actor) -> None:
        """Remove a file.

        Args:
            app_id: the app.
            collection: where.
            id_: the file.
            actor: who removes it.

        Raises:
            NotFound: there is none.
        """

        async def note(connection: Connection, file: File) -> None:
            before = {
                "collection": file.collection,
                "name": file.name,
                "size": file.size,
                "sha256": file.sha256.hex(),
            }
            await audit.write(connection, actor, app_id=app_id, target=file.id, before=before)

        if await self._files.remove(app_id, collection, id_, note) is None:
            raise NotFound("file", id_)


def _write_name(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _read_name(cursor: str) -> str:
    try:
        name = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        name = ""
    if not name or "\0" in name:
        raise Invalid("this cursor was not given out by a list", field="cursor")
    return name
