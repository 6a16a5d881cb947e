"""Storage jobs: compact usage counters, delete expired entries and leftover files."""

from __future__ import annotations

from picloud.db.queries import load
from picloud.db.results import row_count
from picloud.server.jobs.job import Job, Resources
from picloud.services.files.sweep import Sweep

_KV, _USAGE = load("kv"), load("usage")


async def compact_usage(resources: Resources, batch: int) -> int:
    """Merge the rows of usage counters, so that reading them stays fast; all in one statement."""
    await resources.database.execute(_USAGE.usage_compact)
    return 0


async def delete_expired_kv(resources: Resources, batch: int) -> int:
    """Delete expired kv entries; they are already invisible to reads."""
    return row_count(await resources.database.execute(_KV.kv_delete_expired, batch))


async def delete_leftover_files(resources: Resources, batch: int) -> int:
    """Delete file contents without a row, left by a crash; all in one run."""
    await Sweep(resources.database, resources.files).sweep()
    return 0


JOBS = (
    Job(name="compact_usage", seconds=5.0, run=compact_usage),
    Job(name="delete_expired_kv", seconds=60.0, run=delete_expired_kv),
    Job(name="delete_leftover_files", seconds=3600.0, run=delete_leftover_files),
)
