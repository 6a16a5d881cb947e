"""The one way to write to a store, for scripts and for users.

    async with writes.begin(who, app_id, "kv", collection) as write:
        ...                                         # statements on write.connection
        write.emit("insert", key, new=value)        # for triggers
        write.audit(target, after=fields)           # for users

Quota, audit log and outbox are part of the write: an error in any of them undoes all of it. A write of one
statement that needs none of them runs without a transaction, which costs two round trips less.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

from asyncpg import ForeignKeyViolationError

from picloud.core.app_limiter import AppLimiter
from picloud.core.disk_space import DiskSpace
from picloud.core.errors import NotFound, ServiceError
from picloud.db.pool import Connection, Database
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.outbox.event import Event, Operation, Origin, Source
from picloud.outbox.write import Outbox
from picloud.services.call_context import Call
from picloud.services.quotas import MINIMUM, UNLIMITED, Amount, Quotas

WRITES_AT_ONCE = 4
"""Writes of one app that a worker runs at once: they can wait for each other, and other apps need
connections too."""

Who: TypeAlias = Call | Actor
"""A script's call, or a user. A user's writes are in the audit log."""


class Write:
    """A write in progress.

    Attributes:
        connection: what its statements run on.
        collection: the collection that changes.
        has_listener: whether a trigger listens, so that `emit` needs the new and old values.
        observed: whether a trigger or the audit log needs to know what changes. If not, there is no
            transaction around one statement, the old value need not be read, and `emit` and `audit` need
            not be called.
    """

    __slots__ = (
        "_audit",
        "_events",
        "_source",
        "_user",
        "_who",
        "app_id",
        "collection",
        "connection",
        "has_listener",
        "observed",
    )

    def __init__(
        self, connection: Connection, who: Who, app_id: UUID, source: Source, collection: str, listener: bool
    ) -> None:
        """Use `Writes.begin`."""
        self.connection, self.app_id, self.collection = connection, app_id, collection
        self._who, self._source = who, source
        self._user = who if isinstance(who, Actor) else None
        self.has_listener, self.observed = listener, listener or self._user is not None
        self._events: list[Event] = []
        self._audit: list[tuple[object, Mapping[str, Any] | None, Mapping[str, Any] | None]] = []

    def emit(
        self,
        op: Operation,
        key: str,
        *,
        new: bytes | str | None = None,
        old: bytes | str | None = None,
        expired: bool = False,
    ) -> None:
        """Report a change to triggers; if none listens, it is not recorded.

        Args:
            op: what happened.
            key: the key of an entry, or the id of a document or file.
            new: the value after the change, as `Event` has it.
            old: the value before the change.
            expired: whether a kv entry was deleted because its time to live had passed.
        """
        if self.has_listener:
            event = Event(
                app_id=self.app_id,
                source=self._source,
                op=op,
                collection=self.collection,
                key=key,
                new=new,
                old=old,
                expired=expired,
                origin=_origin(self._who),
            )
            self._events.append(event)

    def audit(
        self,
        target: object,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry to the audit log, if a user makes the write.

        Args:
            target: id or name of what changed.
            before: JSON-able fields before the change, without secrets.
            after: JSON-able fields after it, without secrets.
        """
        if self._user is not None:
            self._audit.append((target, before, after))

    async def finish(self, outbox: Outbox) -> None:
        """Write the audit entries and record the events, in the transaction of the write."""
        if self._user is not None:
            for target, before, after in self._audit:
                await audit.write(
                    self.connection,
                    self._user,
                    app_id=self.app_id,
                    target=target,
                    before=before,
                    after=after,
                )
        await outbox.record(self.connection, self._events)


class Writes:
    """Opens writes to stores."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas | None = None,
        outbox: Outbox | None = None,
        space: DiskSpace | None = None,
    ) -> None:
        """Create the service.

        Args:
            quotas: quotas of apps; None for no limits.
            outbox: records events; None for an outbox without triggers.
            space: of the disk of the database; None if it is never full.
        """
        self.quotas = quotas or Quotas(database, UNLIMITED)
        self._database, self._outbox = database, outbox or Outbox()
        self._space = space or DiskSpace()
        self._slots = AppLimiter(max(1, min(WRITES_AT_ONCE, database.max_size // 2)))

    @asynccontextmanager
    async def begin(
        self,
        who: Who,
        app_id: UUID,
        source: Source,
        collection: str,
        *,
        adds: Amount | None = MINIMUM,
        atomic: bool = False,
    ) -> AsyncIterator[Write]:
        """Open a write to one collection. An exception from the block undoes it.

        Args:
            who: the script's call, or the user.
            source: the store.
            collection: the collection.
            adds: known minimum of rows and bytes that the write adds; None if it only deletes.
            atomic: whether the block always needs a transaction, because it runs several statements.

        Raises:
            QuotaUsedUp: the write adds something, and the quota has no room for it.
            StorageFull: the write adds something, and the disk has no room for it.
            ServiceError: the app was deleted; for a script.
            NotFound: the app was deleted; for a user.
        """
        release = await self._slots.acquire(app_id)
        try:
            if adds is not None:
                self._space.require()
            listener = await self._outbox.has_listener(app_id, source, collection)
            unchecked = adds is None or await self.quotas.has_room(app_id, source, adds)
            async with self._database.acquire() as connection:
                write = Write(connection, who, app_id, source, collection, listener)
                if unchecked and not (atomic or write.observed):
                    yield write
                    return
                async with connection.transaction():
                    yield write
                    if not unchecked:
                        await self.quotas.check_after(connection, app_id, source)
                    await write.finish(self._outbox)
        except ForeignKeyViolationError:
            if isinstance(who, Actor):
                raise NotFound("app", app_id) from None
            raise ServiceError("the app was deleted") from None
        finally:
            release()


def _origin(who: Who) -> Origin:
    return Origin(who.principal, who.execution_id if isinstance(who, Call) else None)
