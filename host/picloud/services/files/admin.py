"""Files for the admin API."""

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
        name: name of the collection.
        files: number of files, counted up to 1,000.
        bytes: bytes of these files.
        more: whether there are more files than were counted.
    """

    name: str
    files: int
    bytes: int
    more: bool


class FilesAdmin:
    """Lists, reads and deletes files."""

    def __init__(self, database: Database, files: Files, searches: AppLimiter) -> None:
        """Args: files: the service. searches: limits concurrent searches, shared with docs."""
        self._database, self._files, self._searches = database, files, searches

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[FileCollection]:
        """List the collections of an app by name.

        Args:
            limit: maximum number.
            cursor: cursor of the previous page; None for the first page.

        Raises:
            Invalid: invalid cursor.
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
        """Find a file.

        Raises:
            NotFound: the file does not exist.
        """
        require_valid_name(collection)
        file = await self._files.find(app_id, collection, id_)
        if file is None:
            raise NotFound("file", id_)
        return file

    async def open(self, file: File) -> tuple[File, OpenBlob]:
        """Open a file to send it, verified.

        Args:
            file: the file as found.

        Returns:
            The current file and its open bytes; the caller must close them.

        Raises:
            NotFound: it was deleted in the meantime.
            FileUnreadable: its bytes do not match the checksum.
        """
        try:
            opened = await self._files.open(file)
        except ServiceError:
            raise FileUnreadable from None
        if opened is None:
            raise NotFound("file", file.id)
        return opened

    async def delete(self, app_id: UUID, collection: str, id_: str, *, actor: Actor) -> None:
        """Delete a file.

        Raises:
            NotFound: the file does not exist.
        """
        require_valid_name(collection)
        if not await self._files.remove(actor, app_id, collection, id_):
            raise NotFound("file", id_)
