"""Rows and the bytes they name: each there when the other is.

Bytes are in the store before a row names them, and are removed after the row that named them is gone. So
what a crash leaves behind is bytes without a row, for the sweep, and never a row without bytes.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID, uuid4

from picloud.core.errors import ServiceError
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.services.files.file import Corrupted, File
from picloud.services.files.store import Blob, BlobMissing, BlobStore, OpenBlob

_TRIES = 10  # to open a file that is updated again and again

_SQL = load("files")
_log = logging.getLogger(__name__)


class Blobs:
    """The bytes of files."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database, self._store = database, store

    async def find(self, app_id: UUID, collection: str, file_id: UUID) -> File | None:
        """What is known of a file, or None."""
        row = await self._database.fetchrow(_SQL.file_find, app_id, collection, file_id)
        return None if row is None else File(**row)

    async def put(self, app_id: UUID, data: bytes) -> tuple[Blob, bytes]:
        """Store bytes that no row names yet.

        Args:
            app_id: whose.
            data: the bytes.

        Returns:
            Where they are, and their SHA-256.

        Raises:
            ServiceError: they cannot be stored; nothing is left of them.
        """
        blob = Blob(app_id, uuid4())
        try:
            return blob, await self._store.put(blob, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                _log.error("there is no space for a file of app %s", app_id)
                raise ServiceError("there is no space left for files") from None
            _log.exception("a file of app %s could not be written", app_id)
            raise ServiceError("the file could not be written") from None

    @asynccontextmanager
    async def naming(self, blob: Blob) -> AsyncIterator[None]:
        """Surround a write that names a blob: if it fails, the blob is removed.

        If the database connection breaks, the write may have been committed: that blob is left to the sweep.

        Raises:
            ServiceError: the block raised it.
        """
        try:
            yield
        except ServiceError:
            await self.drop(blob)
            raise

    async def hold(self, connection: Connection, blob: Blob) -> None:
        """Keep the sweep away from a blob until the transaction that names it ends.

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
        """Remove what no row names any more; what cannot be removed now is left to the sweep."""
        try:
            await self._store.remove(blob)
        except OSError:
            _log.exception("the bytes %s of app %s could not be removed", blob.id, blob.app_id)

    async def drop_app(self, app_id: UUID) -> None:
        """Remove all of an app that is no more."""
        await self._store.remove_app(app_id)

    async def read(self, file: File) -> tuple[File, bytes] | None:
        """Read a file whole.

        Args:
            file: as it was found.

        Returns:
            The file as it is now, and its bytes; None when it was removed in the meantime.

        Raises:
            Corrupted: they are not those that were stored.
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
        """Open a file whose bytes are those that were stored.

        Args:
            file: as it was found.

        Returns:
            The file as it is now, and its bytes, to be closed; None when it was removed in the meantime.

        Raises:
            Corrupted: they are not.
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
        """Let go of the store."""
        self._store.close()

    async def _open(self, file: File) -> tuple[File, OpenBlob] | None:
        """Open a file's bytes: its newest when they were replaced since it was found."""
        for _ in range(_TRIES):
            try:
                with _reading(file):
                    return file, await self._store.open(file.bytes_at)
            except BlobMissing:
                now = await self.find(file.app_id, file.collection, file.id)
            if now is None:
                return None
            if now.blob == file.blob:
                _log.error("corrupted: the bytes of file %s of app %s are gone", file.id, file.app_id)
                raise Corrupted
            file = now
        raise ServiceError("the file changes too often to be read; try again")


def _check(file: File, size: int, digest: bytes) -> None:
    if size != file.size or digest != file.sha256:
        _log.error("corrupted: the bytes of file %s of app %s have another checksum", file.id, file.app_id)
        raise Corrupted


@contextmanager
def _reading(file: File) -> Iterator[None]:
    """What the store cannot read, in words for the script; the operator is told which file it is."""
    try:
        yield
    except OSError:
        _log.exception("file %s of app %s could not be read", file.id, file.app_id)
        raise ServiceError("the file could not be read") from None
