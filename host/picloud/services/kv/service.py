"""kv: the key-value store of an app.

A value is stored as the MessagePack of the guest, so that it is read back unchanged: integers as integers,
blobs as blobs, any string. The host decodes values only in `increment`.
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
from picloud.sandbox.limits import Limits
from picloud.services.call_context import Call
from picloud.services.collections import MAX_KEY, check_collection, check_key
from picloud.services.kv import entries
from picloud.services.writes import Writes

MAX_VALUE = 1024 * 1024
MAX_LIMIT = LIMITS.number("max_page_items")
MAX_PAGE_BYTES = 256 * 1024
"""Keys and values of a page of entries; a page of one entry can have more."""
LISTS_AT_ONCE = 4
"""Lists of one app per worker: a list can skip many expired entries, and all apps share the connections."""
MAX_TTL = 10 * 365 * 24 * 3600
_INT64 = range(-(2**63), 2**63)
_sql = load("kv")


class KeyValue(Protocol):
    """The host functions of kv."""

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """Return the value as MessagePack, or None."""

    async def set(self, call: Call, collection: str, key: str, value: bytes, ttl_seconds: int | None) -> None:
        """Write a value, for `ttl_seconds` or permanently."""

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Return whether a key exists."""

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Delete a key; return whether it existed."""

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys: `keys` and `next_cursor`."""

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of `entries`, each a key, MessagePack and a cursor, and `more`."""

    async def increment(
        self, call: Call, collection: str, key: str, amount: int, ttl_seconds: int | None = None
    ) -> int:
        """Add to an integer, or to 0 if absent (then for `ttl_seconds`); return the new value."""

    async def ttl(self, call: Call, collection: str, key: str) -> int | None:
        """Return the seconds until a key expires; None if it does not expire or does not exist."""

    async def set_if(
        self,
        call: Call,
        collection: str,
        key: str,
        expected: bytes,
        value: bytes,
        ttl_seconds: int | None = None,
    ) -> bool:
        """Write a value if the current one equals `expected`; return whether it did."""


def host_functions(kv: KeyValue) -> Mapping[str, HostFunction]:
    """The host functions of kv by import name."""
    return {
        "kv_get": kv.get,
        "kv_set": kv.set,
        "kv_has": kv.has,
        "kv_delete": kv.delete,
        "kv_list": kv.list,
        "kv_entries": kv.entries,
        "kv_increment": kv.increment,
        "kv_ttl": kv.ttl,
        "kv_set_if": kv.set_if,
    }


class DatabaseKeyValue:
    """kv in PostgreSQL."""

    def __init__(
        self, database: Database, writes: Writes | None = None, searches: AppLimiter | None = None
    ) -> None:
        """Create the service.

        Args:
            writes: opens writes; None for writes without quotas and triggers.
            searches: limits concurrent lists and searches; None for its own limit.
        """
        self._database = database
        self._writes = writes or Writes(database)
        self._lists = searches or AppLimiter(LISTS_AT_ONCE)

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """Return the value of a key.

        Args:
            call: the calling execution.
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
            call: the calling execution.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            value: MessagePack, at most `MAX_VALUE` bytes.
            ttl_seconds: seconds until it expires; None for never.

        Raises:
            ServiceError: an argument is not valid, or the app's quota is exceeded.
        """
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        async with self._writes.begin(call, call.app_id, "kv", collection) as write:
            await entries.put(write, key, value, ttl_seconds)

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Return whether a key exists."""
        check_collection(collection)
        check_key(key)
        return bool(await self._database.fetchval(_sql.kv_has, call.app_id, collection, key))

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Delete a key; return whether it existed."""
        check_collection(collection)
        check_key(key)
        async with self._writes.begin(call, call.app_id, "kv", collection, adds=None) as write:
            return await entries.delete(write, key)

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys in byte order.

        Keys that exist during the whole listing are returned exactly once, despite concurrent writes.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            cursor: `next_cursor` of the previous page; "" or None for the first.
            limit: 1 to 1000; fewer are returned if they exceed the limits of the script.

        Returns:
            `keys`, and `next_cursor`, which is None at the end.

        Raises:
            ServiceError: an argument is not valid.
        """
        after = page_start(collection, cursor, limit)
        most, max_bytes = keys_within(call.limits, limit)
        async with self._lists.slot(call.app_id):
            rows = await self._database.fetch(_sql.kv_list, call.app_id, collection, after, most, max_bytes)
        return page([row["key"] for row in rows], bool(rows) and rows[-1]["more"])

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys and values, with the order, guarantee and cursors of `list`.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            cursor: a cursor of the previous page; "" or None for the first.
            limit: 1 to 1000; fewer are returned if they exceed `MAX_PAGE_BYTES`.

        Returns:
            `entries`, each a key, its value as MessagePack and the cursor after it, and whether there are
            `more`.

        Raises:
            ServiceError: an argument is not valid.
        """
        after = page_start(collection, cursor, limit)
        names = (call.app_id, collection)
        async with self._lists.slot(call.app_id):
            rows = await self._database.fetch(_sql.kv_entries, *names, after, limit, MAX_PAGE_BYTES)
        return page_of_entries([(row["key"], row["value"]) for row in rows], bool(rows) and rows[-1]["more"])

    async def increment(
        self, call: Call, collection: str, key: str, amount: int, ttl_seconds: int | None = None
    ) -> int:
        """Add to an integer, atomically.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes; an absent key counts as 0.
            amount: what to add, negative to subtract.
            ttl_seconds: seconds until the key expires if this call creates it; None for never.

        Returns:
            The new value.

        Raises:
            ServiceError: an argument is not valid, the current value is not an integer, the sum exceeds
                64 bits, or the app's quota is exceeded.
        """
        check_collection(collection)
        check_key(key)
        check_ttl(ttl_seconds)
        total = 0

        def make(current: bytes | None) -> bytes:
            nonlocal total
            total = add(current, amount)
            return encode(total)

        async with self._writes.begin(call, call.app_id, "kv", collection, atomic=True) as write:
            await entries.change(write, key, make, ttl_seconds, renew=False)
        return total

    async def ttl(self, call: Call, collection: str, key: str) -> int | None:
        """Return the seconds until a key expires.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.

        Returns:
            Seconds, rounded up; None when the key does not expire or does not exist.

        Raises:
            ServiceError: collection or key is not valid.
        """
        check_collection(collection)
        check_key(key)
        seconds: int | None = await self._database.fetchval(_sql.kv_ttl, call.app_id, collection, key)
        return seconds

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
            call: the calling execution.
            collection: 1 to 128 bytes.
            key: 1 to 512 bytes.
            expected: MessagePack of the expected value; nil means that the key must be absent.
            value: MessagePack of the new value.
            ttl_seconds: seconds until it expires; None keeps the current expiry.

        Returns:
            Whether it was written.

        Raises:
            ServiceError: an argument is not valid, or the app's quota is exceeded.
        """
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)

        def make(current: bytes | None) -> bytes | None:
            return value if same(current, expected) else None

        async with self._writes.begin(call, call.app_id, "kv", collection, atomic=True) as write:
            return await entries.change(write, key, make, ttl_seconds)


