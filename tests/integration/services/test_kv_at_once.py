"""kv when many write at once: two workers, each with its own pool and sandbox, and real scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.executor import Executor
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.kv import service as kv
from tests.integration.conftest import Worker
from tests.workbench import in_memory, invocation, script, value

C = 'let c = kv::collection("c"); '
_numbers = count(1)


@asynccontextmanager
async def executing(engine: Engine, parameters: ConnectionParameters) -> AsyncIterator[Executor]:
    database, threads = await Database.open(parameters, 5), Threads(2)
    functions = in_memory() | kv.host_functions(kv.DatabaseKeyValue(database))
    yield Executor(Admission(64, 64), Sandbox(engine, ImageCache(64, 16), threads, functions), None)
    threads.close()
    await database.close()


@pytest.fixture
async def workers(
    engine: Engine, connection_parameters: ConnectionParameters
) -> AsyncIterator[list[Executor]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(executing(engine, connection_parameters)) for _ in range(2)]


@pytest.fixture
async def app(worker: Worker) -> UUID:
    return await worker.app(f"app-{next(_numbers)}")


async def at_once(workers: list[Executor], app: UUID, sources: list[str]) -> list[Any]:
    """What scripts answer that run at the same time, in turn on each worker."""
    outcomes = await asyncio.gather(
        *(
            workers[number % len(workers)].execute(invocation(script(C + source, app=app)))
            for number, source in enumerate(sources)
        )
    )
    return [value(outcome) for outcome in outcomes]


async def one(workers: list[Executor], app: UUID, source: str) -> Any:
    (said,) = await at_once(workers, app, [source])
    return said


async def test_each_increment_gives_a_number_of_its_own_and_none_is_lost(
    workers: list[Executor], app: UUID
) -> None:
    source = 'let all = []; for i in 0..10 { all.push(c.increment("n", 1)); } all'
    answers = await at_once(workers, app, [source] * 40)
    assert sorted(number for numbers in answers for number in numbers) == list(range(1, 401))
    assert await one(workers, app, 'c.get("n")') == 400


async def test_concurrent_increments_and_deletes_leave_the_last_result(
    workers: list[Executor], app: UUID
) -> None:
    """Each count from 1 begins after a delete that found something, or at the start."""
    counting = 'let all = []; for i in 0..20 { all.push(c.increment("n", 1)); } all'
    deleting = 'let n = 0; for i in 0..20 { if c.delete("n") { n += 1; } } n'
    answers = await at_once(workers, app, [counting, deleting] * 10)
    counted = [number for numbers in answers[::2] for number in numbers]
    last = await one(workers, app, 'c.get("n")')
    assert counted.count(1) == sum(answers[1::2]) + (last is not None)


async def test_a_counter_kept_by_compare_and_set_is_exact(workers: list[Executor], app: UUID) -> None:
    source = """
        let done = 0;
        while done < 5 {
            let present = c.get("n");
            if c.set_if("n", present, if present == () { 1 } else { present + 1 }) { done += 1; }
        }
        done
    """
    assert await at_once(workers, app, [source] * 12) == [5] * 12
    assert await one(workers, app, 'c.get("n")') == 60


async def test_of_all_that_take_a_lock_one_has_it(workers: list[Executor], app: UUID) -> None:
    for round_ in range(5):
        sources = [f'c.set_if("lock{round_}", (), {number})' for number in range(30)]
        answers = await at_once(workers, app, sources)
        assert answers.count(True) == 1
        assert await one(workers, app, f'c.get("lock{round_}")') == answers.index(True)


async def test_of_all_that_take_a_lock_that_expired_one_has_it(
    workers: list[Executor], app: UUID, database: Database
) -> None:
    expire = "UPDATE kv_entries SET expires_at = now() - interval '1 second' WHERE expires_at > now()"
    for round_ in range(5):
        sources = [
            f'c.set_if("lock", (), {number + 30 * round_}, #{{ ttl_seconds: 60 }})' for number in range(30)
        ]
        answers = await at_once(workers, app, sources)
        assert answers.count(True) == 1
        assert await one(workers, app, 'c.get("lock")') == answers.index(True) + 30 * round_
        assert await database.execute(expire) == "UPDATE 1"


async def test_a_lock_has_never_two_owners(workers: list[Executor], app: UUID) -> None:
    for round_ in range(5):
        await one(workers, app, f'c.set("lock", {round_})')
        keep = f'c.set_if("lock", {round_}, {round_}, #{{ ttl_seconds: 60 }})'
        take = [
            f'c.set_if("lock", {round_}, "thief {number}", #{{ ttl_seconds: 60 }})' for number in range(10)
        ]
        answers = await at_once(workers, app, [keep, *take])
        assert answers[1:].count(True) == 1


async def test_pages_have_each_key_that_stays_exactly_once_while_others_come_and_go(
    workers: list[Executor], app: UUID
) -> None:
    kept = [f"k{number:03}" for number in range(200)]
    await one(
        workers, app, "for i in 0..200 { let k = `00${i}`; c.set(`k${k.sub_string(k.len() - 3)}`, i); } 1"
    )
    noise = (
        "for i in 0..100 { let k = `k${random::int(100, 199)}x${i}`; c.set(k, i);"
        " c.increment(`k0${i % 100}y`, 1); c.delete(k); c.delete(`k0${i % 100}y`); } 1"
    )
    walk = """
        let all = []; let at = "";
        while at != () { let page = c.list(at, 9); all += page.keys; at = page.next_cursor; }
        all
    """
    whole = """
        let all = []; let at = "";
        while at != () {
            let page = c.entries(at, 9);
            for entry in page.entries { all.push([entry.key, entry.value]); }
            at = page.next_cursor;
        }
        all
    """
    answers = await at_once(workers, app, [noise, walk, noise, whole] * 3)
    listed = [*answers[1::4], *([key for key, _ in entries] for entries in answers[3::4])]
    for keys in listed:
        assert keys == sorted(set(keys))
        assert [key for key in keys if key in kept] == kept
    assert await one(workers, app, walk) == kept
    assert await one(workers, app, whole) == [[key, int(key[1:])] for key in kept]
