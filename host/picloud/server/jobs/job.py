"""The declaration of a background job, and the resources of jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from picloud.config import Settings
from picloud.control.routing_cache import RoutingCache
from picloud.db.pool import Database
from picloud.execution.platform import Platform
from picloud.sandbox.limits import MIB
from picloud.sandbox.sandbox import Sandbox
from picloud.services.files.store import BlobStore
from picloud.services.quotas import NO_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What jobs use.

    Attributes:
        database: the pool.
        files: the store of file contents.
        routing: the routing cache of this worker.
        sandbox: the sandbox of this worker.
        audit_days: retention of the audit log; 0 keeps entries permanently.
        execution_days: retention of the execution log; 0 keeps entries permanently.
        log_bytes: maximum bytes of the execution log of one app.
        log_total_bytes: maximum bytes of the execution logs of all apps.
    """

    database: Database
    files: BlobStore
    routing: RoutingCache
    sandbox: Sandbox
    audit_days: int = 0
    execution_days: int = 0
    log_bytes: int = NO_LIMIT
    log_total_bytes: int = NO_LIMIT

    @classmethod
    def of(cls, platform: Platform, settings: Settings, files: BlobStore) -> Resources:
        """Return the resources for the jobs of a worker."""
        return cls(
            database=platform.database,
            files=files,
            routing=platform.directory,
            sandbox=platform.executor.sandbox,
            audit_days=settings.audit_retention_days,
            execution_days=settings.execution_retention_days,
            log_bytes=settings.quota_log_mb * MIB,
            log_total_bytes=settings.quota_log_total_mb * MIB,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A background job.

    Attributes:
        name: name in logs and metrics.
        seconds: time from the end of a run to the next.
        run: processes a batch of at most this many rows and returns their number. Small batches hold locks
            and memory only briefly. A run ends with a batch that is not full.
        batch: maximum rows per batch.
        on: one worker of all nodes at a time, or each worker.
    """

    name: str
    seconds: float
    run: Callable[[Resources, int], Awaitable[int]]
    batch: int = 5000
    on: Literal["one worker", "each worker"] = "one worker"

    async def run_to_end(self, resources: Resources) -> int:
        """Run batches until one is not full. Returns: the total number of rows."""
        done = rows = await self.run(resources, self.batch)
        while rows >= self.batch:
            rows = await self.run(resources, self.batch)
            done += rows
        return done
