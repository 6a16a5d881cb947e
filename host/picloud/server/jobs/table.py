"""All background jobs."""

from __future__ import annotations

from picloud.server.jobs import execution_log, memory, retention, routing, storage
from picloud.server.jobs.job import Job

JOBS: tuple[Job, ...] = (
    *retention.JOBS,
    *execution_log.JOBS,
    *storage.JOBS,
    *routing.JOBS,
    *memory.JOBS,
)
