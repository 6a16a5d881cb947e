"""Follow: each execution is printed once, wherever the connection breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.cli.exits import NOT_ALLOWED, Failure
from picloud.cli.remote import follow as module
from picloud.cli.remote.client import ApiError, Json, Unreachable
from picloud.cli.remote.event_stream import ServerEvent
from picloud.cli.remote.follow import follow

PATIENCE = 60


class Server:
    """A log of numbered executions, whose stream breaks when it is told to.

    Attributes:
        log: what is recorded.
        breaks: of each connection, after how many events it breaks and how; after the last of them none does.
        growing: what is recorded between the start of the stream and the reading of the list.
        retry_seconds: as the server asks.
    """

    def __init__(
        self, before: int, growing: int, after: int, breaks: list[tuple[int, Exception | None]]
    ) -> None:
        self.log = list(range(1, before + 1))
        self.growing, self.after, self.breaks = growing, after, breaks
        self.retry_seconds = 0.0
        self.position: int | None = None

    def events(self, path: str, query: object, **parts: str) -> Server:
        assert path == "log:follow"
        return self

    async def items(self, path: str, query: object, limit: int, **parts: str) -> list[Json]:
        assert path == "log"
        self.grow(self.growing)
        return [execution(number) for number in reversed(self.log)][:limit]

    def grow(self, count: int) -> None:
        self.log += range(len(self.log) + 1, len(self.log) + count + 1)

    async def connect(self) -> AsyncGenerator[ServerEvent, None]:
        length, error = self.breaks.pop(0) if self.breaks else (10**6, None)
        if self.position is None:
            self.position = len(self.log)
        elif not length and error is not None:
            raise error
        yield ServerEvent(str(self.position), "message", None)
        while length:
            if self.position == len(self.log):
                self.grow(min(1, self.after))
                self.after -= 1
            if self.position == len(self.log):
                break
            self.position += 1
            length -= 1
            yield ServerEvent(str(self.position), "message", json.dumps(execution(self.position)))
        if error is not None:
            raise error
        yield ServerEvent(str(self.position), "closing", '{"code": "not_ready", "message": ""}')


def execution(number: int) -> Json:
    return {"execution_id": str(number)}


AWAY = st.sampled_from([None, Unreachable("away"), ApiError(503, {"code": "not_ready"}), ApiError(429, {})])


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr(module.asyncio, "sleep", lambda seconds: sleep(0))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.integers(0, 5),
    growing=st.integers(0, 3),
    after=st.integers(0, 10),
    limit=st.integers(0, 8),
    breaks=st.lists(st.tuples(st.integers(0, 4), AWAY), max_size=8),
)
async def test_each_execution_is_given_once_and_none_is_left_out(
    before: int, growing: int, after: int, limit: int, breaks: list[tuple[int, Exception | None]]
) -> None:
    if limit == 0:
        growing = 0  # the list is not read
    server: Any = Server(before, growing, after, breaks)
    expected = [str(number + 1) for number in range(before + growing + after)]
    expected = expected[max(0, before + growing - limit) :] if limit > growing else expected[before:]
    given_out: list[str] = []
    async with asyncio.timeout(PATIENCE), aclosing(follow(server, "log", {}, {}, limit)) as items:
        while len(given_out) < len(expected):
            given_out.append((await anext(items))["execution_id"])
    assert sorted(given_out, key=int) == expected
    assert given_out[: len(expected) - after] == expected[: len(expected) - after] or limit <= growing


async def test_a_first_connection_that_fails_is_an_error() -> None:
    class Away(Server):
        async def connect(self) -> AsyncGenerator[ServerEvent, None]:
            raise Unreachable("away")
            yield  # a generator

    server: Any = Away(0, 0, 0, [])
    with pytest.raises(Unreachable):
        await anext(follow(server, "log", {}, {}, 0))


async def test_a_later_denial_is_an_error_without_retries() -> None:
    server: Any = Server(0, 0, 1, [(1, None), (0, ApiError(401, {"code": "unauthenticated"}))])
    items = follow(server, "log", {}, {}, 0)
    assert await anext(items) == execution(1)
    with pytest.raises(Failure) as caught:
        await anext(items)
    assert caught.value.exit_code == NOT_ALLOWED


async def test_a_lost_and_a_new_connection_are_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    away = (0, Unreachable("away"))
    server: Any = Server(0, 0, 2, [(1, None), away, away, away])
    async with aclosing(follow(server, "log", {}, {}, 0)) as items:
        assert [await anext(items), await anext(items)] == [execution(1), execution(2)]
    said = capsys.readouterr().err.splitlines()
    assert ["retrying" in line for line in said] == [True, False]
