"""A background job as a row of a table, and what jobs work on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from picloud.config import Settings
from picloud.control.routing_cache import RoutingCache
from picloud.db.pool import Database
from picloud.execution.platform import Platform
from picloud.services.files.store import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What jobs work on.

    Attributes:
        database: the pool.
        files: where the bytes of files are.
        routing: the routing tables of this worker.
        audit_days: entries of the audit log older than this are deleted; 0 keeps them for ever.
        execution_days: the same of the execution log.
    """

    database: Database
    files: BlobStore
    routing: RoutingCache
    audit_days: int = 0
    execution_days: int = 0

    @classmethod
    def of(cls, platform: Platform, settings: Settings, files: BlobStore) -> Resources:
        """What the jobs of a worker work on.

        Args:
            platform: its parts.
            settings: the configuration.
            files: where the bytes of files are.
        """
        return cls(
            database=platform.database,
            files=files,
            routing=platform.directory,
            audit_days=settings.audit_retention_days,
            execution_days=settings.execution_retention_days,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row.

    Attributes:
        name: in logs and metrics.
        seconds: from the end of one run to the next.
        run: does one batch, of so many rows at most; returns how many it did. Batches are short, so that
            none holds locks or memory for long; a run ends with a batch that is not full.
        batch: rows.
        on: one worker of all nodes at a time, or each worker for itself.
    """

    name: str
    seconds: float
    run: Callable[[Resources, int], Awaitable[int]]
    batch: int = 5000
    on: Literal["one worker", "each worker"] = "one worker"

    async def run_to_end(self, resources: Resources) -> int:
        """Do batches until one is not full. Returns: rows of all of them."""
        done = rows = await self.run(resources, self.batch)
        while rows >= self.batch:
            rows = await self.run(resources, self.batch)
            done += rows
        return done
