"""kv: values by collection and key, of one app.

A value is stored as the MessagePack the guest wrote, so it comes back exactly: integers as integers, blobs as
blobs, any string. The host decodes it only to count (`increment`) and to compare (`set_if`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS, NIL, HostFunction
from picloud.core.msgpack import decode_integer, encode
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.call_context import Call
from picloud.services.collections import check_collection, check_key
from picloud.services.kv import entries
from picloud.services.writes import Writes

MAX_VALUE = 1024 * 1024
MAX_LIMIT = LIMITS.number("max_page_items")
MAX_PAGE_BYTES = 256 * 1024
"""Keys and values of a page of entries; a page of one entry may have more."""
LISTS_AT_ONCE = 4
"""Of one app, in one worker: a list may pass over much that expired, and connections are for all apps."""
MAX_TTL = 10 * 365 * 24 * 3600
_INT64 = range(-(2**63), 2**63)
_sql = load("kv")


class KeyValue(Protocol):
    """The host functions of kv, whatever keeps the values."""

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """The value as MessagePack, or None."""

    async def set(self, call: Call, collection: str, key: str, value: bytes, ttl_seconds: int | None) -> None:
        """Write a value, for `ttl_seconds` or permanently."""

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Whether the key is there."""

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Remove a key; whether it was there."""

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """A page of keys: `keys` and `next_cursor`."""

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """A page of keys with their values: `entries`, each a key, MessagePack and a cursor, and `more`."""

    async def increment(self, call: Call, collection: str, key: str, amount: int) -> int:
        """Add to an integer, from 0 where there is none; the new value."""

    async def set_if(
        self,
        call: Call,
        collection: str,
        key: str,
        expected: bytes,
        value: bytes,
        ttl_seconds: int | None = None,
    ) -> bool:
        """Write a value if the present one equals `expected`; whether it did."""


def host_functions(kv: KeyValue) -> Mapping[str, HostFunction]:
    """The host functions of a kv, by import name."""
    return {
        "kv_get": kv.get,
        "kv_set": kv.set,
        "kv_has": kv.has,
        "kv_delete": kv.delete,
        "kv_list": kv.list,
        "kv_entries": kv.entries,
        "kv_increment": kv.increment,
        "kv_set_if": kv.set_if,
    }


class DatabaseKeyValue:
    """kv in PostgreSQL."""

    def __init__(
        self, database: Database, writes: Writes | None = None, turns: AppLimiter | None = None
    ) -> None:
        """Make the service.

        Args:
            writes: opens writes; None for writes without quotas and triggers.
            turns: of lists, with searches in documents; None for its own.
        """
        self._database = database
        self._writes = writes or Writes(database)
        self._lists = turns or AppLimiter(LISTS_AT_ONCE)

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """The value of a key.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.

        Returns:
            MessagePack, or None when the key does not exist.

        Raises:
            ServiceError: collection or key is not valid.
        """
        check_collection(collection)
        check_key(key)
        value: bytes | None = await self._database.fetchval(_sql.kv_get, call.app_id, collection, key)
        return value

    async def set(self, call: Call, collection: str, key: str, value: bytes, ttl_seconds: int | None) -> None:
        """Write a value.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            value: MessagePack, at most `MAX_VALUE` bytes.
            ttl_seconds: after so many seconds it is gone; None keeps it.

        Raises:
            ServiceError: an argument is not valid, or the app's quota is used up.
        """
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        async with self._writes.begin(call, call.app_id, "kv", collection) as write:
            await entries.put(write, key, value, ttl_seconds)

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Whether there is such a key."""
        check_collection(collection)
        check_key(key)
        return bool(await self._database.fetchval(_sql.kv_has, call.app_id, collection, key))

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Remove a key; whether it was there."""
        check_collection(collection)
        check_key(key)
        async with self._writes.begin(call, call.app_id, "kv", collection, adds=None) as write:
            return await entries.delete(write, key)

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """A page of keys in byte order.

        Keys that are there the whole time are each listed exactly once, whatever is written in the meantime.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            cursor: `next_cursor` of the page before; "" or None for the first.
            limit: 1 to 1000.

        Returns:
            `keys`, and `next_cursor` or None at the end.

        Raises:
            ServiceError: an argument is not valid.
        """
        after = page_start(collection, cursor, limit)
        async with self._lists.slot(call.app_id):
            rows = await self._database.fetch(_sql.kv_list, call.app_id, collection, after, limit + 1)
        return page([row["key"] for row in rows], limit)

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """A page of keys with their values, in the order and with the promise and the cursors of `list`.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            cursor: one of the page before; "" or None for the first.
            limit: 1 to 1000; fewer come where those would have more than `MAX_PAGE_BYTES`.

        Returns:
            `entries`, each a key, its value as MessagePack and the cursor behind it, and whether there are
            `more`.

        Raises:
            ServiceError: an argument is not valid.
        """
        after = page_start(collection, cursor, limit)
        names = (call.app_id, collection)
        async with self._lists.slot(call.app_id):
            rows = await self._database.fetch(_sql.kv_entries, *names, after, limit, MAX_PAGE_BYTES)
        return page_of_entries([(row["key"], row["value"]) for row in rows], bool(rows) and rows[-1]["more"])

    async def increment(self, call: Call, collection: str, key: str, amount: int) -> int:
        """Add to an integer; concurrent calls all count.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes; where it is absent, counting begins at 0.
            amount: what to add, negative to subtract.

        Returns:
            The new value.

        Raises:
            ServiceError: the present value is not an integer, the sum leaves 64 bits, or the app's quota
                is used up.
        """
        check_collection(collection)
        check_key(key)
        total = 0

        def make(present: bytes | None) -> bytes:
            nonlocal total
            total = add(present, amount)
            return encode(total)

        async with self._writes.begin(call, call.app_id, "kv", collection, atomic=True) as write:
            await entries.change(write, key, make)
        return total

    async def set_if(
        self,
        call: Call,
        collection: str,
        key: str,
        expected: bytes,
        value: bytes,
        ttl_seconds: int | None = None,
    ) -> bool:
        """Compare and set.

        Args:
            call: whose.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            expected: MessagePack of the value that must be there; nil means that none may be.
            value: MessagePack of the new value.
            ttl_seconds: after so many seconds it is gone; None keeps the time that the key has.

        Returns:
            Whether it was written.

        Raises:
            ServiceError: an argument is not valid, or the app's quota is used up.
        """
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)

        def make(present: bytes | None) -> bytes | None:
            return value if same(present, expected) else None

        async with self._writes.begin(call, call.app_id, "kv", collection, atomic=True) as write:
            return await entries.change(write, key, make, ttl_seconds)


def check_value(value: bytes) -> None:
    """Refuse values that are too large, and (): delete the key instead."""
    if len(value) > MAX_VALUE:
        raise ServiceError(f"value must have at most {MAX_VALUE} bytes, this has {len(value)}")
    if value == NIL:
        raise ServiceError("value must not be (); delete the key instead")


def check_ttl(seconds: int | None) -> None:
    """Refuse a time to live that is not positive, or longer than ten years."""
    if seconds is not None and not 1 <= seconds <= MAX_TTL:
        raise ServiceError(f"ttl_seconds must be from 1 to {MAX_TTL}")


def page_start(collection: str, cursor: str | None, limit: int) -> str:
    """Check what asks for a page; the key that the page begins behind, "" at the start."""
    check_collection(collection)
    if not 1 <= limit <= MAX_LIMIT:
        raise ServiceError(f"limit must be from 1 to {MAX_LIMIT}")
    if not cursor:
        return ""
    try:
        key = base64.urlsafe_b64decode(cursor.encode("ascii")).decode()
    except (binascii.Error, UnicodeError):
        raise ServiceError("invalid cursor") from None
    if "\0" in key:
        raise ServiceError("invalid cursor")
    return key


def cursor_behind(key: str) -> str:
    """The cursor of what comes after a key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def page(keys: list[str], limit: int) -> dict[str, object]:
    """A page of keys, made from up to `limit + 1` of them."""
    cursor = cursor_behind(keys[limit - 1]) if len(keys) > limit else None
    return {"keys": keys[:limit], "next_cursor": cursor}


def page_of_entries(entries: list[tuple[str, bytes]], more: bool) -> dict[str, object]:
    """A page of entries, each with the cursor behind it: the guest may have to end the page earlier."""
    return {"entries": [(key, value, cursor_behind(key)) for key, value in entries], "more": more}


def add(value: bytes | None, amount: int) -> int:
    """The sum of a stored integer and an amount."""
    try:
        present = 0 if value is None else decode_integer(value)
    except ValueError:  # only a guest that is not ours writes such
        raise ServiceError("the value is not an integer") from None
    if present + amount not in _INT64:
        raise ServiceError("the sum is larger than 64 bits")
    return present + amount


def same(value: bytes | None, expected: bytes) -> bool:
    """Whether a stored value (None: absent) is the expected one (nil: absent).

    Equal bytes are equal values; maps are written in sorted key order by the guest, so equal values are
    equal bytes.
    """
    return (NIL if value is None else value) == expected
