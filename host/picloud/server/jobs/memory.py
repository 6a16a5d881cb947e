"""Gives memory that a worker does not use any more back to the system."""

from __future__ import annotations

import asyncio

from picloud.server.jobs.job import Job, Resources


async def release_memory(resources: Resources, batch: int) -> int:
    """Give back the pages of guests that have ended, and free pages of the heap."""
    engine = resources.sandbox.engine
    engine.release_idle()
    await asyncio.to_thread(engine.trim_heap)
    return 0


JOBS = (Job(name="release_memory", seconds=5.0, run=release_memory, on="each worker"),)
