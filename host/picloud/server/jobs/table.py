"""All background jobs."""

from __future__ import annotations

from picloud.server.jobs import memory, retention, routing, storage
from picloud.server.jobs.job import Job

JOBS: tuple[Job, ...] = (*retention.JOBS, *storage.JOBS, *routing.JOBS, *memory.JOBS)
