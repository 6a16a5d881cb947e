"""Revisions of apps: which of the tables that a worker keeps in memory are behind the database.

A topic's generation says that some app has changed; the app's revision, a column that grows with every write,
says which. So a write makes workers read the data of one app again, not of all.
"""

from __future__ import annotations

from uuid import UUID

from cachetools import LRUCache

from picloud.core.generations import Generations
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Database

MAX_APPS = 10_000
"""Apps whose revision a worker remembers."""


class Revisions:
    """The revisions of apps that this worker knows, for one topic."""

    def __init__(self, database: Database, generations: Generations, topic: str, statement: str) -> None:
        """Know no revision yet.

        Args:
            database: the pool.
            generations: tell when the data of some app has changed.
            topic: of the generations.
            statement: returns `id` and `revision` of the apps in `$1`.
        """
        self._database, self._statement = database, statement
        self._generations, self._topic = generations, topic
        self._known: LRUCache[UUID, int] = LRUCache(MAX_APPS)
        self._flights: SingleFlight[None] = SingleFlight()
        self._seen = b""  # the generation before the last comparison; no generation is empty

    def known(self, app_id: UUID) -> int | None:
        """The revision of an app, or None where only the database can tell."""
        return self._known.get(app_id) if self._seen == self._current() else None

    async def compare(self) -> bytes:
        """Compare the known revisions with the database, if a write was announced since.

        Returns:
            A mark for `keep`.

        Raises:
            Unavailable: the database cannot be reached.
        """
        await self._flights.get(None, lambda: True if self._seen == self._current() else None, self._compare)
        return self._seen

    def keep(self, app_id: UUID, revision: int, mark: bytes) -> None:
        """Remember the revision of an app that was just read.

        Args:
            app_id: the app.
            revision: its revision.
            mark: what `compare` returned before the read. After another comparison the revision is not kept,
                because that comparison did not include it.
        """
        if self._seen == mark:
            self._known[app_id] = revision

    def _current(self) -> bytes:
        return self._generations.current(self._topic)

    async def _compare(self) -> bool:
        seen = self._current()  # before the read, so that a write in between is seen later
        if self._known:
            rows = await self._database.fetch(self._statement, list(self._known))
            self._known.clear()  # also what was kept in the meantime: the statement did not include it
            self._known.update((row["id"], row["revision"]) for row in rows)
        self._seen = seen
        return True
