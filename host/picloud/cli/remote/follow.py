"""Executions as they come: each once, none left out, oldest first.

The API lists them newest first. Ids are made when an execution begins (UUIDv7, so they grow with time),
but a record is there when it has ended: one that takes long appears behind others that were seen before.
So every look goes back until nothing is new, and now and then as far as the longest execution could
have begun before what was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from picloud.cli.exits import UNREACHABLE, Failure
from picloud.cli.remote.client import Client, Json
from picloud.cli.terminal import fail

POLL_SECONDS = 0.5
LOOKS_PER_SWEEP = 10
LONGEST = 330
"""Seconds: the largest `timeout_seconds` there is by default, and time for clocks to differ."""


class Follower:
    """Looks at one list of executions again and again.

    Attributes:
        seen: milliseconds at which an execution began, by its id: those that may still be listed again.
    """

    def __init__(self, client: Client, path: str, query: Mapping[str, Any], parts: Mapping[str, str]) -> None:
        """Make it.

        Args:
            client: of the server.
            path: of a list of executions, newest first.
            query: its parameters.
            parts: what goes into the path.
        """
        self._client, self._path, self._query, self._parts = client, path, query, parts
        self.seen: dict[str, int] = {}
        self._looks = 0
        self._floor = 0  # milliseconds: what began before will not appear any more

    async def first(self, limit: int) -> list[Json]:
        """Look for the first time.

        Args:
            limit: how many existing executions to return.

        Returns:
            The newest of them, oldest first; the others count as seen.
        """
        fresh = await self._look(first=True)
        return fresh[len(fresh) - limit :] if limit < len(fresh) else fresh

    async def next(self) -> list[Json]:
        """Look again.

        Returns:
            What was not there before, oldest first.

        Raises:
            Failure: also when the server is away; what comes meanwhile is found by the next look.
        """
        self._looks += 1
        return await self._look(sweep=self._looks % LOOKS_PER_SWEEP == 0)

    async def _look(self, first: bool = False, sweep: bool = False) -> list[Json]:
        oldest = None if first else self._floor
        fresh: list[Json] = []
        async for page in self._client.pages(self._path, self._query, None, **self._parts):
            if oldest is None and page:
                oldest = _began(page[0]) - LONGEST * 1000
            unseen = [item for item in page if item["execution_id"] not in self.seen]
            fresh += [item for item in unseen if _began(item) >= (oldest or 0)]
            if not page or _began(page[-1]) < (oldest or 0) or not (unseen or sweep):
                break
        fresh.sort(key=lambda item: str(item["execution_id"]))
        self.seen |= {item["execution_id"]: _began(item) for item in fresh}
        if self.seen and (first or sweep):
            # All that began so long before the newest had ended, and this look went back to it.
            self._floor = max(self.seen.values()) - LONGEST * 1000
            self.seen = {name: began for name, began in self.seen.items() if began >= self._floor}
        return fresh


def _began(item: Json) -> int:
    """Milliseconds since 1970 at which an execution began, from its id (RFC 9562, UUIDv7)."""
    return UUID(item["execution_id"]).int >> 80


async def follow(follower: Follower, limit: int) -> AsyncIterator[Json]:
    """Give executions for ever; a server that goes away is waited for, and that is said.

    Args:
        follower: looks.
        limit: how many existing executions to begin with.
    """
    for item in await follower.first(limit):
        yield item
    away = False
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            fresh = await follower.next()
        except Failure as error:
            if error.exit_code != UNREACHABLE:
                raise
            if not away:
                fail(f"{error.message}; waiting for it to come back")
            away = True
            continue
        if away:
            fail("the server is back")
            away = False
        for item in fresh:
            yield item
