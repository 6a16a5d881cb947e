"""Running the jobs of a worker.

A job "on one worker" has a row in the table `jobs`, which says when it is due. Every worker of every node
tries to claim it then; the first one has it on lease while it runs, so that it runs once in each period,
whichever nodes there are. An advisory lock would not do: it keeps runs apart, but each worker would still
have its turn, and it holds a connection as long as the job runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from picloud.core.errors import Unavailable
from picloud.core.metrics import Family, Metrics
from picloud.core.periodic import PeriodicTask
from picloud.db.queries import load
from picloud.server.jobs.job import Job, Resources
from picloud.server.jobs.table import JOBS

LEASE = timedelta(seconds=60)
"""So long after its worker died a job is free again; renewed while the job runs."""
_RETRY_SECONDS = 60.0  # at most, when the database was not available
_JITTER = 0.1  # of the period: workers do not all ask at one moment

_SQL = load("jobs")
_LABELS = {"job": [job.name for job in JOBS]}

RUNS = Family("picloud_job_runs_total", "Runs of background jobs that this node made.", labels=_LABELS)
FAILURES = Family("picloud_job_failures_total", "Runs of background jobs that failed.", labels=_LABELS)
SECONDS = Family("picloud_job_seconds_total", "Time that runs of background jobs took.", labels=_LABELS)
ROWS = Family("picloud_job_rows_total", "Rows that background jobs deleted.", labels=_LABELS)
LAST_RUN = Family(
    "picloud_job_last_run_timestamp_seconds",
    "When this node last ended a run, in seconds since 1970-01-01 UTC.",
    "gauge",
    _LABELS,
    total="max",
)
METRICS = (RUNS, FAILURES, SECONDS, ROWS, LAST_RUN)


class JobScheduler:
    """The jobs of one worker, each in a task of its own."""

    def __init__(self, resources: Resources, metrics: Metrics, jobs: Iterable[Job] = JOBS) -> None:
        """Make it, idle.

        Args:
            resources: what the jobs work on.
            metrics: where runs are counted.
            jobs: what to run.
        """
        self._resources, self._metrics = resources, metrics
        self._tasks = [
            PeriodicTask(f"job {job.name}", self._turn_of(job), min(job.seconds, _RETRY_SECONDS))
            for job in jobs
        ]

    def start(self) -> None:
        """Run what is due, now and from now on."""
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop. A run under way is cancelled, and is made again when its lease has ended."""
        for task in self._tasks:
            await task.close()

    def _turn_of(self, job: Job) -> Callable[[], Awaitable[float]]:
        async def each_worker() -> float:
            await self._run(job)
            return job.seconds

        async def one_worker() -> float:
            due_in = await self._claim(job)
            if due_in > 0:
                return due_in + random.uniform(0, _JITTER) * job.seconds  # noqa: S311  # spreads load
            renewing = asyncio.create_task(self._renew(job))
            try:
                await self._run(job)
            except Exception:
                await self._release(job)
                raise
            finally:
                renewing.cancel()
            await self._release(job)
            return job.seconds

        return one_worker if job.on == "one worker" else each_worker

    async def _run(self, job: Job) -> None:
        count, began = self._metrics.series, time.monotonic()
        try:
            count(ROWS, job.name).inc(await job.run_to_end(self._resources))
        except Exception:
            count(FAILURES, job.name).inc()
            raise
        finally:
            count(RUNS, job.name).inc()
            count(SECONDS, job.name).inc(time.monotonic() - began)
            count(LAST_RUN, job.name).set(time.time())

    async def _claim(self, job: Job) -> float:
        """Take a job on lease. Returns: 0.0 when it is this worker's, else the seconds until it is due."""
        database = self._resources.database
        while (row := await database.fetchrow(_SQL.job_claim, job.name, LEASE)) is None:
            await database.execute(_SQL.job_add, job.name)
        return 0.0 if row["claimed"] else max(1.0, row["due_in"])

    async def _renew(self, job: Job) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with contextlib.suppress(Unavailable):  # the job itself will say so
                await self._resources.database.execute(_SQL.job_due_in, job.name, LEASE)

    async def _release(self, job: Job) -> None:
        period = timedelta(seconds=job.seconds)
        await self._resources.database.execute(_SQL.job_due_in, job.name, period)
