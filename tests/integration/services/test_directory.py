"""Promises of services/directory.py and execution/scripts.py: what is in memory is never behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from picloud.errors import NotFound, Unavailable
from picloud.execution.scripts import LiveScripts
from picloud.identity.actor import Actor
from picloud.sandbox.limits import Ceilings
from picloud.services.directory import Directory
from picloud.services.script_draft import Draft
from picloud.services.scripts import Script
from picloud.services.seed import seed
from tests.integration.conftest import Worker

ACTOR = Actor.console("test.write")


async def test_tables_are_read_once_while_nothing_changes(worker: Worker) -> None:
    await seed(worker.changes)
    directory = worker.services.directory
    tables = await asyncio.gather(*(directory.tables() for _ in range(8)))
    assert len({id(table) for table in tables}) == 1
    await worker.database.close()
    assert await directory.tables() is tables[0]
    worker.generations.bump("routes")
    with pytest.raises(Unavailable):
        await directory.tables()


async def test_every_worker_sees_a_claim_and_a_route_with_its_next_request(worker: Worker) -> None:
    await seed(worker.changes)
    there = Directory(worker.database, worker.generations)
    assert (await there.tables()).domains.find("new.example") is None
    app = await worker.services.apps.get("default")
    await worker.services.domains.create(app.id, "new.example")
    assert (await there.tables()).domains.find("new.example") == app.id
    script = await worker.services.scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    await worker.services.routes.create(app.id, script.id, "GET", "/s", "any", "sync")
    assert (await there.tables()).routes.match(app.id, "GET", ("s",)).route.script_id == script.id


async def test_every_worker_runs_the_saved_version_and_not_a_deleted_one(worker: Worker) -> None:
    app = await worker.services.apps.create("shop", "Shop", actor=ACTOR)
    scripts = worker.services.scripts
    there = LiveScripts(scripts, worker.generations, Ceilings())
    script = await scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    live = await there.get(script.id)
    assert (live.version.version, live.version.source) == (1, b"1")
    assert await there.get(script.id) is live
    script = await scripts.update(script, {"source": "2", "execute_access": "members"}, actor=ACTOR)
    live = await there.get(script.id)
    assert (live.version.version, live.version.source, live.members_only) == (2, b"2", True)
    await scripts.delete(script, actor=ACTOR)
    with pytest.raises(NotFound):
        await there.get(script.id)


async def test_an_override_above_a_ceiling_that_was_lowered_runs_with_the_ceiling(worker: Worker) -> None:
    app = await worker.services.apps.create("shop", "Shop", actor=ACTOR)
    script = await worker.services.scripts.create(
        app.id, Draft("s", "1", sandbox={"timeout_seconds": 200}), actor=ACTOR
    )
    lowered = LiveScripts(worker.services.scripts, worker.generations, Ceilings({"timeout_seconds": 100}))
    assert (await lowered.get(script.id)).version.limits.timeout_seconds == 100


async def test_an_unknown_script_is_not_found(worker: Worker) -> None:
    with pytest.raises(NotFound):
        await worker.services.live_scripts.get(UUID(int=1))


async def test_callers_at_once_read_a_script_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await worker.services.apps.create("shop", "Shop", actor=ACTOR)
    scripts = worker.services.scripts
    script = await scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    reads = []

    async def counted(script_id: str, read: Callable[[str], Awaitable[Script]] = scripts.get) -> Script:
        reads.append(script_id)
        return await read(script_id)

    monkeypatch.setattr(scripts, "get", counted)
    live = worker.services.live_scripts
    versions = await asyncio.gather(*(live.get(script.id) for _ in range(20)))
    assert len({id(version) for version in versions}) == 1
    assert len(reads) == 1
    worker.generations.bump("scripts")
    await asyncio.gather(*(live.get(script.id) for _ in range(20)))
    assert len(reads) == 2
