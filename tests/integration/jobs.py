"""Runs one background job to its end, as a worker does."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from picloud.control.routing_cache import RoutingCache
from picloud.db.pool import Database
from picloud.sandbox.sandbox import Sandbox
from picloud.server.jobs.job import Resources
from picloud.server.jobs.table import JOBS
from picloud.services.files.store import BlobStore


def resources(database: Database, **settings: int) -> Resources:
    """What jobs work on that need nothing but the database."""
    return Resources(
        database=database,
        files=cast("BlobStore", None),
        routing=cast("RoutingCache", None),
        sandbox=cast("Sandbox", None),
        **settings,
    )


async def run_job(name: str, database: Database, *, batch: int | None = None, **settings: int) -> int:
    """Run a job that needs nothing but the database; returns how many rows it did."""
    job = next(job for job in JOBS if job.name == name)
    job = job if batch is None else replace(job, batch=batch)
    return await job.run_to_end(resources(database, **settings))
