"""Promises of the lists of collections of kv, docs and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services import SERVICES
from picloud.services.collections import MAX_COUNTED
from tests.integration.conftest import Worker

INSERT = {
    "kv": "INSERT INTO kv_entries (app_id, collection, key, value)"
    " SELECT $1, $2, n::text, '\\x01' FROM generate_series(1001, 1000 + $3::int) AS n",
    "docs": "INSERT INTO docs (app_id, collection, id, data)"
    """ SELECT $1, $2, gen_random_uuid(), '{"a": 1}' FROM generate_series(1, $3::int)""",
    "files": "INSERT INTO files (app_id, collection, id, blob, name, content_type, size, sha256, metadata)"
    " SELECT $1, $2, gen_random_uuid(), gen_random_uuid(), 'zz', 'a/b', 7, sha256(''), '{}'"
    " FROM generate_series(1, $3::int)",
}
"""Of each store, rows of one size."""
STATEMENTS = {
    "kv": load("kv").kv_collections,
    "docs": load("doc_browse").doc_collections,
    "files": load("files").file_collections,
}
COUNTED = {"kv": ("entries", 5), "docs": ("documents", 8), "files": ("files", 7)}


@pytest.mark.parametrize("store", INSERT)
async def test_collections_are_listed_with_how_much_is_in_each_up_to_a_thousand(
    worker: Worker, store: str
) -> None:
    app, other = await worker.app("one"), await worker.app("two")
    amounts = {"a": 1, "a b": 3, "big": MAX_COUNTED + 1, "c": MAX_COUNTED, "d": 2, "zz": 1, "ü": 1}
    for name, amount in amounts.items():
        await worker.database.execute(INSERT[store], app, name, amount)
    await worker.database.execute(INSERT[store], other, "b", 5)
    if store == "kv":
        await worker.database.execute("UPDATE kv_entries SET expires_at = now() WHERE collection = 'd'")
        del amounts["d"]
    browser: Any = worker.platform.services.admin(next(one for one in SERVICES if one.name == store))
    field, size = COUNTED[store]
    for limit in (1, 2, 200):
        found, cursor = [], None
        while True:
            page = await browser.collections(app, limit, cursor)
            found += page.items
            assert len(page.items) <= limit
            if (cursor := page.next_cursor) is None:
                break
        assert [
            (one.name, getattr(one, field), one.bytes, one.more)
            for one in sorted(found, key=lambda one: str(one.name).encode())
        ] == [
            (name, min(amount, MAX_COUNTED), size * min(amount, MAX_COUNTED), amount > MAX_COUNTED)
            for name, amount in amounts.items()
        ]
    assert (await browser.collections(UUID(int=0), 200, None)).items == []


@pytest.mark.parametrize("store", INSERT)
async def test_of_a_large_collection_only_what_is_counted_is_read(database: Database, store: str) -> None:
    app = UUID(int=1)
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'app', 'A')", app)
    for name in ("a", "b", "c"):
        await database.execute(INSERT[store], app, name, 10 * MAX_COUNTED)
    for analyzed in (False, True):
        if analyzed:
            await database.execute("ANALYZE")
        sql = f"EXPLAIN (ANALYZE, FORMAT JSON) {STATEMENTS[store]}"
        ((plan,),) = await database.fetch(sql, app, "", 50, MAX_COUNTED)
        read = sum(rows for rows in _read(orjson.loads(plan)[0]["Plan"]))
        assert 3 * MAX_COUNTED < read < 3 * MAX_COUNTED + 20


def _read(node: dict[str, Any]) -> Iterator[float]:
    """Rows that the nodes of a plan read of a table."""
    if "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from _read(inner)
