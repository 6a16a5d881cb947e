"""Keeps the rows of files and their bytes in the store consistent.

Bytes are stored before a row refers to them, and removed after the row is deleted. So a crash can leave bytes
without a row, which the sweep removes, but never a row without bytes.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID, uuid4

from picloud.core.errors import ServiceError, StorageFull
from picloud.core.repeated_log import RepeatedLog
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.services.files.file import Corrupted, File
from picloud.services.files.store import Blob, BlobMissing, BlobStore, OpenBlob

_TRIES = 10  # to open a file that is being updated

_SQL = load("files")
_log = logging.getLogger(__name__)
_log_full = RepeatedLog(_log, logging.ERROR)


class Blobs:
    """The bytes of files."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database, self._store = database, store

    async def find(self, app_id: UUID, collection: str, file_id: UUID) -> File | None:
        """Return a file, or None."""
        row = await self._database.fetchrow(_SQL.file_find, app_id, collection, file_id)
        return None if row is None else File(**row)

    async def put(self, app_id: UUID, data: bytes) -> tuple[Blob, bytes]:
        """Store bytes, before a row refers to them.

        Args:
            data: the bytes.

        Returns:
            The blob and its SHA-256.

        Raises:
            ServiceError: they cannot be stored; nothing remains in the store.
            StorageFull: the disk has no space left; nothing remains in the store.
        """
        blob = Blob(app_id, uuid4())
        try:
            return blob, await self._store.put(blob, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                _log_full("no space left for a file of app %s", app_id)
                raise StorageFull from None
            _log.exception("a file of app %s could not be written", app_id)
            raise ServiceError("the file could not be written") from None

    @asynccontextmanager
    async def naming(self, blob: Blob) -> AsyncIterator[None]:
        """Wrap a write that refers to a blob: if it fails, the blob is removed.

        If the database connection breaks, the write may be committed: then the blob is left to the sweep.

        Raises:
            ServiceError: the block raised it.
        """
        try:
            yield
        except (ServiceError, StorageFull):
            await self.drop(blob)
            raise

    async def hold(self, connection: Connection, blob: Blob) -> None:
        """Lock a blob against the sweep until the transaction that refers to it ends.

        Args:
            connection: in that transaction.
            blob: the blob.

        Raises:
            ServiceError: the sweep has removed it.
        """
        await connection.execute(_SQL.blob_hold, blob.id)
        if not await self._store.has(blob):
            raise ServiceError("writing the file took too long; try again")

    async def drop(self, blob: Blob) -> None:
        """Remove a blob without a row; if that fails, it is left to the sweep."""
        try:
            await self._store.remove(blob)
        except OSError:
            _log.exception("the bytes %s of app %s could not be removed", blob.id, blob.app_id)

    async def drop_app(self, app_id: UUID) -> None:
        """Remove all blobs of a deleted app."""
        await self._store.remove_app(app_id)

    async def read(self, file: File) -> tuple[File, bytes] | None:
        """Read a whole file.

        Args:
            file: the file as found.

        Returns:
            The current file and its bytes; None when it was deleted in the meantime.

        Raises:
            Corrupted: the bytes do not match the checksum.
            ServiceError: they cannot be read.
        """
        opened = await self._open(file)
        if opened is None:
            return None
        file, blob = opened
        try:
            with _reading(file):
                data, digest = await blob.whole()
        finally:
            blob.close()
        _check(file, len(data), digest)
        return file, data

    async def verified(self, file: File) -> tuple[File, OpenBlob] | None:
        """Open a file and verify its checksum.

        Args:
            file: the file as found.

        Returns:
            The current file and its open bytes, which the caller must close; None when it was deleted in the
            meantime.

        Raises:
            Corrupted: the bytes do not match the checksum.
            ServiceError: they cannot be read.
        """
        opened = await self._open(file)
        if opened is None:
            return None
        file, blob = opened
        try:
            with _reading(file):
                digest = await blob.sha256()
            _check(file, blob.size, digest)
        except BaseException:
            blob.close()
            raise
        return file, blob

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    async def _open(self, file: File) -> tuple[File, OpenBlob] | None:
        """Open the bytes of a file, or its current bytes if they were replaced in the meantime."""
        for _ in range(_TRIES):
            try:
                with _reading(file):
                    return file, await self._store.open(file.bytes_at)
            except BlobMissing:
                current = await self.find(file.app_id, file.collection, file.id)
            if current is None:
                return None
            if current.blob == file.blob:
                _log.error("corrupted: the bytes of file %s of app %s are missing", file.id, file.app_id)
                raise Corrupted
            file = current
        raise ServiceError("the file is being changed; try again")


def _check(file: File, size: int, digest: bytes) -> None:
    if size != file.size or digest != file.sha256:
        _log.error(
            "corrupted: the bytes of file %s of app %s do not match the checksum", file.id, file.app_id
        )
        raise Corrupted


@contextmanager
def _reading(file: File) -> Iterator[None]:
    """Convert read errors of the store into errors for the script, and log the file."""
    try:
        yield
    except OSError:
        _log.exception("file %s of app %s could not be read", file.id, file.app_id)
        raise ServiceError("the file could not be read") from None
