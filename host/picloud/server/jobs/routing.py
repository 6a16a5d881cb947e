"""Compares the routing cache of a worker with the database, in case a notification was lost."""

from __future__ import annotations

from picloud.server.jobs.job import Job, Resources


async def check_routing(resources: Resources, batch: int) -> int:
    """Invalidate stale entries of the routing cache; they are reloaded on use."""
    await resources.routing.check()
    return 0


JOBS = (Job(name="check_routing", seconds=30.0, run=check_routing, on="each worker"),)
