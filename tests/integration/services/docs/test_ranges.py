"""Ranges: an index answers them, it misses nothing, and what it finds is exact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.db.migrate import migrate, migrations_folder
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.docs.conditions import Statement, needs_ranges, write_lookup
from picloud.services.docs.filter import parse_find
from picloud.services.docs.service import DatabaseDocs
from picloud.services.docs.sql import count_statement, find_statement, page_statement
from tests.integration.services.docs.reference import matches, written

FIELDS = ["a", "b", "a.b", "a.b.a.b.a"]
NUMBERS = (
    st.integers(-300, 300)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(2**53 - 3, 2**53 + 3)
    | st.sampled_from(
        [0, -0.0, 0.5, 0.1 + 0.2, 1e308, 1.1e308, -1.7e308, 1e-307, 9e-308, 5e-324, -1e-320, 1e23]
    )
)
TEXTS = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    | st.builds(
        str.__add__,
        st.sampled_from(["2026-01-01T10:00:", "a long beginning ", "é" * 8]),
        st.text("09aé", max_size=3),
    )
    | st.sampled_from(
        [
            "",
            "0",
            "9",
            ":",
            "/",
            "\x01",
            "a",
            "a\x01",
            "b",
            "ÿ",
            "\ud7ff",
            "\uffff",
            "🎈",
            "2026",
            "2026-01-01",
        ]
    )
)
SCALARS = NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=5,
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(["a", "b"]), VALUES), min_size=1, max_size=8)
OPERATORS = ("$gt", "$gte", "$lt", "$lte")
RANGES = st.dictionaries(st.sampled_from(OPERATORS), SCALARS, min_size=1, max_size=3)
FILTERS = st.recursive(
    st.dictionaries(
        st.sampled_from(FIELDS), RANGES | RANGES.map(lambda inner: {"$not": inner}) | VALUES, max_size=2
    ),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$and": st.lists(inner, max_size=2), "$or": st.lists(inner, max_size=3), "$not": inner}
    ),
    max_leaves=4,
)


async def put(database: Database, call: Call, collection: str, documents: Sequence[Any]) -> None:
    """Store documents in this order, each with its number as `#`."""
    await database.execute(
        "INSERT INTO docs (app_id, collection, id, data)"
        " SELECT $1, $2, lpad(to_hex(place), 32, '0')::uuid, data::jsonb"
        " FROM unnest($3::text[]) WITH ORDINALITY AS made (data, place)",
        call.app_id,
        collection,
        [written({**document, "#": number}) for number, document in enumerate(documents)],
    )


def numbers(envelopes: Sequence[str]) -> list[int]:
    return [json.loads(envelope)["data"]["#"] for envelope in envelopes]


async def looked_up(database: Database, call: Call, collection: str, filter_: Any) -> set[int]:
    """The numbers of what indexes are asked for, by the condition they answer."""
    made = Statement([call.app_id, collection])
    lookup = write_lookup(made, parse_find(filter_).condition)
    sql = f"SELECT (data ->> '#')::int FROM docs WHERE app_id = $1 AND collection = $2 AND {lookup}"
    return {number for (number,) in await database.fetch(sql, *made.parameters)}


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=DOCUMENTS, filters=st.lists(FILTERS, min_size=4, max_size=8), data=st.data())
async def test_the_index_search_covers_the_range(
    database: Database, call: Call, documents: list[Any], filters: list[Any], data: st.DataObject
) -> None:
    collection = uuid4().hex
    await put(database, call, collection, documents)
    scalars = [one[name] for one in documents for name in one if isinstance(one[name], int | float | str)]
    if there := [value for value in scalars if not isinstance(value, bool)]:
        bound = data.draw(st.sampled_from(there))
        filters += [{name: {operator: bound}} for name in ("a", "b") for operator in OPERATORS]
    for filter_ in filters:
        if needs_ranges(parse_find(filter_).condition):
            wanted = {number for number, document in enumerate(documents) if matches(document, filter_)}
            assert wanted <= await looked_up(database, call, collection, filter_)


def some_documents(random: Random) -> list[Any]:
    """Documents with numbers and texts of many sizes in the same fields."""
    values = [
        lambda: random.randint(-1000, 1000),
        lambda: random.uniform(-1, 1) * 10.0 ** random.randint(-310, 300),
        lambda: f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}T10:00:00Z",
        lambda: "".join(random.choices("abé🎈", k=random.randint(0, 12))),
        lambda: random.choice([None, True, [1, 2], {"a": 5}]),
    ]
    return [{"a": random.choice(values)(), "b": {"c": random.choice(values)()}} for _ in range(400)]


async def test_few_or_many_in_the_range_are_found_exactly(
    database: Database, docs: DatabaseDocs, call: Call
) -> None:
    random = Random(5)
    documents = some_documents(random)
    await put(database, call, "c", documents)
    await database.execute("ANALYZE docs")
    bounds = [
        one["a"] for one in documents if isinstance(one["a"], float | int | str) and one["a"] is not True
    ]
    filters: list[Any] = [{}]
    for _ in range(40):
        low, high = random.choice(bounds), random.choice(bounds)
        path = random.choice(["a", "b.c"])
        inside = {path: {random.choice(["$gt", "$gte"]): low, random.choice(["$lt", "$lte"]): high}}
        filters += [inside, {path: {"$gt": low}}, {path: {"$lte": high}}, {"$not": inside}]
        filters += [
            {"$or": [inside, {"a": high}]},
            {"$and": [{path: {"$gte": low}}, {"b.c": {"$exists": True}}]},
        ]
    sizes = set()
    for filter_ in filters:
        wanted = [number for number, document in enumerate(documents) if matches(document, filter_)]
        assert numbers((await docs.find(call, "c", filter_))["docs"]) == wanted
        assert await docs.count(call, "c", filter_) == len(wanted)
        backwards = await docs.find(call, "c", {**filter_, "$sort": "-#", "$limit": 5, "$skip": 2})
        assert numbers(backwards["docs"]) == wanted[::-1][2:7]
        sizes.add(len(wanted) * 20 // len(documents))
    assert {0, 1, 5, 19} <= sizes  # from next to none to next to all


FILL = """
INSERT INTO docs (app_id, collection, id, data)
SELECT $1, $2, gen_random_uuid(), jsonb_build_object(
    'n', n, 'kind', 'k' || n % 2000, '#', n, 'in', jsonb_build_object('at', to_char(
        '2020-01-01'::timestamp + n * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
FROM generate_series(1, 20000) n
"""
LITTLE: dict[str, tuple[Any, set[str], int]] = {
    "equality": ({"kind": "k7"}, {"docs_scope"}, 10),
    "$in": ({"kind": {"$in": ["k7", "k8"]}}, {"docs_scope"}, 20),
    "a range": ({"n": {"$gt": 100, "$lt": 110}}, {"docs_ordered"}, 9),
    "a range by $and": ({"$and": [{"n": {"$gte": 100}}, {"n": {"$lt": 110}}]}, {"docs_ordered"}, 10),
    "an open range": ({"n": {"$gt": 19_950}}, {"docs_ordered"}, 50),
    "dates": ({"in.at": {"$gte": "2020-02-01", "$lt": "2020-02-03"}}, {"docs_ordered"}, 48),
    "the last days": ({"in.at": {"$gte": "2022-04-10T12"}}, {"docs_ordered"}, 69),
    "a range in $or": (
        {"$or": [{"n": {"$lt": 10}}, {"kind": "k7"}, {"in.at": {"$lt": "2020-01-01T04"}}]},
        {"docs_scope", "docs_ordered"},
        18,
    ),
    "equality and a range": ({"kind": "k7", "n": {"$gte": 100}}, {"docs_scope"}, 9),
    "sorted": ({"n": {"$gt": 100, "$lt": 110}, "$sort": "-n", "$limit": 3}, {"docs_ordered"}, 3),
    "the first": ({"n": {"$gt": 100, "$lt": 110}, "$limit": 1}, {"docs_ordered"}, 1),
}


async def plan(database: Database, statement: tuple[str, Sequence[object]]) -> list[dict[str, Any]]:
    """The parts of the plan that were run."""
    sql, parameters = statement
    text = await database.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *parameters)
    nodes, found = [json.loads(text)[0]["Plan"]], []
    while nodes:
        node = nodes.pop()
        nodes += node.pop("Plans", [])
        if node["Actual Loops"]:
            found.append(node)
    return found


async def test_an_index_is_used_for_few_results_only(
    database: Database, docs: DatabaseDocs, call: Call
) -> None:
    for collection in ("c", "beside"):
        await database.execute(FILL, call.app_id, collection)
    await database.execute("ANALYZE docs")
    for name, (filter_, indexes, many) in LITTLE.items():
        find = parse_find(filter_)
        assert len((await docs.find(call, "c", filter_))["docs"]) == many, name
        for statement in (
            find_statement(find, call.app_id, "c", 2**23),
            page_statement(find, call.app_id, "c", None, 2**23),
            count_statement(find, call.app_id, "c"),
        ):
            nodes = await plan(database, statement)
            used = {node["Index Name"] for node in nodes if node["Node Type"] == "Bitmap Index Scan"}
            assert used == indexes, (name, nodes)
            assert not any(node["Node Type"] == "Seq Scan" for node in nodes), (name, nodes)
            # Places are rough, but not by much; 32 are the sample.
            assert sum(node.get("Rows Removed by Filter", 0) for node in nodes) < 100, (name, nodes)
    find = parse_find({"n": {"$gte": 5}, "$limit": 20})
    nodes = await plan(database, find_statement(find, call.app_id, "c", 2**23))
    assert not any(node["Node Type"] in ("Bitmap Index Scan", "Seq Scan") for node in nodes), nodes
    read = [node["Actual Rows"] for node in nodes if node.get("Index Name") == "docs_pkey"]
    assert sum(read) <= 20 + 1, nodes


HUGE: list[Any] = [
    {f"field {n}": n for n in range(40_000)},
    {"n": 7, "text": "x" * 1_000_000},
    {"n": 7, "in": {f"field {n}": {"n": n} for n in range(600)}},
    {"n": 7, "list": [{"n": n} for n in range(10_000)]},
]


async def test_documents_of_any_shape_are_stored_and_found_by_ranges(docs: DatabaseDocs, call: Call) -> None:
    deep: Any = 5
    for _ in range(120):
        deep = {"n": deep}
    for document in [*HUGE, deep]:
        await docs.create(call, "c", json.dumps(document))
    for number in ("1e400", "-1e400", "1e-400", "123456789" * 50):
        await docs.create(call, "c", f'{{"n": {number}, "far": 1}}')
    for filter_, many in (
        ({"field 77": {"$gt": 76, "$lt": 78}}, 1),
        ({"text": {"$gte": "x" * 999_999}}, 1),
        ({"in.field 77.n": {"$gt": 76.5, "$lte": 77}}, 1),
        ({"n": {"$gte": 7, "$lte": 7}}, 3),
        ({"n": {"$gt": 1.7e308}}, 2),
        ({"n": {"$lt": -1.7e308}}, 1),
        ({"n": {"$gt": 0, "$lt": 5e-324}}, 1),
        ({"n": {"$gt": 9.2e18, "$lt": 1e300}}, 0),
        ({"far": {"$gte": 1}}, 4),
    ):
        assert await docs.count(call, "c", filter_) == many, filter_


async def test_documents_from_before_the_index_are_in_it(
    empty_database: ConnectionParameters, tmp_path: Path
) -> None:
    for file in migrations_folder().glob("*.sql"):
        if file.name < "0013":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    await migrate(empty_database, tmp_path)
    database = await Database.open(empty_database, 1)
    call = Call(uuid4(), uuid4(), uuid4(), None)
    try:
        await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'a', 'A')", call.app_id)
        await database.execute(FILL, call.app_id, "c")
        await migrate(empty_database)
        assert await looked_up(database, call, "c", {"n": {"$gt": 4, "$lt": 8}}) >= {5, 6, 7}
        await database.execute("ANALYZE docs")
        few = count_statement(parse_find({"n": {"$gt": 4, "$lt": 8}}), call.app_id, "c")
        assert any(node.get("Index Name") == "docs_ordered" for node in await plan(database, few))
    finally:
        await database.close()
