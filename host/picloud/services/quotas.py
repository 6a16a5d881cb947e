"""Quotas: the rows and bytes that an app may store.

One rule for every store: a write has room if it adds nothing, or if what is stored after it is within the
limit. Database triggers count every row and byte exactly (migration `usage`): a write adds what it changed
to a table that only grows, so writers never wait for each other; `Upkeep` adds the changes up.

The rule is applied with as little reading as possible:

- `has_room` uses the sums that a worker remembers for `FRESH_SECONDS`. With room by these, a write goes
  ahead unchecked, so an app can exceed a quota by what it writes in that time.
- Otherwise the sums are read: `check_after` checks a write inside its transaction, by what it really added,
  so replacing a value by one of equal size still works. `check_before` checks a write whose size is known
  before it is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from cachetools import TTLCache

from picloud.config import Settings
from picloud.core.errors import PlatformError
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Connection, Database
from picloud.db.queries import load

Store: TypeAlias = Literal["kv", "docs", "files", "scripts", "executions"]
STORES: tuple[Store, ...] = get_args(Store)

NO_LIMIT = 2**62
REPORT_SECONDS = 3600.0
"""How often the operator's log has the same exceeded quota of an app, per worker."""
FRESH_SECONDS = 1.0
MAX_REMEMBERED_APPS = 10_000
"""Apps a worker remembers the sums of."""

_SQL = load("usage")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of stored data, or the limit of it.

    Attributes:
        rows: entries, documents, files, script versions or executions.
        bytes: of a key and its value; of a document as JSON; of a file and its metadata; of a version's
            source; of an execution's record.
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
    """The usage and the limits of an app in one store.

    Attributes:
        store: "kv", "docs", "files", "scripts" or "executions".
        rows: entries, documents, files, script versions or executions; for kv including entries that expired
            recently.
        bytes: of keys and values; of documents as JSON; of files and their metadata; of the sources of
            versions; of the records of executions.
        rows_limit: maximum of rows, or None for no maximum.
        bytes_limit: maximum of bytes. Of executions, the oldest are deleted above it.
    """

    store: Store
    rows: int
    bytes: int
    rows_limit: int | None
    bytes_limit: int


MINIMUM = Amount(1, 1)
"""The minimum that a write can add."""


class QuotaUsedUp(PlatformError):
    """The write exceeds the quota of the app."""


@dataclass(slots=True)
class _Sums:
    """The sums of an app. Attributes: of: by store. at: time of the read, on the monotonic clock."""

    of: Mapping[str, Amount]
    at: float = field(default_factory=time.monotonic)

    def fresh(self) -> bool:
        return time.monotonic() - self.at < FRESH_SECONDS


