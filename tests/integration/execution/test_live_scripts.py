"""Every worker executes what was saved last, and reads the scripts of an app only when that app saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Record

from picloud.control.routes import RouteDraft
from picloud.control.scripts.draft import Draft
from picloud.control.scripts.model import Script
from picloud.control.scripts.modules import Loaded, Modules
from picloud.core.errors import Conflict, NotFound
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.execution.live_scripts import LiveScripts
from picloud.identity.actor import Actor
from picloud.sandbox.limits import Ceilings
from tests.integration.conftest import Worker

ACTOR = Actor.console("test.write")
_NAMES = {query.sql: query.name for noun in ("scripts", "modules") for query in load(noun).all()}


def another(worker: Worker, ceilings: Ceilings | None = None) -> LiveScripts:
    """The scripts of another worker of the node."""
    modules = Modules(worker.database)
    return LiveScripts(worker.database, modules, worker.generations, ceilings or Ceilings())


async def script_of(worker: Worker, slug: str, name: str = "s", **fields: Any) -> Script:
    """A script of an app that is made for it, unless it is there."""
    apps = worker.platform.apps
    try:
        app = await apps.get(slug)
    except NotFound:
        app = await apps.create(slug, slug, actor=ACTOR)
    return await worker.platform.scripts.create(app.id, Draft(name, "1", **fields), actor=ACTOR)


async def save(worker: Worker, script: Script, source: str = "2") -> Script:
    return await worker.platform.scripts.update(script, {"source": source}, actor=ACTOR)


@pytest.fixture
def asked(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The queries of scripts that the database was asked since the last call."""
    names: list[str] = []

    def watch(method: str) -> None:
        original = getattr(database, method)

        async def watched(sql: str, *args: object) -> list[Record]:
            if sql in _NAMES:
                names.append(_NAMES[sql])
            return await original(sql, *args)  # type: ignore[no-any-return]

        monkeypatch.setattr(database, method, watched)

    for method in ("fetch", "fetchval"):
        watch(method)

    def taken() -> list[str]:
        told = names.copy()
        names.clear()
        return told

    return taken


async def test_a_save_invalidates_the_scripts_of_its_app_only(
    worker: Worker, asked: Callable[[], list[str]]
) -> None:
    one, other = await script_of(worker, "one"), await script_of(worker, "other")
    there = another(worker)
    for script in (one, other):
        await there.get(script.app_id, script.id)
    asked()
    for script in (one, other):
        await there.get(script.app_id, script.id)
    assert asked() == []
    await save(worker, one)
    asked()
    kept = await there.get(other.app_id, other.id)
    assert (await there.get(one.app_id, one.id)).version.source == b"2"
    assert asked() == ["script_revisions", "script_to_run"]
    assert (await there.get(other.app_id, other.id)) is kept
    assert (await there.get(one.app_id, one.id)).version.version == 2
    assert asked() == []


@pytest.mark.parametrize("change", ["save", "create", "delete"])
async def test_every_change_of_scripts_increases_the_revision(worker: Worker, change: str) -> None:
    script, other = await script_of(worker, "one"), await script_of(worker, "other")

    async def revision(of: Script) -> int:
        query = "SELECT script_revision FROM apps WHERE id = $1"
        return int(await worker.database.fetchval(query, of.app_id))

    before, others = await revision(script), await revision(other)
    match change:
        case "save":
            await save(worker, script)
        case "create":
            await script_of(worker, "one", "t")
        case _:
            await worker.platform.scripts.delete(script, actor=ACTOR)
    assert await revision(script) == before + 1
    assert await revision(other) == others


async def test_scripts_of_a_deleted_app_are_not_found(worker: Worker) -> None:
    script, other = await script_of(worker, "one"), await script_of(worker, "other")
    there = another(worker)
    for one in (script, other):
        await there.get(one.app_id, one.id)
    app = await worker.platform.apps.get("one")
    await worker.platform.apps.delete(app, force=True, actor=ACTOR)
    with pytest.raises(NotFound):
        await there.get(script.app_id, script.id)
    assert (await there.get(other.app_id, other.id)).version.source == b"1"


