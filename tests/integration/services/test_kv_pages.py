"""Pages of entries as the guest is given them, by the database and by memory alike."""

from __future__ import annotations

from uuid import uuid4

import ormsgpack
import pytest

from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.kv.service import MAX_PAGE_BYTES, DatabaseKeyValue, KeyValue

HALF = MAX_PAGE_BYTES // 2


@pytest.fixture(params=["database", "memory"])
async def kv(request: pytest.FixtureRequest, database: Database) -> KeyValue:
    return DatabaseKeyValue(database) if request.param == "database" else MemoryKeyValue()


@pytest.fixture
async def call(database: Database) -> Call:
    app = uuid4()
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'pages', 'A')", app)
    return Call(app, uuid4(), uuid4())


@pytest.mark.parametrize(
    ("sizes", "limit", "pages"),
    [
        ([], 10, [[]]),
        ([10] * 5, 2, [[10, 10], [10, 10], [10]]),
        ([10] * 4, 2, [[10, 10], [10, 10]]),
        ([HALF, HALF, HALF], 10, [[HALF, HALF], [HALF]]),
        ([HALF, HALF + 1, HALF], 10, [[HALF], [HALF + 1], [HALF]]),
        ([10, 3 * HALF, 10, 10], 10, [[10], [3 * HALF], [10, 10]]),
        ([3 * HALF, 3 * HALF], 1, [[3 * HALF], [3 * HALF]]),
        ([MAX_PAGE_BYTES], 1, [[MAX_PAGE_BYTES]]),
    ],
)
async def test_a_page_ends_at_its_limit_or_before_it_has_too_many_bytes(
    kv: KeyValue, call: Call, sizes: list[int], limit: int, pages: list[list[int]]
) -> None:
    """`sizes` are of key and value together."""
    values = {}
    for number, size in enumerate(sizes):
        key = f"ü{number}"
        header = len(ormsgpack.packb(b"x" * size)) - size
        values[key] = ormsgpack.packb(b"x" * (size - len(key.encode()) - header))
        assert len(key.encode()) + len(values[key]) == size
        await kv.set(call, "c", key, values[key], None)
    await kv.set(call, "d", "ü0", ormsgpack.packb(1), None)
    seen, cursor, more = [], "", True
    while more:
        page = await kv.entries(call, "c", cursor, limit)
        entries, more = page["entries"], page["more"] is True
        assert isinstance(entries, list)
        assert all(values[key] == value for key, value, _ in entries)
        seen.append([len(key.encode()) + len(value) for key, value, _ in entries])
        cursor = entries[-1][2] if entries else ""
    assert seen == pages