class Quotas:
    """Checks writes against the quotas of apps."""

    def __init__(self, database: Database, limits: Mapping[Store, Amount]) -> None:
        """Args: database: the pool. limits: of each app, by store."""
        self._database, self._limits = database, limits
        self._known: dict[UUID, _Sums] = {}
        self._loads: SingleFlight[UUID] = SingleFlight()
        self._reported: TTLCache[tuple[UUID, str], bool] = TTLCache(MAX_REMEMBERED_APPS, REPORT_SECONDS)

    @classmethod
    def configured(
        cls, database: Database, settings: Settings, quotas: Iterable[StoreQuota | None]
    ) -> Quotas:
        """Create the quotas of the configuration.

        Args:
            settings: the configuration.
            quotas: one per store; None for a service without a quota.
        """
        return cls(database, {one.store: one.limit(settings) for one in quotas if one is not None})

    async def usage(self, app_id: UUID) -> list[StoreUsage]:
        """Return the current usage and limits of an app."""
        sums = await self._read(app_id)
        return [
            StoreUsage(
                store,
                stored.rows,
                stored.bytes,
                limit.rows if limit.rows < NO_LIMIT else None,
                limit.bytes,
            )
            for store, limit in self._limits.items()
            for stored in (sums.get(store, _EMPTY),)
        ]

    async def has_room(self, app_id: UUID, store: Store, added: Amount) -> bool:
        """Return whether a write has room by the sums this worker remembers.

        Args:
            store: the store it writes to.
            added: rows and bytes it adds; `MINIMUM` where only the write itself can tell.
        """
        stored, limit = (await self._recent(app_id)).get(store, _EMPTY), self._limits[store]
        return (added.rows <= 0 or stored.rows + added.rows <= limit.rows) and (
            added.bytes <= 0 or stored.bytes + added.bytes <= limit.bytes
        )

    async def check_before(self, app_id: UUID, store: Store, added: Amount) -> None:
        """Check a write before it is made.

        Args:
            store: the store it will write to.
            added: rows and bytes it will add.

        Raises:
            QuotaUsedUp: the quota is exceeded.
        """
        if not await self.has_room(app_id, store, added):
            stored = (await self._read(app_id)).get(store, _EMPTY)
            self._require(app_id, store, added, Amount(stored.rows + added.rows, stored.bytes + added.bytes))

    async def check_after(
        self, connection: Connection, app_id: UUID, store: Store, added: Amount | None = None
    ) -> None:
        """Check a write in its transaction. It is exact except for transactions that have not committed.

        Args:
            connection: in the transaction that made the write.
            store: the store it wrote to.
            added: rows and bytes it added; None where database triggers counted them.

        Raises:
            QuotaUsedUp: the quota is exceeded; the transaction must be rolled back.
        """
        if added is None:
            grown = await connection.fetchrow(_SQL.usage_grown, app_id, store)
            assert grown is not None
            added = Amount(grown["rows"], grown["bytes"])
        if added.rows > 0 or added.bytes > 0:
            self._require(app_id, store, added, (await self._read(app_id, connection)).get(store, _EMPTY))

    def _require(self, app_id: UUID, store: Store, added: Amount, after: Amount) -> None:
        """Raise QuotaUsedUp if a write exceeds a limit. Args: after: what is stored with what it added."""
        limit = self._limits[store]
        for unit, more, stored, maximum, setting in (
            (_ROWS[store], added.rows, after.rows, limit.rows, "ROWS"),
            ("bytes", added.bytes, after.bytes, limit.bytes, "MB"),
        ):
            if more > 0 and stored > maximum:
                variable = f"PICLOUD_QUOTA_{store.upper()}_{setting}"
                self._report(app_id, maximum, unit, variable)
                raise QuotaUsedUp(
                    f"the app's quota of {maximum} {unit} is exceeded ({stored - more} are stored); "
                    f"delete some, or ask the operator to raise {variable}"
                )

    def _report(self, app_id: UUID, maximum: int, unit: str, variable: str) -> None:
        """Tell the operator once, not for every write."""
        if (app_id, variable) not in self._reported:
            self._reported[app_id, variable] = True
            logger.warning(
                "app %s: the quota of %d %s is exceeded; its writes fail. Delete data, or raise %s",
                app_id,
                maximum,
                unit,
                variable,
            )

    async def _recent(self, app_id: UUID) -> Mapping[str, Amount]:
        def known() -> Mapping[str, Amount] | None:
            sums = self._known.get(app_id)
            return sums.of if sums is not None and sums.fresh() else None

        return await self._loads.get(app_id, known, lambda: self._read(app_id))

    async def _read(self, app_id: UUID, connection: Connection | None = None) -> Mapping[str, Amount]:
        rows = await (connection or self._database).fetch(_SQL.usage_of, app_id)
        sums = {row["store"]: Amount(row["rows"], row["bytes"]) for row in rows}
        if connection is None:  # a transaction may be rolled back
            self._known.pop(app_id, None)
            while len(self._known) >= MAX_REMEMBERED_APPS:
                del self._known[next(iter(self._known))]
            self._known[app_id] = _Sums(sums)
        return sums


_EMPTY = Amount(0, 0)
_ROWS: Mapping[Store, str] = {
    "kv": "entries",
    "docs": "documents",
    "files": "files",
    "scripts": "script versions",
    "executions": "executions",
}
UNLIMITED: Mapping[Store, Amount] = dict.fromkeys(STORES, Amount(NO_LIMIT, NO_LIMIT))
