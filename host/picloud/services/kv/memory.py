"""kv in memory for one app, for `picloud run` and `picloud bench`."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from picloud.core.msgpack import encode
from picloud.services.call_context import Call
from picloud.services.collections import check_collection, check_key
from picloud.services.kv.service import (
    MAX_PAGE_BYTES,
    add,
    check_ttl,
    check_value,
    keys_within,
    page,
    page_of_entries,
    page_start,
    same,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value. Attributes: value: MessagePack. expires: on the monotonic clock in seconds, or None."""

    value: bytes
    expires: float | None


class MemoryKeyValue:
    """Values of one app; they are lost when the process ends."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    async def get(self, call: Call, collection: str, key: str) -> bytes | None:
        """Return the value as MessagePack, or None."""
        entry = self._find(collection, key)
        return None if entry is None else entry.value

    async def set(self, call: Call, collection: str, key: str, value: bytes, ttl_seconds: int | None) -> None:
        """Write a value, for `ttl_seconds` or permanently."""
        check_collection(collection)
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        self._entries[collection, key] = _Entry(value, _expiry(ttl_seconds))

    async def has(self, call: Call, collection: str, key: str) -> bool:
        """Return whether a key exists."""
        return self._find(collection, key) is not None

    async def delete(self, call: Call, collection: str, key: str) -> bool:
        """Delete a key; return whether it existed."""
        existed = self._find(collection, key) is not None
        self._entries.pop((collection, key), None)
        return existed

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys in byte order."""
        keys = _keys_after(self._entries, collection, page_start(collection, cursor, limit))
        most, max_bytes = keys_within(call.limits, limit)
        sizes = itertools.accumulate(len(key.encode()) for key in keys[:most])
        fitting = max(1, sum(size <= max_bytes for size in sizes))
        return page(keys[:fitting], len(keys) > fitting)

    async def entries(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of keys and values in byte order."""
        keys = _keys_after(self._entries, collection, page_start(collection, cursor, limit))
        found = [(key, self._entries[collection, key].value) for key in keys[:limit]]
        sizes = itertools.accumulate(len(key.encode()) + len(value) for key, value in found)
        fitting = max(1, sum(size <= MAX_PAGE_BYTES for size in sizes))
        return page_of_entries(found[:fitting], len(keys) > min(fitting, limit))

    async def increment(
        self, call: Call, collection: str, key: str, amount: int, ttl_seconds: int | None = None
    ) -> int:
        """Add to an integer, or to 0 if absent (then for `ttl_seconds`); return the new value."""
        entry = self._find(collection, key)
        check_ttl(ttl_seconds)
        total = add(None if entry is None else entry.value, amount)
        expires = _expiry(ttl_seconds) if entry is None else entry.expires
        self._entries[collection, key] = _Entry(encode(total), expires)
        return total

    async def ttl(self, call: Call, collection: str, key: str) -> int | None:
        """Return the seconds until a key expires, rounded up, or None."""
        entry = self._find(collection, key)
        if entry is None or entry.expires is None:
            return None
        return max(1, math.ceil(entry.expires - time.monotonic()))

    async def set_if(
        self,
        call: Call,
        collection: str,
        key: str,
        expected: bytes,
        value: bytes,
        ttl_seconds: int | None = None,
    ) -> bool:
        """Compare and set; without `ttl_seconds`, the key keeps its expiry."""
        entry = self._find(collection, key)
        check_value(value)
        check_ttl(ttl_seconds)
        if not same(None if entry is None else entry.value, expected):
            return False
        kept = None if entry is None else entry.expires
        self._entries[collection, key] = _Entry(value, kept if ttl_seconds is None else _expiry(ttl_seconds))
        return True

    def _find(self, collection: str, key: str) -> _Entry | None:
        """Return an entry that has not expired."""
        check_collection(collection)
        check_key(key)
        entry = self._entries.get((collection, key))
        return None if entry is None or _is_over(entry) else entry


def _keys_after(entries: Mapping[tuple[str, str], _Entry], collection: str, after: str) -> list[str]:
    """Return the keys of a collection after a key, in byte order."""
    return sorted(
        key
        for (name, key), entry in entries.items()
        if name == collection and key > after and not _is_over(entry)
    )


def _expiry(ttl_seconds: int | None) -> float | None:
    return None if ttl_seconds is None else time.monotonic() + ttl_seconds


def _is_over(entry: _Entry) -> bool:
    return entry.expires is not None and entry.expires <= time.monotonic()
