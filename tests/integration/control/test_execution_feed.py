"""Following the execution log: every reader gets every record once, and all get the same order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest

from picloud.control import execution_feed
from picloud.control.execution_feed import BATCH, ExecutionFeed, Followed
from picloud.control.executions import Execution
from picloud.core.errors import Invalid, NotFound, Unavailable
from picloud.core.generations import Generations
from picloud.core.metrics import Metrics
from picloud.core.wakeup import WakeUp
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.execution.invocation import ScriptVersion
from picloud.execution.record import METRICS, Recorder, all_written
from picloud.execution.record_row import make_row
from picloud.execution.redaction import Redaction
from picloud.sandbox.outcome import Outcome, Response
from picloud.services.outbound_decisions import Decisions
from tests.workbench import NOBODY, invocation, script

OTHER = UUID(int=7)
PATIENCE = 60
INSERT = load("execution_logs").execution_logs_insert
READ = load("executions").executions_recorded
IN_ORDER = "SELECT id FROM execution_logs WHERE app_id = $1 ORDER BY position"


@pytest.fixture(autouse=True)
async def apps(database: Database) -> None:
    for app_id, slug in ((NOBODY, "nobody"), (OTHER, "other")):
        await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, $2)", app_id, slug)


@pytest.fixture
def generations() -> Generations:
    return Generations()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(METRICS)


@pytest.fixture
async def recorder(database: Database, generations: Generations, metrics: Metrics) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, generations, metrics)
    recorder.start()
    yield recorder
    await recorder.close(grace=5)


@pytest.fixture
async def feed(
    database: Database, generations: Generations, metrics: Metrics
) -> AsyncIterator[ExecutionFeed]:
    wake_up = WakeUp(generations)
    feed = ExecutionFeed(database, wake_up, lambda: all_written(metrics))
    yield feed
    await feed.close()
    wake_up.close()


def ended(code: str = "ok") -> Outcome:
    return Outcome(code, Response(200, [], b"x") if code == "ok" else None)


def record(recorder: Recorder, what: ScriptVersion | None = None, code: str = "ok") -> UUID:
    """Record an execution; returns its id."""
    made = invocation(what or script("1"))
    recorder.record(made, ended(code), time.time())
    return made.execution_id


async def read(feed: ExecutionFeed, followed: Followed, position: int, count: int) -> list[Execution]:
    """Follow until so many executions were read."""
    found: list[Execution] = []
    async with asyncio.timeout(PATIENCE), aclosing(feed.follow(followed, position)) as steps:
        async for step in steps:
            found += [step.execution] if step.execution is not None else []
            if len(found) == count:
                return found
    raise AssertionError


def ids(executions: list[Execution]) -> list[UUID]:
    return [execution.execution_id for execution in executions]


async def test_every_reader_gets_each_execution_once_and_all_get_the_same_order(
    feed: ExecutionFeed,
    database: Database,
    generations: Generations,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution_feed, "POLL_SECONDS", 3600)  # it is woken
    workers = [Recorder(database, generations, metrics) for _ in range(3)]
    for worker in workers:
        worker.start()
    made: dict[UUID, set[UUID]] = {NOBODY: set(), OTHER: set()}
    followed = [Followed(NOBODY), Followed(NOBODY), Followed(OTHER)]
    reading = [asyncio.create_task(read(feed, one, 0, 150)) for one in followed]
    for number in range(300):
        app_id = (NOBODY, OTHER)[number % 2]
        made[app_id].add(record(workers[number % 3], script("1", app=app_id)))
        if number % 10 == 0:
            await asyncio.sleep(0.005)  # so that there are many batches of all workers
    late = read(feed, Followed(OTHER), 0, 150)
    results = [ids(result) for result in (*await asyncio.gather(*reading), await late)]
    for result, app_id in zip(results, (NOBODY, NOBODY, OTHER, OTHER), strict=True):
        assert len(result) == 150
        assert set(result) == made[app_id]
        assert result == [row["id"] for row in await database.fetch(IN_ORDER, app_id)]
    for worker in workers:
        await worker.close()


async def test_no_position_is_seen_before_a_smaller_one_that_is_being_written(
    feed: ExecutionFeed, database: Database, generations: Generations
) -> None:
    first, second = invocation(script("1")), invocation(script("2"))

    def values(what: Any) -> list[list[object]]:
        return [[value] for value in make_row(what, ended(), time.time(), Decisions(), Redaction(()))]

    position = await feed.start(NOBODY, None)
    reading = asyncio.create_task(read(feed, Followed(NOBODY), position, 2))
    async with database.transaction() as slow:
        await slow.execute(INSERT, *values(second))
        waiting = asyncio.create_task(database.execute(INSERT, *values(first)))
        async with asyncio.timeout(PATIENCE):
            while not await database.fetchval(  # noqa: ASYNC110  # nothing announces it
                "SELECT count(*) FROM pg_locks WHERE NOT granted"
            ):
                await asyncio.sleep(0.01)
        assert await database.fetchval("SELECT count(*) FROM execution_logs") == 0
        assert not reading.done()
    await waiting
    generations.bump("executions")
    assert ids(await reading) == [second.execution_id, first.execution_id]


async def test_a_reader_continues_from_its_position(
    feed: ExecutionFeed, recorder: Recorder, database: Database
) -> None:
    for _ in range(2 * BATCH + 1):
        record(recorder)
    everything = ids(await read(feed, Followed(NOBODY), 0, 2 * BATCH + 1))
    positions = [row["position"] for row in await database.fetch("SELECT position FROM execution_logs")]
    assert sorted(positions) == list(range(1, 2 * BATCH + 2))
    for position in (1, BATCH - 1, BATCH, 2 * BATCH):
        assert await feed.start(NOBODY, str(position)) == position
        rest = await read(feed, Followed(NOBODY), position, len(everything) - position)
        assert ids(rest) == everything[position:]


async def test_a_reader_without_a_position_starts_at_the_end(feed: ExecutionFeed, recorder: Recorder) -> None:
    record(recorder)
    position = await feed.start(NOBODY, None)
    after = record(recorder)
    assert ids(await read(feed, Followed(NOBODY), position, 1)) == [after]


async def test_a_reader_gets_only_what_it_follows_and_its_position_moves_past_the_rest(
    feed: ExecutionFeed, recorder: Recorder
) -> None:
    one, two = script("1"), script("2")
    of_one, of_two = record(recorder, one), record(recorder, two)
    failed = record(recorder, one, "script_error")
    assert ids(await read(feed, Followed(NOBODY, one.script_id), 0, 2)) == [of_one, failed]
    assert ids(await read(feed, Followed(NOBODY, two.script_id), 0, 1)) == [of_two]
    assert ids(await read(feed, Followed(NOBODY, None, "script_error"), 0, 1)) == [failed]
    nothing = Followed(NOBODY, two.script_id, "script_error")
    async with asyncio.timeout(PATIENCE), aclosing(feed.follow(nothing, 0)) as steps:
        async for step in steps:
            assert step.execution is None
            if step.position == 3:
                break


async def test_records_of_other_nodes_arrive(feed: ExecutionFeed, database: Database) -> None:
    other_node = Recorder(database, Generations())
    other_node.start()
    reading = asyncio.create_task(read(feed, Followed(NOBODY), 0, 1))
    made = record(other_node)
    assert ids(await reading) == [made]
    await other_node.close()


async def test_readers_at_one_position_share_a_read(
    feed: ExecutionFeed, recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    fetch = database.fetch

    async def counted(query: str, *arguments: object) -> Any:
        asked.append(query)
        return await fetch(query, *arguments)

    monkeypatch.setattr(feed, "_database", Fetching(counted))
    reading = [asyncio.create_task(read(feed, Followed(NOBODY), 0, 1)) for _ in range(20)]
    while NOBODY not in feed._tails or feed._tails[NOBODY].readers < 20:  # noqa: ASYNC110
        await asyncio.sleep(0)
    record(recorder)
    await asyncio.gather(*reading)
    assert asked.count(READ) == 1


async def test_a_database_that_is_away_for_a_while_loses_nothing(
    feed: ExecutionFeed, recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 3

    async def failing(query: str, *arguments: object) -> Any:
        nonlocal failures
        if failures and query != READ:
            failures -= 1
            raise Unavailable
        return await database.fetch(query, *arguments)

    monkeypatch.setattr(feed, "_database", Fetching(failing))
    reading = asyncio.create_task(read(feed, Followed(NOBODY), 0, 1))
    made = record(recorder)
    assert ids(await reading) == [made]
    assert failures == 0


class Fetching:
    """A database that fetches in another way."""

    def __init__(self, fetch: Callable[..., Any]) -> None:
        self.fetch = fetch


async def test_without_readers_there_are_no_queries(feed: ExecutionFeed) -> None:
    async with aclosing(feed.follow(Followed(NOBODY), 0)) as steps:
        await anext(steps)
        reading = asyncio.create_task(anext(steps))
        while feed._watching is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert not feed._tails
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([feed._watching])


@pytest.mark.parametrize("text", ["", "-1", "01", "1.0", "x", "9" * 19, "\u0661", "1\n"])
async def test_an_unknown_position_is_rejected(feed: ExecutionFeed, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        await feed.start(NOBODY, text)
    assert caught.value.details["field"] == "Last-Event-ID"


async def test_a_position_behind_the_end_is_the_end(feed: ExecutionFeed, recorder: Recorder) -> None:
    record(recorder)
    assert await feed.start(NOBODY, "9" * 18) == 1


async def test_a_reader_of_an_app_that_is_deleted_ends(
    feed: ExecutionFeed, recorder: Recorder, database: Database
) -> None:
    record(recorder, script("1", app=OTHER))
    await read(feed, Followed(OTHER), 0, 1)
    reading = asyncio.create_task(read(feed, Followed(OTHER), 1, 1))
    await database.execute("DELETE FROM apps WHERE id = $1", OTHER)
    with pytest.raises(NotFound):
        await reading
    with pytest.raises(NotFound):
        await feed.start(OTHER, None)
