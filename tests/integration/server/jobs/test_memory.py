"""Memory that goes back to the system."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import cast

import pytest

from picloud.db.pool import Database
from picloud.sandbox.engine import Engine
from picloud.server.jobs.table import JOBS
from tests.integration.jobs import resources
from tests.workbench import Workbench, value


async def test_a_worker_gives_the_memory_of_ended_guests_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench, freed = Workbench(engine), engine._engine.freed
    await asyncio.gather(*(workbench.run("1") for _ in range(8)))
    assert freed.bytes > 0
    monkeypatch.setattr(freed, "_clock", lambda: float("inf"))
    (job,) = (one for one in JOBS if one.name == "release_memory")
    assert job.on == "each worker"
    await job.run_to_end(dataclasses.replace(resources(cast("Database", None)), sandbox=workbench.sandbox))
    assert freed.bytes == 0
    assert value(await workbench.run("2")) == 2
    workbench.close()
