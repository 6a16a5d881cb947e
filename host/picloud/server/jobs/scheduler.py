"""Runs the background jobs of a worker.

A job "on one worker" has a row in the table `jobs` with the time it is due. Then all workers of all nodes try
to claim it. The first one leases it while it runs, so the job runs once per period on any number of nodes. An
advisory lock is not enough: it only prevents concurrent runs, so each worker would still run the job in turn,
and it needs a connection for the whole run.
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
"""How long a job stays claimed after its worker died; renewed while the job runs."""
_RETRY_SECONDS = 60.0  # maximum delay when the database is not available
_JITTER = 0.1  # of the period, so that workers do not all query at once

_SQL = load("jobs")
_LABELS = {"job": [job.name for job in JOBS]}

RUNS = Family("picloud_job_runs_total", "Runs of background jobs on this node.", labels=_LABELS)
FAILURES = Family("picloud_job_failures_total", "Runs of background jobs that failed.", labels=_LABELS)
SECONDS = Family("picloud_job_seconds_total", "Duration of all runs of background jobs.", labels=_LABELS)
ROWS = Family("picloud_job_rows_total", "Rows deleted by background jobs.", labels=_LABELS)
LAST_RUN = Family(
    "picloud_job_last_run_timestamp_seconds",
    "When the last run on this node ended, in seconds since 1970-01-01 UTC.",
    "gauge",
    _LABELS,
    total="max",
)
METRICS = (RUNS, FAILURES, SECONDS, ROWS, LAST_RUN)


class JobScheduler:
    """Runs the jobs of a worker, each in its own task."""

    def __init__(self, resources: Resources, metrics: Metrics, jobs: Iterable[Job] = JOBS) -> None:
        """Create the scheduler; `start` starts it."""
        self._resources, self._metrics = resources, metrics
        self._tasks = [
            PeriodicTask(f"job {job.name}", self._task_of(job), min(job.seconds, _RETRY_SECONDS))
            for job in jobs
        ]

    def start(self) -> None:
        """Start running jobs as they become due."""
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop. Current runs are cancelled; another worker runs these jobs when the lease has expired."""
        for task in self._tasks:
            await task.close()

    def _task_of(self, job: Job) -> Callable[[], Awaitable[float]]:
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
        """Lease a job. Returns: 0.0 if this worker got the lease, else the seconds until the job is due."""
        database = self._resources.database
        while (row := await database.fetchrow(_SQL.job_claim, job.name, LEASE)) is None:
            await database.execute(_SQL.job_add, job.name)
        return 0.0 if row["claimed"] else max(1.0, row["due_in"])

    async def _renew(self, job: Job) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with contextlib.suppress(Unavailable):  # the job itself reports it
                await self._resources.database.execute(_SQL.job_due_in, job.name, LEASE)

    async def _release(self, job: Job) -> None:
        period = timedelta(seconds=job.seconds)
        await self._resources.database.execute(_SQL.job_due_in, job.name, period)
