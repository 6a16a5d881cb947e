"""The sweep: what a crash left in the store goes, an hour later."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID, uuid4

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.files.store import Blob, BlobStore, StoreUnusable

OLD_SECONDS = 3600.0
"""What is younger may be a write under way. What is older may be one, too, but then it holds its blob."""

_SQL = load("files")
_log = logging.getLogger(__name__)


async def claim(database: Database, store: BlobStore) -> None:
    """See that a store is this instance's, or make it so when it is nobody's.

    To another database, every blob would be one that no row names.

    Args:
        database: of this instance.
        store: its store.

    Raises:
        StoreUnusable: it is another instance's.
        Unavailable: the database is away.
    """
    owner = await database.fetchval(_SQL.store_owner, str(uuid4()))
    try:
        found = await store.owner(owner)
    except OSError as error:
        raise StoreUnusable(f"the files cannot be read: {error.strerror}") from error
    if found != owner:
        raise StoreUnusable(
            "the files in the data folder are another instance's: is this the database they belong to?"
        )


class Sweep:
    """Removes blobs that no row names and writes that did not end, one node at a time."""

    def __init__(self, database: Database, store: BlobStore, old_seconds: float = OLD_SECONDS) -> None:
        """Create a `Sweep`.

        Args:
            store: the store; it stays the caller's.
            old_seconds: nothing younger is touched.
        """
        self._database, self._store, self._old = database, store, old_seconds

    async def sweep(self) -> int:
        """Make one round, unless another node is at it.

        Returns:
            How many blobs and unfinished writes were removed.

        Raises:
            StoreUnusable: the store is another instance's; nothing was removed.
            Unavailable: the database is away.
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
            _log.info("files: %d leftovers of writes that did not end were removed", removed)
        return removed

    async def _sweep_app(self, app_id: UUID) -> int:
        removed = 0
        async for old in self._store.older(app_id, self._old):
            for blob in await self._unnamed(old):
                removed += await self._remove(blob)
        if not await self._database.fetchval(_SQL.app_there, app_id) and await self._is_empty(app_id):
            await self._store.remove_app(app_id)  # what is left are folders
        return removed

    async def _is_empty(self, app_id: UUID) -> bool:
        async for some in self._store.older(app_id, 0):
            if some:
                return False
        return True

    async def _unnamed(self, blobs: Sequence[Blob]) -> list[Blob]:
        if not blobs:
            return []
        ids = [blob.id for blob in blobs]
        rows = await self._database.fetch(_SQL.blobs_named, blobs[0].app_id, ids)
        named = {row["blob"] for row in rows}
        return [blob for blob in blobs if blob.id not in named]

    async def _remove(self, blob: Blob) -> bool:
        """Remove a blob, unless a transaction is about to name it or just has."""
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_SQL.blob_claim, blob.id):
                return False
            if await connection.fetchval(_SQL.blobs_named, blob.app_id, [blob.id]) is not None:
                return False
            await self._store.remove(blob)
        return True
