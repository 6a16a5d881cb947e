"""The routing tables of a worker are compared with the database, in case a change was not heard of."""

from __future__ import annotations

from picloud.server.jobs.job import Job, Resources


async def check_routing(resources: Resources, batch: int) -> int:
    """Compare them; what is out of date is read again when it is needed."""
    await resources.routing.check()
    return 0


JOBS = (Job(name="check_routing", seconds=30.0, run=check_routing, on="each worker"),)
