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

_SQL = load("files")
_log = logging.getLogger(__name__)


async def claim(database: Database, store: BlobStore) -> None:
    """Check that a store belongs to this instance, or claim a new one.

    With another database, the sweep would remove every blob.

    Raises:
        StoreUnusable: it belongs to another instance.
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
