"""Recording events in the transaction of the write that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from picloud.db.pool import Connection
from picloud.outbox.event import Event, Source
from picloud.outbox.matching import Matcher, TriggerTable


class EventRecorder(Protocol):
    """Records events."""

    async def record(self, connection: Connection, events: Sequence[Event]) -> None:
        """Record the events of one write, in its transaction. An error undoes the write.

        Args:
            connection: in the transaction of the write.
            events: at least one, in the order of the changes.
        """


class Outbox:
    """Hands the events of a write to every listener."""

    def __init__(self, matcher: Matcher | None = None, listeners: Sequence[EventRecorder] = ()) -> None:
        """Create the outbox.

        Args:
            matcher: knows which collections have triggers; None for an empty table.
            listeners: record events, in this order.
        """
        self._matcher = matcher or TriggerTable()
        self._listeners = tuple(listeners)

    async def has_listener(self, app_id: UUID, source: Source, collection: str) -> bool:
        """Return whether the events of a write to a collection must be recorded."""
        return bool(self._listeners) and await self._matcher.has_listener(app_id, source, collection)

    async def record(self, connection: Connection, events: Sequence[Event]) -> None:
        """Record the events of one write.

        Args:
            connection: in the transaction of the write.
            events: in the order of the changes; can be empty.
        """
        if not events:
            return
        for listener in self._listeners:
            await listener.record(connection, events)
