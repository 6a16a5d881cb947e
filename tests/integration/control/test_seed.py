"""Promises of control/seed.py."""

from __future__ import annotations

import asyncio

from picloud.control.seed import HELLO, seed
from tests.integration.conftest import Worker


async def test_a_fresh_instance_gets_one_app_domain_script_and_route(worker: Worker) -> None:
    assert await seed(worker.changes)
    database = worker.database
    (app,) = await database.fetch("SELECT id, slug FROM apps")
    assert app["slug"] == "default"
    assert [row["pattern"] for row in await database.fetch("SELECT pattern FROM domains")] == ["localhost"]
    assert [row["source"] for row in await database.fetch("SELECT source FROM script_versions")] == [HELLO]
    (route,) = await database.fetch("SELECT method, path FROM routes")
    assert (route["method"], route["path"]) == (None, "/hello")
    assert list(await worker.platform.scripts.validate(app["id"], HELLO)) == []


async def test_deleted_seed_data_is_not_created_again(worker: Worker) -> None:
    await seed(worker.changes)
    await worker.database.execute("DELETE FROM apps")
    assert not await seed(worker.changes)
    assert await worker.database.fetchval("SELECT count(*) FROM apps") == 0


async def test_concurrent_servers_seed_once(worker: Worker) -> None:
    assert sorted(await asyncio.gather(*(seed(worker.changes) for _ in range(4)))) == [
        False,
        False,
        False,
        True,
    ]
    assert await worker.database.fetchval("SELECT count(*) FROM routes") == 1