async def test_a_save_while_a_script_is_read_is_not_lost(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script was read before the save, and kept after it."""
    script, other = await script_of(worker, "one"), await script_of(worker, "other")
    modules = Modules(worker.database)
    there = LiveScripts(worker.database, modules, worker.generations, Ceilings())
    reading, go_on, load_ = asyncio.Event(), asyncio.Event(), modules.load

    async def held(app_id: UUID, script_id: UUID, *rest: Any) -> Loaded:
        loaded = await load_(app_id, script_id, *rest)
        if script_id == script.id:
            reading.set()
            await go_on.wait()
        return loaded

    monkeypatch.setattr(modules, "load", held)
    first = asyncio.create_task(there.get(script.app_id, script.id))
    await reading.wait()
    await save(worker, script)
    await there.get(other.app_id, other.id)  # compares revisions meanwhile
    go_on.set()
    await first
    assert (await there.get(script.app_id, script.id)).version.source == b"2"


async def test_concurrent_saves_deletions_and_routes_do_not_deadlock(worker: Worker) -> None:
    """Each locks the app before the script: the other order would be a deadlock."""
    script = await script_of(worker, "one")
    platform = worker.platform

    async def route(n: int) -> None:
        await platform.routes.create(script.app_id, RouteDraft(str(script.id), "GET", f"/r{n}"), ACTOR)

    async def make_and_delete(n: int) -> None:
        made = await script_of(worker, "one", f"t{n}")
        await platform.scripts.delete(made, actor=ACTOR)

    doing = [work for n in range(8) for work in (save(worker, script, f"{n}"), route(n), make_and_delete(n))]
    outcomes = await asyncio.gather(*doing, return_exceptions=True)
    assert [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, Conflict)] == []


async def test_every_worker_runs_the_saved_version_and_not_a_deleted_one(worker: Worker) -> None:
    app = await worker.platform.apps.create("shop", "Shop", actor=ACTOR)
    scripts = worker.platform.scripts
    there = another(worker)
    script = await scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    live = await there.get(script.app_id, script.id)
    assert (live.version.version, live.version.source) == (1, b"1")
    assert await there.get(script.app_id, script.id) is live
    script = await scripts.update(script, {"source": "2", "execute_access": "members"}, actor=ACTOR)
    live = await there.get(script.app_id, script.id)
    assert (live.version.version, live.version.source, live.access) == (2, b"2", "members")
    await scripts.delete(script, actor=ACTOR)
    with pytest.raises(NotFound):
        await there.get(script.app_id, script.id)


async def test_an_override_above_a_ceiling_that_was_lowered_runs_with_the_ceiling(worker: Worker) -> None:
    app = await worker.platform.apps.create("shop", "Shop", actor=ACTOR)
    script = await worker.platform.scripts.create(
        app.id, Draft("s", "1", sandbox={"timeout_seconds": 200}), actor=ACTOR
    )
    lowered = another(worker, Ceilings({"timeout_seconds": 100}))
    assert (await lowered.get(script.app_id, script.id)).version.limits.timeout_seconds == 100


async def test_an_unknown_script_is_not_found(worker: Worker) -> None:
    app = await worker.app("shop")
    with pytest.raises(NotFound):
        await worker.platform.live_scripts.get(app, UUID(int=1))
    with pytest.raises(NotFound):
        await worker.platform.live_scripts.app_of(UUID(int=1))


async def test_a_script_of_another_app_is_not_found_even_by_its_id(worker: Worker) -> None:
    mine, theirs = await worker.app("mine"), await worker.app("theirs")
    script = await worker.platform.scripts.create(theirs, Draft("s", "1"), actor=ACTOR)
    live = worker.platform.live_scripts
    for _ in ("not in memory yet", "in memory"):
        with pytest.raises(NotFound):
            await live.get(mine, script.id)
        with pytest.raises(NotFound):
            await worker.platform.modules.load(mine, script.id)
        assert (await live.get(theirs, script.id)).version.app_id == theirs
        assert await live.app_of(script.id) == theirs


async def test_concurrent_callers_read_a_script_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await worker.platform.apps.create("shop", "Shop", actor=ACTOR)
    scripts = worker.platform.scripts
    script = await scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    modules, reads = worker.platform.modules, []

    async def counted(*key: Any, read: Callable[..., Any] = modules.load) -> Loaded:
        reads.append(key)
        return await read(*key)

    monkeypatch.setattr(modules, "load", counted)
    live = worker.platform.live_scripts
    versions = await asyncio.gather(*(live.get(script.app_id, script.id) for _ in range(20)))
    assert len({id(version) for version in versions}) == 1
    assert len(reads) == 1
    await scripts.update(script, {"source": "2"}, actor=ACTOR)
    await asyncio.gather(*(live.get(script.app_id, script.id) for _ in range(20)))
    assert len(reads) == 2
