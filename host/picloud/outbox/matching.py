"""Matching writes to triggers, from memory: a write that no trigger listens to costs no query."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from picloud.outbox.event import Source


class Matcher(Protocol):
    """Knows which collections have triggers."""

    async def has_listener(self, app_id: UUID, source: Source, collection: str) -> bool:
        """Return whether a trigger listens to a collection.

        A matcher looks in memory. It is a coroutine so that it can read its table again when another
        worker has changed a trigger.

        Args:
            source: the store.
            collection: the collection that is about to change.
        """


class TriggerTable:
    """The collections that triggers listen to, by app and store."""

    def __init__(self) -> None:
        """Create an empty table: no trigger listens to anything."""
        self._globs: dict[UUID, Mapping[Source, Collection[str]]] = {}

    def replace(self, app_id: UUID, globs: Mapping[Source, Collection[str]]) -> None:
        """Replace what the triggers of an app listen to.

        Args:
            globs: the collection globs of its triggers, by store; empty when it has no triggers.
        """
        if globs:
            self._globs[app_id] = globs
        else:
            self._globs.pop(app_id, None)

    async def has_listener(self, app_id: UUID, source: Source, collection: str) -> bool:
        """Return whether a trigger listens to a collection."""
        sources = self._globs.get(app_id)
        return sources is not None and any(matches(glob, collection) for glob in sources.get(source, ()))


def matches(glob: str, collection: str) -> bool:
    """Return whether a collection matches a glob. It is case-sensitive.

    Args:
        glob: `*`, a prefix that ends in `*` (`users:*`), or an exact name.
        collection: the collection's name.
    """
    return collection.startswith(glob[:-1]) if glob.endswith("*") else collection == glob
