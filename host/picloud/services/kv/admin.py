"""An app's kv as people look through it and change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import NotFound
from picloud.core.pagination import Page, page_of_names, read_name_cursor
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.services.collections import (
    as_api_error,
    check_collection,
    check_key,
    list_collections,
    require_valid_name,
)
from picloud.services.kv import entries
from picloud.services.kv import value_json as kv_value
from picloud.services.kv.service import check_ttl, check_value
from picloud.services.kv.value_json import Value
from picloud.services.writes import Writes

_LAST = "\U0010ffff"
_SQL = load("kv")


@dataclass(frozen=True, slots=True)
class KvCollection:
    """A collection of entries.

    Attributes:
        name: its name.
        entries: how many it has, counted up to 1,000.
        bytes: of the keys and values of these.
        more: there are more than were counted.
    """

    name: str
    entries: int
    bytes: int
    more: bool


@dataclass(frozen=True, slots=True)
class KvKey:
    """An entry without its value.

    Attributes:
        key: its key.
        size: bytes of its value as it is stored.
        expires_at: when it is gone, or None for never.
        created_at: when it was made.
        updated_at: last change.
    """

    key: str
    size: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class KvEntry:
    """An entry. Of `value`, `blob` and `packed` one is there, the others are null.

    Attributes:
        collection: where it is.
        key: its key.
        value: the value, where JSON can say it; it is never null then.
        blob: base64, where the value is a blob.
        packed: base64 of MessagePack, where the value holds blobs or numbers that are none (NaN, infinity).
        size: bytes of the value as it is stored.
        expires_at: when it is gone, or None for never.
        created_at: when it was made.
        updated_at: last change.
    """

    collection: str
    key: str
    value: Any
    blob: str | None
    packed: str | None
    size: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class KvAdmin:
    """What the admin API asks of kv. What has expired is not there."""

    def __init__(self, database: Database, writes: Writes, searches: AppLimiter) -> None:
        """Create it. Args: database: the pool. writes: opens writes. searches: slots, shared with docs."""
        self._database, self._writes, self._searches = database, writes, searches

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[KvCollection]:
        """List the collections of an app by name.

        Args:
            limit: maximum number.
            cursor: of the page before; None for the first.

        Raises:
            Invalid: the cursor is not one that was given out.
        """
        return await list_collections(
            self._database, self._searches, _SQL.kv_collections, KvCollection, app_id, limit, cursor
        )

    async def list(
        self, app_id: UUID, collection: str, prefix: str, limit: int, cursor: str | None
    ) -> Page[KvKey]:
        """List the keys of a collection in byte order.

        Args:
            collection: where.
            prefix: only keys that begin with it.
            limit: maximum number.
            cursor: of the page before; None for the first.

        Raises:
            NotFound: the collection does not exist.
            Invalid: the cursor is not one that was given out.
        """
        require_valid_name(collection)
        after = read_name_cursor(cursor)
        async with self._searches.slot(app_id):  # it may pass over many that expired
            rows = await self._database.fetch(
                _SQL.kv_keys, app_id, collection, after, prefix, end_of(prefix), limit + 1
            )
        if not rows and cursor is None and not await self._database.fetchval(_SQL.kv_any, app_id, collection):
            raise NotFound("collection", collection)
        return page_of_names(rows, limit, _key)

    async def get(self, app_id: UUID, collection: str, key: str) -> KvEntry:
        """Find an entry.

        Raises:
            NotFound: not found.
        """
        require_valid_name(collection, key)
        row = await self._database.fetchrow(_SQL.kv_entry, app_id, collection, key)
        if row is None:
            raise NotFound("key", key)
        return _entry(row)

    async def put(
        self, app_id: UUID, collection: str, key: str, value: Value, ttl_seconds: int | None, *, actor: Actor
    ) -> KvEntry:
        """Write an entry, whether or not it is there.

        Args:
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            value: in one form.
            ttl_seconds: after so many seconds it is gone; None keeps it.

        Returns:
            The entry.

        Raises:
            Invalid: an argument is not valid.
            QuotaExceeded: there is no room for it.
            NotFound: the app was deleted in the meantime.
        """
        with as_api_error("collection"):
            check_collection(collection)
        with as_api_error("entry"):
            check_collection(collection)
            check_key(key)
        stored = kv_value.store(value)
        with as_api_error("value"):
            check_value(stored)
        with as_api_error("ttl_seconds"):
            check_ttl(ttl_seconds)
        with as_api_error("value"):
            async with self._writes.begin(actor, app_id, "kv", collection) as write:
                await entries.put(write, key, stored, ttl_seconds)
                row = await write.connection.fetchrow(_SQL.kv_entry, app_id, collection, key)
        assert row is not None
        return _entry(row)

    async def delete(self, app_id: UUID, collection: str, key: str, *, actor: Actor) -> None:
        """Remove an entry.

        Args:
            collection: where.
            key: of the entry.

        Raises:
            NotFound: not found.
        """
        require_valid_name(collection, key)
        async with self._writes.begin(actor, app_id, "kv", collection, adds=None) as write:
            if not await entries.delete(write, key):
                raise NotFound("key", key)


def end_of(prefix: str) -> str:
    """What comes, in byte order, just after all that begins with a prefix.

    Args:
        prefix: any text of at most 512 bytes that can be encoded.
    """
    kept = prefix.rstrip(_LAST)
    if not kept:
        return _LAST * 129  # longer than any key
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # no character is a surrogate


def _key(row: Record) -> KvKey:
    return KvKey(row["key"], row["size"], row["expires_at"], row["created_at"], row["updated_at"])


def _entry(row: Record) -> KvEntry:
    value = kv_value.show(row["value"])
    return KvEntry(
        row["collection"],
        row["key"],
        value.value,
        value.blob,
        value.packed,
        len(row["value"]),
        row["expires_at"],
        row["created_at"],
        row["updated_at"],
    )