def check_value(value: bytes) -> None:
    """Reject a value that is too large or `()`."""
    if len(value) > MAX_VALUE:
        raise ServiceError(f"value must have at most {MAX_VALUE} bytes, not {len(value)}")
    if value == NIL:
        raise ServiceError("value must not be (); delete the key instead")


def check_ttl(seconds: int | None) -> None:
    """Reject a time to live that is not positive, or longer than ten years."""
    if seconds is not None and not 1 <= seconds <= MAX_TTL:
        raise ServiceError(f"ttl_seconds must be from 1 to {MAX_TTL}")


def page_start(collection: str, cursor: str | None, limit: int) -> str:
    """Check the parameters of a page; return the key before the page, "" at the start."""
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


def cursor_after(key: str) -> str:
    """Return the cursor after a key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def keys_within(limits: Limits, limit: int) -> tuple[int, int]:
    """Return how many keys, and bytes of keys, a page can have within the limits of a script.

    Args:
        limit: what the script asks for.
    """
    cursor = len(cursor_after("k" * MAX_KEY))
    return min(limit, limits.max_array_size), limits.max_string_size - cursor


def page(keys: list[str], more: bool) -> dict[str, object]:
    """Return a page of keys. Args: more: whether more keys follow."""
    return {"keys": keys, "next_cursor": cursor_after(keys[-1]) if more else None}


def page_of_entries(entries: list[tuple[str, bytes]], more: bool) -> dict[str, object]:
    """Return a page of entries, each with the cursor after it, because the guest can shorten the page."""
    return {"entries": [(key, value, cursor_after(key)) for key, value in entries], "more": more}


def add(value: bytes | None, amount: int) -> int:
    """Return the sum of a stored integer and an amount."""
    try:
        current = 0 if value is None else decode_integer(value)
    except ValueError:  # also for bytes that our guest does not write
        raise ServiceError("the value is not an integer") from None
    if current + amount not in _INT64:
        raise ServiceError("the sum exceeds 64 bits")
    return current + amount


def same(value: bytes | None, expected: bytes) -> bool:
    """Return whether a stored value (None if absent) is the expected one (nil if absent).

    The bytes are compared: the guest writes maps with sorted keys, so equal values have equal bytes.
    """
    return (NIL if value is None else value) == expected
