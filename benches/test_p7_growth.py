"""P7: documents at a million against a thousand, and kv at a million entries against ten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from statistics import median
from typing import Any
from uuid import uuid4

import ormsgpack
import pytest
from benches.ratio import take_turns

from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate
from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.docs.filter import parse_find
from picloud.services.docs.service import DatabaseDocs
from picloud.services.docs.sql import count_statement, find_statement
from picloud.services.kv.service import DatabaseKeyValue
from tests.scratch import scratch_folder

FEW, MANY, NEIGHBOUR = 1_000, 1_000_000, 100_000
ROUNDS = 7
Loop = asyncio.AbstractEventLoop

# `n` is unique, ten documents have the same `kind`, `tags` holds a number nobody else has.
FILL_DOCS = """
INSERT INTO docs (app_id, collection, id, data)
SELECT $1, 'c', gen_random_uuid(), jsonb_build_object(
    'n', n, 'kind', 'k' || n % ($2::int / 10), 'tags', jsonb_build_array(n, 'all'), 'title', 'Document ' || n)
FROM generate_series(1, $2::int) n
"""
FILL_NEIGHBOUR = """
INSERT INTO docs (app_id, collection, id, data)
SELECT $1, 'c', gen_random_uuid(), '{"kind": "k7", "n": 105}' FROM generate_series(1, $2::int)
"""
FILL_KV = """
INSERT INTO kv_entries (app_id, collection, key, value)
SELECT $1, 'c', 'k' || n, $3 FROM generate_series(1, $2::int) n
"""
SHAPES: dict[str, dict[str, Any]] = {
    "equality": {"kind": "k7"},
    "$in": {"n": {"$in": [5, 50, 500]}},
    "$contains a number": {"tags": {"$contains": 77}},
    "equality and a range": {"kind": "k7", "n": {"$gte": 100}},
    "a range alone": {"n": {"$gt": 100, "$lt": 110}},
    "a range of texts": {"title": {"$gte": "Document 10", "$lt": "Document 100"}, "$limit": 20},
    "a range in $or": {"$or": [{"n": {"$lt": 10}}, {"kind": "k7"}]},
    "a range that meets all": {"n": {"$gte": 0}, "$limit": 20},
    "the newest 20": {"$limit": 20},
}


async def fill(database: Database) -> dict[int, Call]:
    """Two apps with documents and entries."""
    calls = {}
    made = await database.fetch(
        "SELECT indexdef FROM pg_indexes WHERE indexname IN ('docs_scope', 'docs_ordered')"
    )
    await database.execute("DROP INDEX docs_scope, docs_ordered")
    for size in (FEW, MANY):
        app = calls[size] = await make_app(database)
        await database.execute(FILL_DOCS, app.app_id, size)
        kept = 10 if size == FEW else MANY
        await database.execute(FILL_KV, app.app_id, kept, ormsgpack.packb({"name": "bolt", "price": 21}))
    for (index,) in made:  # quicker than document by document
        await database.execute(index)
    await database.execute("ALTER INDEX docs_ordered ALTER COLUMN 1 SET STATISTICS 0")
    await database.execute("VACUUM ANALYZE")
    return calls


async def make_app(database: Database) -> Call:
    app = uuid4()
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app, f"a{app.hex[-20:]}")
    return Call(app, uuid4(), uuid4())


@pytest.fixture(scope="module")
def grown(loop: Loop) -> Iterator[tuple[Database, dict[int, Call]]]:
    with (
        scratch_folder(0o711) as folder,
        EmbeddedPostgres(folder, connections=20, settings={"fsync": "off"}) as parameters,
    ):
        loop.run_until_complete(migrate(parameters))
        database = loop.run_until_complete(Database.open(parameters, 2))
        yield database, loop.run_until_complete(fill(database))
        loop.run_until_complete(database.close())


def timed(loop: Loop, once: Callable[[], Awaitable[object]], times: int) -> Callable[[], list[float]]:
    async def measure() -> list[float]:
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            await once()
            seconds.append(time.perf_counter() - began)
        return seconds

    return lambda: loop.run_until_complete(measure())


async def indexes(database: Database, sql: str, parameters: Any) -> str:
    """Which indexes a statement used, by its plan."""
    plan = await database.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}", *parameters)
    rows = [row for row in plan if "never executed" not in row[0]]
    used = [line.split(" on ")[1].split()[0] for (line,) in rows if "Bitmap Index Scan" in line]
    used += [line.split(" using ")[1].split()[0] for (line,) in rows if " using " in line]
    whole = [line.strip() for (line,) in rows if "Seq Scan" in line]
    return ", ".join(dict.fromkeys(used + whole))


@pytest.mark.parametrize("shape", SHAPES)
def test_p7_docs(
    shape: str,
    grown: tuple[Database, dict[int, Call]],
    loop: Loop,
    report: Callable[[str, str, str], None],
    quiet: None,
) -> None:
    database, calls = grown
    docs, find = DatabaseDocs(database), parse_find(SHAPES[shape])

    def of(size: int) -> Callable[[], list[float]]:
        return timed(loop, lambda: docs.find(calls[size], "c", SHAPES[shape]), 20)

    of(FEW)()
    of(MANY)()
    ratio = take_turns(of(MANY), of(FEW), ROUNDS)
    used = loop.run_until_complete(indexes(database, *find_statement(find, calls[MANY].app_id, "c", 2**23)))
    report(
        f"P7 docs, {shape}: {MANY:,} : {FEW:,}",
        f"{ratio}  {ratio.ours * 1e3:.2f} ms : {ratio.baseline * 1e3:.2f} ms, by {used}",
        "<= 1.2x",
    )


def test_p7_docs_count(
    grown: tuple[Database, dict[int, Call]], loop: Loop, report: Callable[[str, str, str], None]
) -> None:
    database, calls = grown
    docs = DatabaseDocs(database)
    figures = []
    for filter_ in ({"kind": "k7"}, {"n": {"$lt": 10}}, {"n": {"$gte": 0}}, {}):
        seconds = median(timed(loop, lambda f=filter_: docs.count(calls[MANY], "c", f), 3)())
        statement = count_statement(parse_find(filter_), calls[MANY].app_id, "c")
        used = loop.run_until_complete(indexes(database, *statement))
        figures.append(f"{filter_ or 'all'} {seconds * 1e3:.1f} ms by {used}")
    report(f"P7 docs, count of {MANY:,}", "; ".join(figures), "")


def test_p7_kv(
    grown: tuple[Database, dict[int, Call]],
    loop: Loop,
    report: Callable[[str, str, str], None],
    quiet: None,
) -> None:
    database, calls = grown
    kv = DatabaseKeyValue(database)

    def of(size: int) -> Callable[[], list[float]]:
        return timed(loop, lambda: kv.get(calls[size], "c", "k7"), 300)

    of(FEW)()
    of(MANY)()
    ratio = take_turns(of(MANY), of(FEW), 15)
    micro = f"{ratio.ours * 1e6:.0f} us : {ratio.baseline * 1e6:.0f} us"
    report(f"P7 kv get: {MANY:,} entries : 10", f"{ratio}  {micro}", "<= 1.2x")


def test_p7_docs_beside_a_neighbour(
    grown: tuple[Database, dict[int, Call]], loop: Loop, report: Callable[[str, str, str], None]
) -> None:
    """Runs last: from here on another app has many documents that meet the conditions of ours."""
    database, calls = grown
    docs, shapes = DatabaseDocs(database), ("equality", "a range alone")
    once = {
        shape: timed(loop, lambda shape=shape: docs.find(calls[MANY], "c", SHAPES[shape]), 50)
        for shape in shapes
    }
    alone = {shape: median(once[shape]()) for shape in shapes}
    neighbour = loop.run_until_complete(make_app(database))
    loop.run_until_complete(database.execute(FILL_NEIGHBOUR, neighbour.app_id, NEIGHBOUR))
    loop.run_until_complete(database.execute("VACUUM ANALYZE docs"))
    for shape in shapes:
        beside = median(once[shape]())
        statement = find_statement(parse_find(SHAPES[shape]), calls[MANY].app_id, "c", 2**23)
        used = loop.run_until_complete(indexes(database, *statement))
        report(
            f"P7 docs, {shape} beside {NEIGHBOUR:,} of another app : alone",
            f"{beside / alone[shape]:.2f}x  {beside * 1e3:.2f} ms : {alone[shape] * 1e3:.2f} ms, by {used}",
            "<= 1.2x",
        )
