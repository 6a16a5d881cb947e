"""The sweep: removes leftovers of crashes from the store, after an hour."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID, uuid4

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.files.store import Blob, BlobStore, StoreUnusable

OLD_SECONDS = 3600.0
"""Newer blobs can belong to current writes. An older write locks its blob."""

_SAMPLE = 100  # files; one that is found is enough
_BATCH = 1000  # files

_SQL = load("files")
_log = logging.getLogger(__name__)


async def claim(database: Database, store: BlobStore) -> None:
    """Check that a store belongs to this instance and has its files, or claim a new store.

    With another database, the sweep would remove every blob. With an empty store, files could not be read.

    Raises:
        StoreUnusable: it belongs to another instance, or the files of the database are not in it.
        Unavailable: the database cannot be reached.
    """
    owner = await database.fetchval(_SQL.store_owner, str(uuid4()))
    try:
        found = await store.owner(owner)
    except OSError as error:
        raise StoreUnusable(f"the files cannot be read: {error.strerror}") from error
    if found != owner:
        raise StoreUnusable(
            "the files in the data folder belong to another instance; check the setting of the database"
        )
    some = [Blob(**row) for row in await database.fetch(_SQL.files_sample, _SAMPLE)]
    if some and not await _has_one(store, some):
        raise StoreUnusable(
            "the folder files in the data folder does not have the files of the database; restore it from a "
            "backup or share it with the other nodes, or delete all files whose bytes are missing: "
            "picloud admin delete-missing-files"
        )


async def _has_one(store: BlobStore, blobs: Sequence[Blob]) -> bool:
    for blob in blobs:
        if await store.has(blob):
            return True
    return False


async def delete_missing(database: Database, store: BlobStore) -> int:
    """Delete the files whose bytes are missing in the store.

    Returns:
        The number of deleted files.

    Raises:
        Unavailable: the database cannot be reached.
        OSError: the store cannot be read.
    """
    deleted, last = 0, (None, None)
    while rows := await database.fetch(_SQL.files_after, *last, _BATCH):
        last = (rows[-1]["app_id"], rows[-1]["id"])
        missing: dict[UUID, list[UUID]] = {}
        for row in rows:
            if not await store.has(Blob(**row)):
                missing.setdefault(row["app_id"], []).append(row["id"])
        for app_id, blobs in missing.items():
            deleted += len(await database.fetch(_SQL.files_delete_of_blobs, app_id, blobs))
    return deleted


class Sweep:
    """Removes blobs without a row and unfinished writes, on one node at a time."""

    def __init__(self, database: Database, store: BlobStore, old_seconds: float = OLD_SECONDS) -> None:
        """Create a `Sweep`.

        Args:
            store: the store; the caller closes it.
            old_seconds: minimum age.
        """
        self._database, self._store, self._old = database, store, old_seconds

    async def sweep(self) -> int:
        """Run once, unless another node does.

        Returns:
            The number of removed blobs and unfinished writes.

        Raises:
            StoreUnusable: the store belongs to another instance; nothing was removed.
            Unavailable: the database cannot be reached.
            OSError: the store cannot be read.
        """
        await claim(self._database, self._store)
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_SQL.sweep_turn):
                return 0
            removed = await self._store.remove_unfinished(self._old)
            for app_id in await self._store.apps():
                removed += await self._sweep_app(app_id)
        if removed:
            _log.info("files: removed %d leftovers of unfinished writes", removed)
        return removed

    async def _sweep_app(self, app_id: UUID) -> int:
        removed = 0
        async for old in self._store.older(app_id, self._old):
            for blob in await self._without_row(old):
                removed += await self._remove(blob)
        if not await self._database.fetchval(_SQL.app_there, app_id) and await self._is_empty(app_id):
            await self._store.remove_app(app_id)  # only folders are left
        return removed

    async def _is_empty(self, app_id: UUID) -> bool:
        async for some in self._store.older(app_id, 0):
            if some:
                return False
        return True

    async def _without_row(self, blobs: Sequence[Blob]) -> list[Blob]:
        if not blobs:
            return []
        ids = [blob.id for blob in blobs]
        rows = await self._database.fetch(_SQL.blobs_named, blobs[0].app_id, ids)
        named = {row["blob"] for row in rows}
        return [blob for blob in blobs if blob.id not in named]

    async def _remove(self, blob: Blob) -> bool:
        """Remove a blob, unless a transaction refers to it."""
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_SQL.blob_claim, blob.id):
                return False
            if await connection.fetchval(_SQL.blobs_named, blob.app_id, [blob.id]) is not None:
                return False
            await self._store.remove(blob)
        return True
