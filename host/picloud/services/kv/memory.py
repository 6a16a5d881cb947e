"""kv in memory for one app, for `picloud run` and `picloud bench`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from picloud.core.msgpack import encode
from picloud.services.call_context import Call
from picloud.services.collections import check_collection, check_key
from picloud.services.kv.service import (
    MAX_PAGE_BYTES,
    add,
    check_ttl,
    check_value,
    page,
    page_of_entries,
    page_start,
    same,
)


class MemoryKeyValue:
    """Values of one app; they are lost when the process ends."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], bytes] = {}

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """Return the value as MessagePack, or None."""
        check_collection(collection)
        check_key(key)
        return self._values.get((collection, key))

    async def set(self, call: Call, collection: str, key: str, value: bytes, ttl_seconds: int | None) -> None:
        """Write a value; `ttl_seconds` is checked but has no effect."""
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        self._values[collection, key] = value

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Return whether a key exists."""
        check_collection(collection)
        check_key(key)
        return (collection, key) in self._values

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Delete a key; return whether it existed."""
        check_collection(collection)
        check_key(key)
        return self._values.pop((collection, key), None) is not None

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys in byte order."""
        keys = keys_after(self._values, collection, page_start(collection, cursor, limit))
        return page(keys[: limit + 1], limit)

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys and values in byte order."""
        keys = keys_after(self._values, collection, page_start(collection, cursor, limit))
        found = [(key, self._values[collection, key]) for key in keys[:limit]]
        sizes = itertools.accumulate(len(key.encode()) + len(value) for key, value in found)
        fitting = max(1, sum(size <= MAX_PAGE_BYTES for size in sizes))
        return page_of_entries(found[:fitting], len(keys) > min(fitting, limit))

    async def increment(self, call: Call, collection: str, key: str, amount: int) -> int:
        """Add to an integer."""
        check_collection(collection)
        check_key(key)
        total = add(self._values.get((collection, key)), amount)
        self._values[collection, key] = encode(total)
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
        """Compare and set; `ttl_seconds` is checked but has no effect."""
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        if not same(self._values.get((collection, key)), expected):
            return False
        self._values[collection, key] = value
        return True


def keys_after(values: Mapping[tuple[str, str], bytes], collection: str, after: str) -> list[str]:
    """Return the keys of a collection after a key, in byte order."""
    return sorted(key for name, key in values if name == collection and key > after)
