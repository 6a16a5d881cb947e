"""Promises of `$id`, `$created_at` and `$updated_at` in filters and sorts."""

from __future__ import annotations

import json
import operator
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from picloud.core.errors import ServiceError
from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.docs.filter import parse_find
from picloud.services.docs.service import DatabaseDocs
from picloud.services.docs.sql import count_statement, find_statement

START = datetime(2026, 1, 1, tzinfo=UTC)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


async def fill(database: Database, call: Call, documents: int, collection: str = "c") -> list[dict[str, Any]]:
    """Documents a few microseconds apart, as scripts see them."""
    dice = random.Random(documents)
    rows = []
    for number in range(documents):
        created = START + timedelta(microseconds=400 * number)
        updated = START + timedelta(microseconds=dice.randrange(400 * documents))
        rows.append((call.app_id, collection, uuid4(), json.dumps({"n": number % 7}), created, updated))
    async with database.acquire() as connection:
        await connection.executemany(
            "INSERT INTO docs (app_id, collection, id, data, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)",
            rows,
        )
    seen = await database.fetch(
        "SELECT docs_envelope(doc) AS envelope FROM docs doc WHERE app_id = $1 AND collection = $2"
        " ORDER BY id",
        call.app_id,
        collection,
    )
    return [json.loads(row["envelope"]) for row in seen]


async def found(docs: DatabaseDocs, call: Call, filter_: dict[str, Any]) -> list[str]:
    answer = await docs.find(call, "c", filter_)
    ids = [json.loads(envelope)["id"] for envelope in answer["docs"]]
    if "$sort" not in filter_:
        assert await docs.count(call, "c", filter_) == len(ids)
    return ids


async def test_a_comparison_is_of_what_scripts_see(
    docs: DatabaseDocs, call: Call, database: Database
) -> None:
    seen = await fill(database, call, 50)
    await fill(database, call, 5, "other")
    for field in ("id", "created_at", "updated_at"):
        values = [one[field] for one in seen]
        for name, holds in COMPARE.items():
            for value in values[::7]:
                wanted = [one["id"] for one in seen if holds(one[field], value)]
                assert await found(docs, call, {f"${field}": {name: value}}) == wanted
                together = {f"${field}": {name: value}, "n": {"$gte": 3}}
                wanted = [one["id"] for one in seen if holds(one[field], value) and one["data"]["n"] >= 3]
                assert await found(docs, call, together) == wanted
                either = {"$or": [{f"${field}": {name: value}}, {"$and": [{"n": {"$gt": 4}}]}]}
                wanted = [one["id"] for one in seen if holds(one[field], value) or one["data"]["n"] > 4]
                assert await found(docs, call, either) == wanted
        some = values[3:9]
        wanted = [one["id"] for one in seen if one[field] in some]
        assert await found(docs, call, {f"${field}": {"$in": some}}) == wanted
        wanted = [one["id"] for one in seen if one[field] not in some]
        assert await found(docs, call, {f"${field}": {"$nin": some}}) == wanted
        assert await found(docs, call, {f"${field}": {"$not": {"$in": some}}}) == wanted
        wanted = [one["id"] for one in seen if one[field] == values[4]]
        assert await found(docs, call, {f"${field}": values[4]}) == wanted


async def test_times_are_compared_at_every_precision(
    docs: DatabaseDocs, call: Call, database: Database
) -> None:
    seen = await fill(database, call, 30)
    for microseconds in (0, 1, 999, 1000, 1001, 5500, 10_000, 10**9):
        time = START + timedelta(microseconds=microseconds)
        for text in (time.isoformat(), time.astimezone(tz=None).isoformat(), f"{time:%Y-%m-%dT%H:%M:%S.%f}z"):
            for name, holds in COMPARE.items():
                wanted = [one["id"] for one in seen if holds(datetime.fromisoformat(one["created_at"]), time)]
                assert await found(docs, call, {"$created_at": {name: text}}) == wanted, (text, name)
    assert await found(docs, call, {"$created_at": {"$lte": "9999-12-31T23:59:59.999Z"}}) != []
    assert await found(docs, call, {"$created_at": {"$gt": "9999-12-31T23:59:59.999Z"}}) == []


async def test_sorts_are_by_the_documents_themselves(
    docs: DatabaseDocs, call: Call, database: Database
) -> None:
    seen = await fill(database, call, 40)
    by_creation = [
        str(row["id"])
        for row in await database.fetch(
            "SELECT id FROM docs WHERE app_id = $1 ORDER BY created_at", call.app_id
        )
    ]
    by_change = [
        str(row["id"])
        for row in await database.fetch(
            "SELECT id FROM docs WHERE app_id = $1 ORDER BY updated_at DESC, id", call.app_id
        )
    ]
    ids = [one["id"] for one in seen]
    assert await found(docs, call, {"$sort": "$created_at"}) == by_creation
    assert await found(docs, call, {"$sort": "-$created_at", "$limit": 5}) == by_creation[::-1][:5]
    assert await found(docs, call, {"$sort": ["-$updated_at"]}) == by_change
    assert await found(docs, call, {"$sort": "-$id", "$skip": 3}) == ids[::-1][3:]
    wanted = sorted(seen, key=lambda one: (one["data"]["n"], by_creation.index(one["id"])))
    assert await found(docs, call, {"$sort": ["n", "$created_at"]}) == [one["id"] for one in wanted]


