"""Promises about who searches at once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from picloud.core.pagination import PageRequest
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.docs.admin import DocsAdmin
from picloud.services.docs.service import SEARCHES_AT_ONCE, DatabaseDocs, searches
from picloud.services.files import SERVICE as FILES
from picloud.services.files.admin import FilesAdmin
from picloud.services.kv.admin import KvAdmin
from picloud.services.kv.service import DatabaseKeyValue
from picloud.services.writes import Writes
from tests.integration.conftest import Worker


@pytest.mark.parametrize("apps", [1, 3])
async def test_searches_leave_connections_for_others(
    worker: Worker, connection_parameters: ConnectionParameters, monkeypatch: pytest.MonkeyPatch, apps: int
) -> None:
    running = most = 0
    kinds: set[str] = set()
    fetch, fetchval = Database.fetch, Database.fetchval

    async def searched(self: Database, sql: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        kinds.add(sql.partition("WHERE")[0])
        try:
            async with self.acquire() as connection:
                await connection.execute("SELECT pg_sleep(0.05)")
        finally:
            running -= 1

    async def slow_rows(self: Database, sql: str, *rest: Any) -> Any:
        if (
            "FROM docs WHERE" in sql
            or "kv_entries" in sql
            or sql.startswith(("WITH RECURSIVE names", "SELECT id, asked, ("))
        ):
            await searched(self, sql)
        return await fetch(self, sql, *rest)

    async def slow_value(self: Database, sql: str, *rest: Any) -> Any:
        if "FROM docs WHERE" in sql and "count" in sql:
            await searched(self, sql)
        return await fetchval(self, sql, *rest)

    database = await Database.open(connection_parameters, 12)
    writes, turns = Writes(database), searches(database)
    docs, browser = DatabaseDocs(database, writes, turns), DocsAdmin(database, writes, turns)
    kv, entries = KvAdmin(database, writes, turns), DatabaseKeyValue(database, writes, turns)
    files = FilesAdmin(database, worker.platform.services.of(FILES), turns)
    calls = [Call(await worker.app(f"app-{n}"), uuid4(), uuid4()) for n in range(apps)]
    for call in calls:
        await docs.create(call, "c", "{}")
        await entries.set(call, "c", "k", b"\x01", None)
    monkeypatch.setattr(Database, "fetch", slow_rows)
    monkeypatch.setattr(Database, "fetchval", slow_value)
    waiting = [
        asyncio.create_task(one)
        for call in calls * 5
        for one in (
            docs.count(call, "c", {}),
            docs.find(call, "c", {}),
            docs.list(call, "c", None, 1),
            entries.list(call, "c", None, 1),
            entries.entries(call, "c", None, 1),
            kv.list(call.app_id, "c", "", 1, None),
            browser.list(call.app_id, "c", '{"a": {"$exists": false}}', PageRequest()),
            browser.collections(call.app_id, 1, None),
            kv.collections(call.app_id, 1, None),
            files.collections(call.app_id, 1, None),
        )
    ]
    assert await database.fetchval("SELECT 1") == 1
    await asyncio.gather(*waiting)
    assert len(kinds) == 10
    assert most == (SEARCHES_AT_ONCE if apps == 1 else 6)
    await database.close()
