"""An app's files as people look through them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import FileUnreadable, NotFound, ServiceError
from picloud.core.pagination import Page, PageRequest
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.services.collections import list_collections, require_valid_name
from picloud.services.files.file import File
from picloud.services.files.service import Files
from picloud.services.files.store import OpenBlob

_SQL = load("files")


@dataclass(frozen=True, slots=True)
class FileCollection:
    """A collection of files.

    Attributes:
        name: its name.
        files: how many it has, counted up to 1,000.
        bytes: how many these have.
        more: there are more than were counted.
    """

    name: str
    files: int
    bytes: int
    more: bool


class FilesAdmin:
    """What the admin API asks of files."""

    def __init__(self, database: Database, files: Files, searches: AppLimiter) -> None:
        """Args: database: the pool. files: the service. searches: turns, with those in documents."""
        self._database, self._files, self._searches = database, files, searches

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[FileCollection]:
        """List the collections of an app by name.

        Args:
            limit: maximum number.
            cursor: of the page before; None for the first.

        Raises:
            Invalid: the cursor is not one that was given out.
        """
        return await list_collections(
            self._database, self._searches, _SQL.file_collections, FileCollection, app_id, limit, cursor
        )

    async def list(self, app_id: UUID, collection: str, page: PageRequest) -> Page[File]:
        """List the files of a collection, oldest first.

        Raises:
            NotFound: the collection does not exist.
        """
        require_valid_name(collection)
        rows = await self._database.fetch(_SQL.files_page, app_id, collection, page.after, page.limit + 1)
        if not rows and page.after is None:
            raise NotFound("collection", collection)
        return Page.of(rows, page.limit, lambda row: File(**row))

    async def get(self, app_id: UUID, collection: str, id_: str) -> File:
        """What is known of a file.

        Raises:
            NotFound: not found.
        """
        require_valid_name(collection)
        file = await self._files.find(app_id, collection, id_)
        if file is None:
            raise NotFound("file", id_)
        return file

    async def open(self, file: File) -> tuple[File, OpenBlob]:
        """Open a file to send it, verified.

        Args:
            file: as it was found.

        Returns:
            The file as it is now, and its bytes, to be closed.

        Raises:
            NotFound: it was removed in the meantime.
            FileUnreadable: its bytes are not those that were stored.
        """
        try:
            opened = await self._files.open(file)
        except ServiceError:
            raise FileUnreadable from None
        if opened is None:
            raise NotFound("file", file.id)
        return opened

    async def delete(self, app_id: UUID, collection: str, id_: str, *, actor: Actor) -> None:
        """Remove a file.

        Args:
            collection: where.
            id_: the file.

        Raises:
            NotFound: not found.
        """
        require_valid_name(collection)
        if not await self._files.remove(actor, app_id, collection, id_):
            raise NotFound("file", id_)
