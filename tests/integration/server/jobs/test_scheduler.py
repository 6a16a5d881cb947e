"""Jobs run when due, once for all workers of all nodes, independently of each other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from picloud.core.metrics import Metrics
from picloud.db.pool import Database
from picloud.server.jobs import scheduler as scheduler_module
from picloud.server.jobs.job import Job, Resources
from picloud.server.jobs.scheduler import FAILURES, LAST_RUN, METRICS, ROWS, RUNS, SECONDS, JobScheduler
from picloud.server.jobs.table import JOBS
from tests.integration.jobs import resources

NAME, OTHER = (job.name for job in JOBS[:2])
HOUR = 3600.0


class Counting:
    """Work that counts its runs and says so."""

    def __init__(self, *rows: int) -> None:
        self.rows, self.runs = list(rows), 0
        self._ran = asyncio.Event()

    async def __call__(self, resources: Resources, batch: int) -> int:
        self.runs += 1
        self._ran.set()
        return self.rows.pop(0) if self.rows else 0

    async def ran(self) -> None:
        """Wait for a run since the last wait."""
        async with asyncio.timeout(30):
            await self._ran.wait()
        self._ran.clear()


@contextlib.asynccontextmanager
async def started(
    database: Database, *jobs: Job, metrics: Metrics | None = None
) -> AsyncIterator[JobScheduler]:
    scheduler = JobScheduler(resources(database), metrics or Metrics(METRICS), jobs)
    scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def due(database: Database, name: str = NAME) -> bool:
    return bool(await database.fetchval("SELECT due_at <= now() FROM jobs WHERE name = $1", name))


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for something in the database that another task does."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.01)


async def test_of_all_workers_one_runs_a_job_in_a_period(database: Database) -> None:
    work, each = Counting(), Counting()
    jobs = (
        Job(name=NAME, seconds=HOUR, run=work),
        Job(name=OTHER, seconds=HOUR, run=each, on="each worker"),
    )
    async with contextlib.AsyncExitStack() as workers:
        for _ in range(4):
            await workers.enter_async_context(started(database, *jobs))
        await work.ran()
        async with asyncio.timeout(30):
            while each.runs < 4:
                await each.ran()
        await until(lambda: _is_released(database))
    assert (work.runs, each.runs) == (1, 4)


async def test_it_is_due_again_a_period_after_its_end(database: Database) -> None:
    work = Counting()
    async with started(database, Job(name=NAME, seconds=HOUR, run=work)):
        await work.ran()
        await until(lambda: _is_released(database))
    async with started(database, Job(name=NAME, seconds=HOUR, run=work)) as _:
        assert work.runs == 1
    await database.execute("UPDATE jobs SET due_at = now()")
    async with started(database, Job(name=NAME, seconds=HOUR, run=work)):
        await work.ran()
    assert work.runs == 2


async def test_a_job_is_done_in_batches_until_one_is_not_full(database: Database) -> None:
    metrics, work = Metrics(METRICS), Counting(10, 10, 3)
    async with started(database, Job(name=NAME, seconds=HOUR, run=work, batch=10), metrics=metrics):
        await until(lambda: _is_released(database))
    assert work.runs == 3
    assert metrics.value(ROWS, NAME) == 23
    assert metrics.value(RUNS, NAME) == 1


async def test_a_job_that_fails_is_counted_and_the_others_run_all_the_same(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(resources: Resources, batch: int) -> int:
        raise ValueError("odd")

    metrics, work = Metrics(METRICS), Counting()
    jobs = (Job(name=NAME, seconds=HOUR, run=fail), Job(name=OTHER, seconds=HOUR, run=work))
    with caplog.at_level(logging.ERROR):
        async with started(database, *jobs, metrics=metrics):
            await work.ran()
            await until(lambda: _is_released(database))
            await until(lambda: _is_released(database, OTHER))
    assert (metrics.value(RUNS, NAME), metrics.value(FAILURES, NAME)) == (1, 1)
    assert (metrics.value(RUNS, OTHER), metrics.value(FAILURES, OTHER)) == (1, 0)
    assert metrics.value(LAST_RUN, OTHER) > 0
    assert metrics.value(SECONDS, OTHER) > 0
    assert f"job {NAME} failed" in caplog.text
    assert not await due(database)  # a period later, and not at once on the next worker


async def test_the_job_of_a_worker_that_died_is_free_when_its_lease_has_ended(database: Database) -> None:
    hanging, work = asyncio.Event(), Counting()

    async def hang(resources: Resources, batch: int) -> int:
        hanging.set()
        await asyncio.Event().wait()
        return 0

    async with started(database, Job(name=NAME, seconds=HOUR, run=hang)):
        await hanging.wait()
    left = await database.fetchval("SELECT due_at - now() FROM jobs WHERE name = $1", NAME)
    assert left <= scheduler_module.LEASE
    await database.execute("UPDATE jobs SET due_at = now()")  # it has ended
    async with started(database, Job(name=NAME, seconds=HOUR, run=work)):
        await work.ran()


async def test_a_lease_is_renewed_as_long_as_the_job_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "LEASE", scheduler_module.LEASE / 600)  # 0.1 seconds
    go_on = asyncio.Event()

    async def long(resources: Resources, batch: int) -> int:
        await go_on.wait()
        return 0

    async with started(database, Job(name=NAME, seconds=HOUR, run=long)):
        renewals: set[object] = set()

        async def renewed_often() -> bool:
            renewals.add(await database.fetchval("SELECT due_at FROM jobs WHERE name = $1", NAME))
            return len(renewals - {None}) > 5

        await until(renewed_often)
        go_on.set()
        await until(lambda: _is_released(database))


async def test_without_a_database_a_job_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler_module, "_RETRY_SECONDS", 0.0)
    await database.close()
    with caplog.at_level(logging.WARNING):
        async with started(database, Job(name=NAME, seconds=HOUR, run=Counting())):
            async with asyncio.timeout(30):
                while caplog.text.count(f"job {NAME} failed: the database is not available") < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


async def _is_released(database: Database, name: str = NAME) -> bool:
    """Whether the job is due in about a period, and no more on lease."""
    return bool(
        await database.fetchval("SELECT due_at > now() + interval '30 min' FROM jobs WHERE name = $1", name)
    )


def test_every_job_has_a_name_of_its_own_and_a_period() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(job.seconds > 0 and job.batch > 0 for job in JOBS)
