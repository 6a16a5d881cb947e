"""Promises of control/routing_cache.py and execution/live_scripts.py: memory is never stale."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from asyncpg import Record
from uuid_utils.compat import uuid7

from picloud.control.apps import App
from picloud.control.routes import Route, RouteDraft, columns
from picloud.control.routing_cache import AppRouting, RoutingCache
from picloud.control.scripts.draft import Draft
from picloud.control.seed import seed
from picloud.core.errors import Unavailable
from picloud.core.generations import Generations
from picloud.core.pagination import PageRequest
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.routing.cors import Cors
from tests.integration.conftest import Worker

ACTOR = Actor.console("test.write")


class Reads:
    """What a database is asked, by query."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._names = {query.sql: query.name for noun in ("routes", "domains") for query in load(noun).all()}
        fetch, acquire = database.fetch, database.acquire

        async def counted(sql: str, *args: object) -> list[Record]:
            self.asked.append(self._names[sql])
            return await fetch(sql, *args)

        @contextlib.asynccontextmanager
        async def counted_whole() -> AsyncIterator[Connection]:
            async with acquire() as connection, connection.transaction():
                self.asked.append("whole")
                yield connection

        monkeypatch.setattr(database, "fetch", counted)
        monkeypatch.setattr(database, "transaction", counted_whole)

    def taken(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
async def shop(worker: Worker) -> App:
    """An app with a domain and one route."""
    await seed(worker.changes)
    app = await worker.platform.apps.create("shop", "Shop", actor=ACTOR)
    await worker.platform.domains.create(app.id, "shop.example", ACTOR)
    await add(worker, app, "/one")
    return app


async def add(worker: Worker, app: App, path: str) -> Route:
    platform = worker.platform
    page = await platform.scripts.list(app.id, PageRequest())
    script = (
        page.items[0] if page.items else await platform.scripts.create(app.id, Draft("s", "1"), actor=ACTOR)
    )
    return await platform.routes.create(app.id, RouteDraft(str(script.id), "GET", path), ACTOR)


async def paths(directory: RoutingCache, host: str = "shop.example") -> set[str]:
    """What a directory has in memory, after it was asked."""
    found = await directory.find(host)
    assert found is not None
    return {"/" + route.key.replace("\0", "/") for route in found[0].routes._routes.values()}


@pytest.fixture
async def there(worker: Worker, connection_parameters: ConnectionParameters) -> AsyncIterator[RoutingCache]:
    """Another worker's."""
    database = await Database.open(connection_parameters, 2)
    yield RoutingCache(database, worker.generations)
    await database.close()


async def test_tables_are_read_once_while_nothing_changes(worker: Worker) -> None:
    await seed(worker.changes)
    directory = worker.platform.directory
    found = await asyncio.gather(*(directory.find("localhost") for _ in range(8)))
    assert len({id(one[0]) for one in found if one is not None}) == 1
    await worker.database.close()
    assert await directory.find("localhost:80") == found[0]
    assert await directory.find("other.example") == (found[0][0], "other.example")
    for topic in ("routes", "domains"):
        worker.generations.bump(topic)
        with pytest.raises(Unavailable):
            await directory.find("localhost")


async def test_every_worker_sees_every_change_with_its_next_request(
    worker: Worker, shop: App, there: RoutingCache
) -> None:
    platform = worker.platform
    assert await paths(there) == {"/one"}
    route = await add(worker, shop, "/two")
    assert await paths(there) == {"/one", "/two"}
    await platform.routes.update(shop.id, str(route.id), {"path": "/three"}, ACTOR)
    assert await paths(there) == {"/one", "/three"}
    await platform.routes.delete(shop.id, str(route.id), ACTOR)
    assert await paths(there) == {"/one"}
    claim = await platform.domains.create(shop.id, "*.shop.example", ACTOR)
    assert await paths(there, "x.shop.example") == {"/one"}
    await platform.domains.delete(shop.id, str(claim.id), ACTOR)
    assert await there.find("x.shop.example") is None
    async with worker.changes.transaction("routes") as connection:
        await connection.execute("UPDATE apps SET cors = $2 WHERE id = $1", shop.id, {"origins": ["*"]})
    found = await there.find("shop.example")
    assert found is not None
    assert found[0].cors == Cors(origins=("*",))
    (summary,) = (await platform.scripts.list(shop.id, PageRequest())).items
    await platform.scripts.delete(await platform.scripts.get(str(summary.id)), force=True, actor=ACTOR)
    assert await paths(there) == set()
    await platform.apps.delete(shop, force=True, actor=ACTOR)
    assert await there.find("shop.example") is None


async def test_a_worker_reads_only_what_a_write_changed(
    worker: Worker, shop: App, there: RoutingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(there._database, monkeypatch)
    await paths(there)
    await paths(there, "localhost")
    assert reads.taken().count("whole") == 2
    await add(worker, shop, "/two")
    assert await paths(there, "localhost") == {"/hello"}
    assert reads.taken() == ["routing_revisions"]  # the other app is not read, nor this one's routes
    assert await paths(there) == {"/one", "/two"}
    assert reads.taken() == ["routes_changed_since"]
    assert await paths(there) == {"/one", "/two"}
    assert reads.taken() == []


async def test_after_more_changes_than_are_kept_all_is_read(
    worker: Worker, shop: App, there: RoutingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await paths(there)
    await add(worker, shop, "/two")
    async with worker.changes.transaction("routes") as connection:
        await connection.execute(
            "UPDATE apps SET routing_revision = routing_revision + 1000 WHERE id = $1", shop.id
        )
        await connection.execute("UPDATE routes SET updated_at = now() WHERE path = '/one'")
        kept = await connection.fetchval("SELECT min(revision) FROM route_changes WHERE app_id = $1", shop.id)
        assert kept > 1000  # the news of /two are forgotten
    reads = Reads(there._database, monkeypatch)
    assert await paths(there) == {"/one", "/two"}
    assert "whole" in reads.taken()


async def test_a_bulk_of_changes_is_read_as_a_whole(
    worker: Worker, shop: App, there: RoutingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await paths(there)
    one = (await worker.platform.routes.list(shop.id, PageRequest())).items[0]
    draft = RouteDraft(str(one.script_id), "GET", "")
    async with worker.changes.transaction("routes") as connection:
        await connection.executemany(
            load("routes").route_insert,
            [
                columns(shop.id, uuid7(), one.script_id, replace(draft, path=f"/r{n}/:id").check())
                for n in range(1200)
            ],
        )
    reads = Reads(there._database, monkeypatch)
    assert len(await paths(there)) == 1201
    assert "whole" in reads.taken()
    async with worker.changes.transaction("routes") as connection:
        await connection.execute("DELETE FROM routes WHERE path <> '/one'")
    assert await paths(there) == {"/one"}
    assert await worker.database.fetchval("SELECT route_count FROM apps WHERE id = $1", shop.id) == 1


async def test_a_worker_that_heard_nothing_catches_up_with_the_check(
    worker: Worker, shop: App, connection_parameters: ConnectionParameters
) -> None:
    elsewhere = await Database.open(connection_parameters, 2)
    deaf = RoutingCache(elsewhere, Generations())
    assert await paths(deaf) == {"/one"}
    await add(worker, shop, "/two")
    await worker.platform.domains.create(shop.id, "new.example", ACTOR)
    assert await paths(deaf) == {"/one"}
    assert await deaf.find("new.example") is None
    await deaf.check()
    assert await paths(deaf) == {"/one", "/two"}
    assert await deaf.find("new.example") is not None
    await elsewhere.close()


async def test_a_check_without_a_database_leaves_the_tables_as_they_are(
    worker: Worker, shop: App, connection_parameters: ConnectionParameters
) -> None:
    elsewhere = await Database.open(connection_parameters, 2)
    directory = RoutingCache(elsewhere, worker.generations)
    await paths(directory)
    await elsewhere.close()
    with pytest.raises(Unavailable):
        await directory.check()
    assert await paths(directory) == {"/one"}


async def test_a_change_while_an_app_is_read_is_not_lost(
    worker: Worker, shop: App, there: RoutingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table was read before the change, and kept after it."""
    reading, go_on = asyncio.Event(), asyncio.Event()
    load_whole = there._load_whole

    async def held(app_id: UUID) -> AppRouting | None:
        app = await load_whole(app_id)
        reading.set()
        await go_on.wait()
        return app

    monkeypatch.setattr(there, "_load_whole", held)
    first = asyncio.create_task(paths(there))
    await reading.wait()
    await add(worker, shop, "/two")
    second = asyncio.create_task(paths(there))
    third = asyncio.create_task(there.find("localhost"))  # compares the revisions meanwhile
    while there._routes_seen != worker.generations.current("routes"):  # noqa: ASYNC110
        await asyncio.sleep(0)
    go_on.set()
    assert await first == {"/one"} or await first == {"/one", "/two"}
    assert await second == {"/one", "/two"}
    await third


async def test_other_apps_are_served_while_a_large_app_is_read(
    worker: Worker, shop: App, there: RoutingCache
) -> None:
    one = (await worker.platform.routes.list(shop.id, PageRequest())).items[0]
    draft = RouteDraft(str(one.script_id), "GET", "")
    async with worker.changes.transaction("routes") as connection:
        await connection.executemany(
            load("routes").route_insert,
            [
                columns(shop.id, uuid7(), one.script_id, replace(draft, path=f"/r{n}").check())
                for n in range(5000)
            ],
        )
    await there.find("localhost")
    large = asyncio.create_task(paths(there))
    answered = 0
    while not large.done():
        await there.find("localhost")
        answered += 1
        await asyncio.sleep(0)
    assert len(await large) == 5001
    assert answered >= 10  # it gave way once for every five hundred routes at least
