"""The filter language does on a real database what it does in plain Python, for any documents and filters."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.services.call_context import Call
from picloud.services.docs.service import DatabaseDocs
from picloud.services.docs.sql import SORTED_BY
from tests.integration.services.docs.reference import in_order, matches, written

FIELDS = ["a", "b", "0", 'é"']
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4) | st.sampled_from(
    ["", "10", "9", "a", "ab", "A", "é", "e\u0301", "🎈", "\uffff", "%", "'", "$1", "null"]
)
NUMBERS = (
    st.integers(-12, 12)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.1, 0.30000000000000004, 1.0, 1, 10, 9, -0.0, 1e300, 1e23, 2**53, 2.0**53, 2**53 + 1])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4), min_size=1, max_size=8)
PATHS = st.sampled_from(["a", "b"]) | st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3).map(".".join)
# What is looked for and what is there must meet often: few numbers, few texts, and whatever else.
WANTED = st.sampled_from([None, True, 1, 1.0, 9, 10, "10", "9", "a", "", [], {}, [1], {"a": 1}]) | VALUES
ORDERED = st.sampled_from([-1, 0, 1, 1.5, 9, 10, "", "10", "9", "a"]) | NUMBERS | TEXT
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "$eq": WANTED,
    "$ne": WANTED,
    "$gt": ORDERED,
    "$gte": ORDERED,
    "$lt": ORDERED,
    "$lte": ORDERED,
    "$in": st.lists(WANTED, max_size=3),
    "$nin": st.lists(WANTED, max_size=3),
    "$exists": st.booleans(),
    "$contains": SCALARS,
}
# Mostly one operator at a time: many of them together never hold.
OPERATORS = st.lists(st.sampled_from(sorted(OPERANDS)), min_size=1, max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: OPERANDS[name] for name in names})
)
CONDITIONS = OPERATORS | OPERATORS.map(lambda inner: {"$not": inner}) | WANTED
FILTERS = st.recursive(
    st.dictionaries(PATHS, CONDITIONS, max_size=2),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$and": st.lists(inner, max_size=2), "$or": st.lists(inner, max_size=2), "$not": inner}
    ),
    max_leaves=4,
)
SORTS = st.lists(st.builds(str.__add__, st.sampled_from(["", "-"]), PATHS), max_size=3)


@pytest.mark.slow
@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=DOCUMENTS, filters=st.lists(FILTERS, min_size=4, max_size=8), sort=SORTS)
async def test_results_and_their_order_equal_the_reference(
    docs: DatabaseDocs, call: Call, documents: list[Any], filters: list[Any], sort: list[str]
) -> None:
    collection = uuid4().hex
    for number, document in enumerate(documents):
        await docs.create(call, collection, written({**document, "#": number}))
    for filter_ in filters:
        wanted = [number for number, document in enumerate(documents) if matches(document, filter_)]
        found = (await docs.find(call, collection, filter_))["docs"]
        assert [json.loads(envelope)["data"]["#"] for envelope in found] == wanted
        assert await docs.count(call, collection, filter_) == len(wanted)
    numbered = [{**document, "#": number} for number, document in enumerate(documents)]
    found = (await docs.find(call, collection, {"$sort": sort}))["docs"]
    assert [json.loads(envelope)["data"]["#"] for envelope in found] == [
        one["#"] for one in in_order(numbered, sort)
    ]


async def test_strings_are_sorted_by_their_first_characters(docs: DatabaseDocs, call: Call) -> None:
    same = "é" * SORTED_BY
    for text in (same + "b", same + "a", same[1:] + "z", same[1:] + "a"):
        await docs.create(call, "c", written({"text": text}))
    found = (await docs.find(call, "c", {"$sort": "text"}))["docs"]
    assert [json.loads(one)["data"]["text"][SORTED_BY - 1 :] for one in found] == ["a", "z", "éb", "éa"]
