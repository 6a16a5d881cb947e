"""Follows executions as they are recorded: each exactly once, also across reconnects."""

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
"""Maximum delay between two attempts to reconnect."""
_TOO_MANY_REQUESTS = 429


async def follow(
    client: Client, path: str, query: Mapping[str, Any], parts: Mapping[str, str], limit: int
) -> AsyncGenerator[Json, None]:
    """Yield executions without end; reconnects, with a message, if the server is not available.

    Args:
        client: the client of the server.
        path: path of a list of executions, newest first; its stream is at `PATH:follow`.
        query: query parameters of both.
        parts: path parameters.
        limit: number of existing executions to start with.

    Yields:
        These, oldest first, then each execution when it is recorded.

    Raises:
        Failure: the first connection fails, or a later one is refused.
    """
    stream = client.events(f"{path}:follow", query, **parts)
    has_begun, is_away, failures = False, False, 0
    listed: set[str] = set()  # the stream started before the list was read, so it may repeat some
    while True:
        try:
            async with aclosing(stream.connect()) as events:
                async for event in events:
                    failures = 0
                    if is_away:
                        fail("connected again")
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
                fail(f"{failure.message}; retrying")
            is_away = True
        await asyncio.sleep(_pause(stream, failures))
        failures += 1


def _is_passing(failure: Failure) -> bool:
    """Report whether a reconnect can help."""
    return failure.exit_code == UNREACHABLE or (
        isinstance(failure, ApiError) and failure.status == _TOO_MANY_REQUESTS
    )


def _pause(stream: ApiEvents, failures: int) -> float:
    """Return the delay in seconds: the server's value with exponential backoff and jitter."""
    longest = min(MAX_WAIT_SECONDS, stream.retry_seconds * 2.0 ** min(failures, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # guards nothing