PLANS: dict[str, tuple[dict[str, Any], str]] = {
    "newest": ({"$sort": "-$created_at", "$limit": 10}, "docs_created"),
    "oldest change": ({"$sort": "$updated_at", "$limit": 10}, "docs_updated"),
    "last id": ({"$sort": "-$id", "$limit": 10}, "docs_pkey"),
    "id": ({"$id": str(UUID(int=7))}, "docs_pkey"),
    "after": ({"$created_at": {"$gt": "2026-01-01T00:00:07.900Z"}}, "docs_created"),
    "between": (
        {"$updated_at": {"$gte": "2026-01-01T00:00:01Z", "$lt": "2026-01-01T00:00:01.01Z"}},
        "docs_updated",
    ),
    "newest of some": (
        {"$created_at": {"$gt": "2026-01-01T00:00:07.900Z"}, "$sort": "-$created_at"},
        "docs_created",
    ),
}


@pytest.mark.slow
async def test_an_index_answers_them(docs: DatabaseDocs, call: Call, database: Database) -> None:
    await fill(database, call, 20_000)
    await database.execute("ANALYZE docs")
    for name, (filter_, index) in PLANS.items():
        find = parse_find(filter_)
        statements = [find_statement(find, call.app_id, "c", 2**23)]
        if "$sort" not in filter_:
            statements.append(count_statement(find, call.app_id, "c"))
        for sql, parameters in statements:
            plan = json.loads(await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *parameters))
            text = json.dumps(plan)
            assert f'"Index Name": "{index}"' in text, (name, text)
            rows = [float(actual) for actual in re.findall(r'"Actual Rows": ([\d.]+)', text)]
            assert max(rows) < 600, (name, text)


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        ({"$created_at": "yesterday"}, "$created_at takes a time in RFC 3339"),
        ({"$created_at": {"$gt": "2026-01-01"}}, "$created_at takes a time in RFC 3339"),
        ({"$created_at": {"$gt": "2026-01-01T00:00:00"}}, "$created_at takes a time in RFC 3339"),
        ({"$updated_at": {"$gt": "2026-02-30T00:00:00Z"}}, "$updated_at takes a time in RFC 3339"),
        ({"$updated_at": {"$gt": "0001-01-01T00:00:00+14:00"}}, "$updated_at takes a time in RFC 3339"),
        ({"$updated_at": 1}, "$updated_at takes a time in RFC 3339"),
        ({"$id": {"$gt": "x"}}, "$gt of $id takes an id"),
        ({"$id": 1}, "$eq of $id takes an id"),
        ({"$id": {"$in": "x"}}, "$in takes an array"),
        ({"$id": {"$exists": True}}, "$exists does not apply to $id"),
        ({"$created_at": {"$contains": "2026"}}, "$contains does not apply to $created_at"),
        ({"$created_at": {"a": 1}}, "a does not apply to $created_at"),
        ({"$deleted_at": 1}, "unknown operator $deleted_at; use fields, $id, $created_at, $updated_at, $and"),
        ({"$sort": "$size"}, "unknown field $size in $sort; use a path, or $id, $created_at, $updated_at"),
        ({"$id": {"$nin": ["x"] * 300}}, "more than 256 conditions"),
    ],
)
async def test_what_is_no_condition_on_them_throws(
    docs: DatabaseDocs, call: Call, filter_: dict[str, Any], message: str
) -> None:
    for search in (docs.find, docs.count):
        with pytest.raises(ServiceError, match=re.escape(message)):
            await search(call, "c", filter_)


async def test_an_id_that_is_none_matches_nothing(docs: DatabaseDocs, call: Call) -> None:
    made = json.loads(await docs.create(call, "c", "{}"))["id"]
    assert await found(docs, call, {"$id": "none"}) == []
    assert await found(docs, call, {"$id": {"$in": ["none", made]}}) == [made]
    assert await found(docs, call, {"$id": {"$ne": "none"}}) == [made]
    assert await found(docs, call, {"$created_at": {}}) == [made]


@pytest.mark.parametrize("name", ["id", "created_at", "updated_at"])
async def test_a_bare_name_that_no_document_has_throws_with_advice(
    docs: DatabaseDocs, call: Call, name: str
) -> None:
    filters: list[dict[str, Any]] = [
        {name: "2026-01-01T00:00:00Z"},
        {name: {"$gt": 5}},
        {"$or": [{"n": 1}, {name: {"$in": ["x"]}}]},
        {"$sort": f"-{name}"},
        {"$sort": ["n", name]},
    ]
    harmless: list[dict[str, Any]] = [
        {name: {"$exists": False}},
        {f"a.{name}": 1},
        {name: None},
        {f"${name}": str(UUID(int=1)) if name == "id" else "2026-01-01T00:00:00Z"},
    ]
    for filter_ in filters:
        assert await found(docs, call, filter_) == []  # a script works before its first document
    await docs.create(call, "c", '{"n": 1}')
    for filter_ in filters:
        for search in (docs.find, docs.find_one, docs.count):
            with pytest.raises(
                ServiceError, match=rf"no document has the field '{name}'; use '\${name}' for"
            ):
                await search(call, "c", filter_)
    for filter_ in harmless:
        await found(docs, call, filter_)
    for number in range(40):
        await docs.create(call, "c", json.dumps({"n": number}))
    with pytest.raises(ServiceError, match="no document has the field"):
        await docs.find(call, "c", filters[0])
    await docs.create(call, "c", json.dumps({name: "mine"}))
    for filter_ in filters:
        await found(docs, call, filter_)
    assert len(await found(docs, call, {name: "mine"})) == 1


async def test_a_bare_name_among_very_many_fields_is_known(docs: DatabaseDocs, call: Call) -> None:
    for _ in range(40):
        await docs.create(call, "c", "{}")
    await docs.create(call, "c", json.dumps({"id": 7} | {f"f{n}": n for n in range(1500)}))
    for _ in range(40):
        await docs.create(call, "c", "{}")
    assert len(await found(docs, call, {"id": {"$gte": 7}})) == 1
