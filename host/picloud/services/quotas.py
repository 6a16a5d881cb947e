"""Quotas: how much an app may keep, and how much it does.

Triggers count every row and byte exactly (migration `usage`): a write adds what it changed to a table that
only grows, so writers never wait for each other; `Upkeep` adds it up now and then. A worker remembers an
app's sums for `FRESH_SECONDS`, so a quota can be overstepped by what the app writes in that time. Once it is
used up, every write is looked at by itself: what adds nothing, such as replacing a value by one as large,
goes on, and so does everything that removes.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from picloud.config import Settings
from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import ServiceError
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Connection, Database
from picloud.db.queries import load

Store: TypeAlias = Literal["kv", "docs", "files", "scripts"]
STORES: tuple[Store, ...] = get_args(Store)

FRESH_SECONDS = 1.0
WRITES_AT_ONCE = 4
"""Of one app, in one worker: they may wait for each other, and connections are for all apps."""
MAX_REMEMBERED_APPS = 10_000
"""Apps a worker remembers the sums of."""

_SQL = load("usage")


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a store: what is kept there, or what may be.

    Attributes:
        rows: entries, documents, files or versions of scripts.
        bytes: of a key and its value; of a document as JSON; of a file and its metadata; of a version's
            source.
    """

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoreQuota:
    """The quota of a store. Attributes: store: its name. limit: of each app, from the configuration."""

    store: Store
    limit: Callable[[Settings], Amount]


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """What an app keeps in a store, and what it may.

    Attributes:
        store: "kv", "docs", "files" or "scripts".
        rows: entries, documents, files or versions of scripts; of kv, also those that expired a moment ago.
        bytes: of keys and values; of documents as JSON; of files and their metadata; of the sources of
            versions.
        rows_limit: most rows.
        bytes_limit: most bytes.
    """

    store: Store
    rows: int
    bytes: int
    rows_limit: int
    bytes_limit: int


class QuotaUsedUp(ServiceError):
    """The app keeps as much as it may."""


@dataclass(slots=True)
class _Sums:
    """What was read of an app, and when. Attributes: of: by store. at: on the monotonic clock."""

    of: Mapping[str, Amount]
    at: float = field(default_factory=time.monotonic)

    def fresh(self) -> bool:
        return time.monotonic() - self.at < FRESH_SECONDS


class Quotas:
    """What apps keep against what they may."""

    def __init__(self, database: Database, limits: Mapping[Store, Amount]) -> None:
        """Make it. Args: database: the pool. limits: of each app, by store."""
        self._database, self._limits = database, limits
        self._known: dict[UUID, _Sums] = {}
        self._writes = AppLimiter(max(1, min(WRITES_AT_ONCE, database.max_size // 2)))
        self._flights: SingleFlight[UUID] = SingleFlight()

    @classmethod
    def configured(
        cls, database: Database, settings: Settings, quotas: Iterable[StoreQuota | None]
    ) -> Quotas:
        """Quotas as the operator configures them.

        Args:
            database: the pool.
            settings: the configuration.
            quotas: of each store; None for a service without one.
        """
        return cls(database, {one.store: one.limit(settings) for one in quotas if one is not None})

    async def usage(self, app_id: UUID) -> list[StoreUsage]:
        """What an app keeps at this moment, and what it may."""
        sums = await self._read(app_id)
        return [
            StoreUsage(store, kept.rows, kept.bytes, limit.rows, limit.bytes)
            for store, limit in self._limits.items()
            for kept in (sums.get(store, _NOTHING),)
        ]

    @asynccontextmanager
    async def writing(self, app_id: UUID, store: Store) -> AsyncIterator[Connection]:
        """Have a connection for one write, which may or may not add to what is kept.

        Args:
            app_id: whose.
            store: what is written to.

        Raises:
            QuotaUsedUp: the write added something and there is no room; it was undone.
        """
        limit = self._limits[store]
        known = (await self._recent(app_id)).get(store, _NOTHING)
        if known.rows < limit.rows and known.bytes < limit.bytes:
            async with self._writes.slot(app_id), self._database.acquire() as connection:
                yield connection
            return
        async with self._writes.slot(app_id), self._database.transaction() as connection:
            yield connection
            grown = await connection.fetchrow(_SQL.usage_grown, app_id, store)
            assert grown is not None
            if grown["rows"] > 0 or grown["bytes"] > 0:
                now = (await self._read(app_id, connection)).get(store, _NOTHING)
                self._refuse(store, Amount(grown["rows"], grown["bytes"]), now)

    async def admit(self, app_id: UUID, store: Store, rows: int, size: int) -> None:
        """Refuse what there is no room for, before it is made.

        Args:
            app_id: whose.
            store: what will be written to.
            rows: that will be added.
            size: bytes that will be added.

        Raises:
            QuotaUsedUp: there is no room.
        """
        added, limit = Amount(rows, size), self._limits[store]
        known = (await self._recent(app_id)).get(store, _NOTHING)
        if known.rows + rows > limit.rows or known.bytes + size > limit.bytes:
            now = (await self._read(app_id)).get(store, _NOTHING)
            self._refuse(store, added, Amount(now.rows + rows, now.bytes + size))

    async def settle(self, connection: Connection, app_id: UUID, store: Store, added: Amount) -> None:
        """Refuse what a transaction added, where it is too much. It is exact but for others at the same time.

        Args:
            connection: of the transaction.
            app_id: whose.
            store: what was written to.
            added: to it.

        Raises:
            QuotaUsedUp: there is no room.
        """
        self._refuse(store, added, (await self._read(app_id, connection)).get(store, _NOTHING))

    def _refuse(self, store: Store, added: Amount, after: Amount) -> None:
        """Refuse what leads past the limit. Args: after: what is kept, with what is added."""
        limit = self._limits[store]
        for what, more, kept, most, knob in (
            (_ROWS[store], added.rows, after.rows, limit.rows, "ROWS"),
            ("bytes", added.bytes, after.bytes, limit.bytes, "MB"),
        ):
            if more > 0 and kept > most:
                raise QuotaUsedUp(
                    f"the app's quota of {most} {what} has no room for this ({kept - more} are kept); "
                    f"remove some, or have the operator raise PICLOUD_QUOTA_{store.upper()}_{knob}"
                )

    async def _recent(self, app_id: UUID) -> Mapping[str, Amount]:
        def known() -> Mapping[str, Amount] | None:
            sums = self._known.get(app_id)
            return sums.of if sums is not None and sums.fresh() else None

        return await self._flights.get(app_id, known, lambda: self._read(app_id))

    async def _read(self, app_id: UUID, connection: Connection | None = None) -> Mapping[str, Amount]:
        rows = await (connection or self._database).fetch(_SQL.usage_of, app_id)
        sums = {row["store"]: Amount(row["rows"], row["bytes"]) for row in rows}
        if connection is None:  # what a transaction sees may be undone
            self._known.pop(app_id, None)
            while len(self._known) >= MAX_REMEMBERED_APPS:
                del self._known[next(iter(self._known))]
            self._known[app_id] = _Sums(sums)
        return sums


_NOTHING = Amount(0, 0)
_ROWS: Mapping[Store, str] = {
    "kv": "entries",
    "docs": "documents",
    "files": "files",
    "scripts": "versions of scripts",
}
UNLIMITED: Mapping[Store, Amount] = dict.fromkeys(STORES, Amount(2**62, 2**62))
