"""A write that every worker must see: one transaction, then the news of it.

The workers of this node compare generations before they use a table in memory, so they see the write
with the next request; NOTIFY tells the other nodes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from picloud.core.generations import Generations
from picloud.db.pool import Connection, Database
from picloud.db.queries import load

CHANNEL = "picloud_changed"
"""NOTIFY channel; the payload is the topic."""

_SQL = load("changes")


class ChangeNotifier:
    """Makes writes known."""

    def __init__(self, database: Database, generations: Generations) -> None:
        self._database = database
        self._generations = generations

    @asynccontextmanager
    async def transaction(self, *topics: str) -> AsyncIterator[Connection]:
        """Run the block in one transaction; after the commit, notify every reader of the topics.

        Args:
            topics: of `generations.TOPICS`.

        Yields:
            The connection the block must write with.
        """
        try:
            async with self._database.transaction() as connection:
                yield connection
                for topic in topics:
                    await connection.execute(_SQL.change_notify, CHANNEL, topic)
        finally:
            # Also when the caller was cancelled or the connection broke: it may have been committed by then.
            for topic in topics:
                self._generations.bump(topic)
