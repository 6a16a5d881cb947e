"""What a write costs more for the indexes of documents and for counting what an app keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count

import orjson
import ormsgpack
import pytest
from benches.ratio import take_turns
from uuid_utils.compat import uuid7

from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate
from picloud.db.pool import Database
from tests.scratch import scratch_folder

THERE, WRITES, ROUNDS = 20_000, 200, 9
Loop = asyncio.AbstractEventLoop
Report = Callable[[str, str, str], None]

# `bare` has the primary key alone, `uncounted` all indexes but no triggers, `unordered` no index of ranges.
TABLES = """
CREATE TABLE docs_bare (LIKE docs INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS);
CREATE TABLE docs_uncounted (LIKE docs_bare INCLUDING ALL);
CREATE TABLE docs_unordered (LIKE docs_bare INCLUDING ALL);
CREATE TABLE kv_bare (LIKE kv_entries INCLUDING ALL);
ALTER TABLE docs_bare ADD PRIMARY KEY (app_id, collection, id);
ALTER TABLE docs_uncounted ADD PRIMARY KEY (app_id, collection, id);
ALTER TABLE docs_unordered ADD PRIMARY KEY (app_id, collection, id);
CREATE INDEX ON docs_uncounted USING gin (docs_scoped(app_id, collection, data) jsonb_path_ops);
CREATE INDEX ON docs_unordered USING gin (docs_scoped(app_id, collection, data) jsonb_path_ops);
CREATE INDEX ON docs_uncounted USING gin (docs_ordered(app_id, collection, data));
CREATE TRIGGER docs_usage_insert AFTER INSERT ON docs_unordered FOR EACH ROW EXECUTE FUNCTION size_usage();
CREATE TRIGGER docs_usage_update AFTER UPDATE ON docs_unordered FOR EACH ROW
    WHEN (NEW.size <> OLD.size) EXECUTE FUNCTION size_usage();
"""
CREATE = "INSERT INTO {} (app_id, collection, id, data) VALUES ($1, 'c', $2, $3::text::jsonb)"
UPDATE = """
UPDATE {} SET data = $3::text::jsonb, updated_at = now() WHERE app_id = $1 AND collection = 'c' AND id = $2
"""
SET = """
INSERT INTO {} (app_id, collection, key, value) VALUES ($1, 'c', $2, $3)
ON CONFLICT (app_id, collection, key) DO UPDATE SET value = excluded.value, updated_at = now()
"""


def document(number: int) -> str:
    """A typical one: seven fields and one inside another."""
    return orjson.dumps(
        {
            "number": number,
            "title": f"What happened on day {number}",
            "author": f"user-{number % 977}",
            "state": ("draft", "open", "done")[number % 3],
            "created": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00Z",
            "price": number % 1000 / 4,
            "tags": ["news", f"t{number % 50}"],
            "place": {"city": f"city {number % 300}", "rank": number % 10},
        }
    ).decode()


@pytest.fixture(scope="module")
def database(loop: Loop) -> Iterator[Database]:
    with scratch_folder(0o711) as folder, EmbeddedPostgres(folder, connections=20) as parameters:
        loop.run_until_complete(migrate(parameters))
        database = loop.run_until_complete(Database.open(parameters, 2))
        loop.run_until_complete(database.execute(TABLES))
        yield database
        loop.run_until_complete(database.close())


def test_write_cost(database: Database, loop: Loop, report: Report, quiet: None) -> None:
    app, numbers = uuid7(), count()

    async def fill() -> None:
        await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'a', 'A')", app)
        for table in ("docs", "docs_bare", "docs_uncounted", "docs_unordered"):
            async with database.acquire() as connection:
                there = [(app, uuid7(), document(number)) for number in range(THERE)]
                await connection.executemany(CREATE.format(table), there)
        await database.execute("VACUUM ANALYZE")

    async def write(
        statement: str, table: str, key: Callable[[], object], value: Callable[[], object]
    ) -> list[float]:
        sql, seconds = statement.format(table), []
        for _ in range(WRITES):
            arguments = app, key(), value()
            began = time.perf_counter()
            await database.execute(sql, *arguments)
            seconds.append(time.perf_counter() - began)
        return seconds

    def compare(what: str, ours: Callable[[], list[float]], baseline: Callable[[], list[float]]) -> None:
        ours()
        baseline()
        ratio = take_turns(ours, baseline, ROUNDS)
        report(f"write, {what}", f"{ratio}  {ratio.ours * 1e6:.0f} us : {ratio.baseline * 1e6:.0f} us", "")

    loop.run_until_complete(fill())

    def docs_in(statement: str, table: str) -> Callable[[], list[float]]:
        rows = loop.run_until_complete(database.fetch(f"SELECT id FROM {table} ORDER BY id LIMIT {WRITES}"))
        key = uuid7 if statement is CREATE else lambda: rows[next(numbers) % WRITES]["id"]
        return lambda: loop.run_until_complete(write(statement, table, key, lambda: document(next(numbers))))

    for name, statement in (("create", CREATE), ("update", UPDATE)):
        ours = docs_in(statement, "docs")
        for other, without in (
            ("docs_bare", "indexes and counting"),
            ("docs_unordered", "the index of ranges"),
            ("docs_uncounted", "counting"),
        ):
            compare(f"docs {name}: all : without {without}", ours, docs_in(statement, other))

    def entries_in(table: str, *, new: bool) -> Callable[[], list[float]]:
        return lambda: loop.run_until_complete(
            write(
                SET,
                table,
                lambda: f"k{next(numbers) if new else next(numbers) % 50}",
                lambda: ormsgpack.packb({"name": "bolt", "text": "x" * (next(numbers) % 90)}),
            )
        )

    for name, new in (("new", True), ("changed", False)):
        compare(
            f"kv set, {name}: all : without counting",
            entries_in("kv_entries", new=new),
            entries_in("kv_bare", new=new),
        )
