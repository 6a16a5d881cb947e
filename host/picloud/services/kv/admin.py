"""kv for the admin API."""

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
        name: name of the collection.
        entries: number of entries, counted up to 1,000.
        bytes: bytes of their keys and values.
        more: whether there are more entries than were counted.
    """

    name: str
    entries: int
    bytes: int
    more: bool


@dataclass(frozen=True, slots=True)
class KvKey:
    """An entry without its value.

    Attributes:
        key: key of the entry.
        size: bytes of the stored value.
        expires_at: when it expires, or None for never.
        created_at: when it was created.
        updated_at: last change.
    """

    key: str
    size: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class KvEntry:
    """An entry. One of `value`, `blob` and `packed` is set; the others are null.

    Attributes:
        collection: collection of the entry.
        key: key of the entry.
        value: the value, if JSON can represent it; never null in this case.
        blob: base64, if the value is a blob.
        packed: base64 of MessagePack, if the value contains blobs, NaN, infinity or over 250,000 values.
        size: bytes of the stored value.
        expires_at: when it expires, or None for never.
        created_at: when it was created.
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
    """Lists, reads and writes entries. Expired entries do not exist."""

    def __init__(self, database: Database, writes: Writes, searches: AppLimiter) -> None:
        """Create it. Args: writes: opens writes. searches: limits concurrent searches, shared with docs."""
        self._database, self._writes, self._searches = database, writes, searches

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[KvCollection]:
        """List the collections of an app by name.

        Args:
            limit: maximum number.
            cursor: cursor of the previous page; None for the first page.

        Raises:
            Invalid: invalid cursor.
        """
        return await list_collections(
            self._database, self._searches, _SQL.kv_collections, KvCollection, app_id, limit, cursor
        )

    async def list(
        self, app_id: UUID, collection: str, prefix: str, limit: int, cursor: str | None
    ) -> Page[KvKey]:
        """List the keys of a collection in byte order.

        Args:
            prefix: only keys that start with it.
            limit: maximum number.
            cursor: cursor of the previous page; None for the first page.

        Raises:
            NotFound: the collection does not exist.
            Invalid: invalid cursor.
        """
        require_valid_name(collection)
        after = read_name_cursor(cursor)
        async with self._searches.slot(app_id):  # it can skip many expired entries
            rows = await self._database.fetch(
                _SQL.kv_keys, app_id, collection, after, prefix, end_of(prefix), limit + 1
            )
        if not rows and cursor is None and not await self._database.fetchval(_SQL.kv_any, app_id, collection):
            raise NotFound("collection", collection)
        return page_of_names(rows, limit, _key)

    async def get(self, app_id: UUID, collection: str, key: str) -> KvEntry:
        """Find an entry.

        Raises:
            NotFound: the entry does not exist.
        """
        require_valid_name(collection, key)
        row = await self._database.fetchrow(_SQL.kv_entry, app_id, collection, key)
        if row is None:
            raise NotFound("key", key)
        return _entry(row)

    async def put(
        self, app_id: UUID, collection: str, key: str, value: Value, ttl_seconds: int | None, *, actor: Actor
    ) -> KvEntry:
        """Create or replace an entry.

        Args:
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            value: the value, in one form.
            ttl_seconds: seconds until it expires; None for never.

        Returns:
            The entry.

        Raises:
            Invalid: an argument is not valid.
            QuotaExceeded: the quota is exceeded.
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
        """Delete an entry.

        Raises:
            NotFound: the entry does not exist.
        """
        require_valid_name(collection, key)
        async with self._writes.begin(actor, app_id, "kv", collection, adds=None) as write:
            if not await entries.delete(write, key):
                raise NotFound("key", key)


def end_of(prefix: str) -> str:
    """Return the end of the range of keys with a prefix, in byte order.

    Args:
        prefix: any string of at most 512 bytes that can be encoded.
    """
    stem = prefix.rstrip(_LAST)
    if not stem:
        return _LAST * 129  # longer than any key
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)  # skips the surrogates


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
