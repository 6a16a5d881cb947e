"""Executions as they are recorded: each once and none left out, also when the server was away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from picloud.cli.exits import UNREACHABLE, Failure
from picloud.cli.remote.client import ApiError, ApiEvents, Client, Json, parse_event
from picloud.cli.terminal import fail

MAX_WAIT_SECONDS = 30.0
"""The longest pause between two attempts to connect again."""
_TOO_MANY_REQUESTS = 429


async def follow(
    client: Client, path: str, query: Mapping[str, Any], parts: Mapping[str, str], limit: int
) -> AsyncGenerator[Json, None]:
    """Give executions without end; a server that goes away is waited for, and a message says so.

    Args:
        client: of the server.
        path: of a list of executions, newest first; its stream is at `PATH:follow`.
        query: parameters of both.
        parts: what goes into the path.
        limit: how many existing executions to begin with.

    Yields:
        These, oldest first, then each execution when it is recorded.

    Raises:
        Failure: the first connection fails, or a later one is refused.
    """
    stream = client.events(f"{path}:follow", query, **parts)
    has_begun, is_away, failures = False, False, 0
    listed: set[str] = set()  # the stream began before the list was read: it may have some of them again
    while True:
        try:
            async with aclosing(stream.connect()) as events:
                async for event in events:
                    failures = 0
                    if is_away:
                        fail("the server is back")
                        is_away = False
                    if not has_begun:
                        items = await client.items(path, query, limit, **parts) if limit else []
                        listed, has_begun = {item["execution_id"] for item in items}, True
                        for item in reversed(items):
                            yield item
                    if event.type != "message" or event.data is None:
                        continue
                    item = parse_event(event)
                    if item["execution_id"] in listed:
                        listed.discard(item["execution_id"])
                    else:
                        yield item
        except Failure as failure:
            if not has_begun or not _is_passing(failure):
                raise
            if not is_away:
                fail(f"{failure.message}; waiting for it to come back")
            is_away = True
        await asyncio.sleep(_pause(stream, failures))
        failures += 1


def _is_passing(failure: Failure) -> bool:
    """Whether connecting again may help."""
    return failure.exit_code == UNREACHABLE or (
        isinstance(failure, ApiError) and failure.status == _TOO_MANY_REQUESTS
    )


def _pause(stream: ApiEvents, failures: int) -> float:
    """Seconds to wait: as the server asked, then longer and longer, and never all clients together."""
    longest = min(MAX_WAIT_SECONDS, stream.retry_seconds * 2.0 ** min(failures, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # guards nothing
