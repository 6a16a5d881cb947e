"""What the filter language becomes: SQL without a word of the user's, and refusals that say what is wrong."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import ServiceError
from picloud.services.docs.filter import MAX_COMPARISONS, MAX_CONDITIONS, MAX_CONTAINS, MAX_DEPTH, parse_find
from picloud.services.docs.sql import count_statement, find_statement

APP = uuid4()
# Every word and sign that statements are made of. Names of users' begin with the marker.
MARKER = "zq"
TOKEN = re.compile(r"""\$\d+|\w+|"[^"]*"|'[^']*'|::|->|#>>|@>|@@|<=|>=|[^\w\s]""")
WORDS = {
    *("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "AS", "OVER", "ORDER", "BY", "LIMIT", "OFFSET", "ASC"),
    *("DESC", "NULLS", "FIRST", "LAST", "IS", "NULL", "TRUE", "FALSE", "COLLATE", "ROWS", "UNBOUNDED"),
    *(
        "PRECEDING",
        "docs",
        "doc",
        "docs_envelope",
        "docs_type_rank",
        "docs_number",
        "docs_text",
        "app_id",
        "docs_scoped",
        "docs_ordered",
        "docs_sample",
    ),
    *("WITH", "MATERIALIZED", "UNION", "ALL", "sample", "many", "tsquery", "3", "@@", "+", ">"),
    *("collection", "data", "id", "size", "total", "envelope", "found", "counted", "sum", "count", "text"),
    *("asked", "created_at", "updated_at", "timestamptz", "uuid"),
    *("coalesce", "jsonb_typeof", "strpos", "jsonb", "bigint", '"C"', "'{}'", "'string'", "'number'", "133"),
    *("left", "256", "0", "::", "->", "#>>", "@>", *"<=>=<>=+*.,()-", "<=", ">="),
}
TEXT = st.text(max_size=6).map(lambda text: MARKER + text.replace("\0", "'")) | st.sampled_from(
    [
        f"{MARKER}'; DROP TABLE docs; --",
        f"{MARKER}$1",
        f'{MARKER}"',
        f"{MARKER}')) OR TRUE --",
        f"{MARKER}\\",
        f"{MARKER}::jsonb",
        f"{MARKER}%s{{0}}",
    ]
)
NAMES = TEXT.map(lambda text: text.replace(".", "'"))
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(".".join)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OPERATORS: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({name: VALUES}) for name in ("$eq", "$ne")
) | st.one_of(
    *(
        st.fixed_dictionaries(
            {name: TEXT | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)}
        )
        for name in ("$gt", "$gte", "$lt", "$lte")
    ),
    *(st.fixed_dictionaries({name: st.lists(VALUES, max_size=4)}) for name in ("$in", "$nin")),
    st.fixed_dictionaries({"$contains": SCALARS}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
OWN: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({name: values | st.fixed_dictionaries({operator: values})})
    for name, values in (("$id", st.uuids().map(str)), ("$created_at", TIMES), ("$updated_at", TIMES))
    for operator in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
) | st.fixed_dictionaries(
    {"$id": st.fixed_dictionaries({"$in": st.lists(TEXT | st.uuids().map(str), max_size=3)})}
)
FILTERS = st.recursive(
    st.dictionaries(PATHS, VALUES | OPERATORS | OPERATORS.map(lambda one: {"$not": one}), max_size=3) | OWN,
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$and": st.lists(inner, max_size=3), "$or": st.lists(inner, max_size=3), "$not": inner}
    ),
    max_leaves=5,
)
SORTS = st.lists(
    st.builds(
        str.__add__,
        st.sampled_from(["", "-"]),
        PATHS | st.sampled_from(["$id", "$created_at", "$updated_at"]),
    ),
    max_size=5,
)


def statements(filter_: Any) -> list[tuple[str, Any]]:
    find = parse_find(filter_)
    return [find_statement(find, APP, MARKER, 1000), count_statement(find, APP, MARKER)]


@given(filter_=FILTERS, sort=SORTS, limit=st.integers(0, 1000), skip=st.integers(0, 1_000_000))
def test_user_input_is_never_part_of_the_sql(filter_: Any, sort: Any, limit: int, skip: int) -> None:
    for sql, parameters in statements({**filter_, "$sort": sort, "$limit": limit, "$skip": skip}):
        assert MARKER not in sql
        foreign = [token for token in TOKEN.findall(sql) if token not in WORDS and token[0] != "$"]
        assert foreign == []
        assert sql.count("(") == sql.count(")")
        used = {int(number) for number in re.findall(r"\$(\d+)", sql)}
        assert used == set(range(1, len(parameters) + 1))
        assert tuple(parameters[:2]) == (APP, MARKER)


def outside_brackets(sql: str) -> str:
    """What stands in the same brackets as the beginning, without what is in brackets of its own."""
    kept, depth = "", 0
    for sign in sql:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if depth == 0 and sign != ")":
            kept += sign
    return kept


@given(filter_=FILTERS)
def test_documents_are_read_within_the_scope_alone(filter_: Any) -> None:
    for sql, _ in statements(filter_):
        read = sql.split("FROM docs")[1:]
        assert read
        for rest in read:
            assert rest.startswith(
                (
                    "_sample($1, $2) AS docs WHERE ",
                    " WHERE app_id = $1 AND collection = $2 AND ",
                    " WHERE coalesce(app_id = $1 AND collection = $2, FALSE) AND ",
                    " doc WHERE app_id = $1 AND collection = $2 AND ",
                )
            )
            assert " OR " not in outside_brackets(rest)


def test_equal_values_are_one_parameter() -> None:
    sql, parameters = count_statement(parse_find({"$or": [{"a": 1}, {"a": 1}]}), APP, "c")
    assert len(parameters) == 4
    assert sql.count("$3") == 2


def test_similar_values_of_different_types_are_separate_parameters() -> None:
    for values in ([1, True], [1, "1"], [0, False], [1, 1.0], [None, "null"]):
        _, parameters = count_statement(parse_find({"a": {"$in": values}}), APP, "c")
        assert len(parameters) == 2 + 1 + 2 * len(values) - 1, values


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def deep(levels: int) -> dict[str, Any]:
    """A filter within so many `$not`s."""
    filter_: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        filter_ = {"$not": filter_}
    return filter_


def operators(levels: int) -> dict[str, Any]:
    operand: dict[str, Any] = {"$eq": 1}
    for _ in range(levels):
        operand = {"$not": operand}
    return {"a": operand}


TOP = (
    "unknown operator $foo; use fields, $id, $created_at, $updated_at, $and, $or, $not, $sort, $limit and"
    " $skip"
)
KNOWN = "unknown operator $foo; use $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $contains, $not"
MANY = "the filter has more than 256 conditions"
ORDERED = "the filter has more than 32 comparisons with $gt, $gte, $lt and $lte"
LONG = "the strings of $contains have more than 1024 bytes in total"


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ({"$foo": 1}, TOP),
        ({"$eq": 1}, TOP.replace("$foo", "$eq")),
        ({"a": {"$foo": 1}}, KNOWN),
        ({"a": {"$not": {"$foo": 1}}}, KNOWN),
        ({"a": {"$eq": 1, "b": 2}}, KNOWN.replace("$foo", "b")),
        ({"$and": {"a": 1}}, "$and takes an array of filters"),
        ({"$or": 1}, "$or takes an array of filters"),
        ({"$and": [1]}, "a filter must be a map"),
        ({"$not": []}, "a filter must be a map"),
        ({"$not": {"$sort": "a"}}, "$sort is only allowed at the top level of the filter"),
        ({"$or": [{"$limit": 1}]}, "$limit is only allowed at the top level of the filter"),
        ({"$or": [{"$skip": 1}]}, "$skip is only allowed at the top level of the filter"),
        ({"a": {"$not": 1}}, "$not of a field takes a map of operators"),
        ({"a.b.c.d.e.f": 1}, "the path 'a.b.c.d.e.f' has more than 5 levels"),
        ({"": 1}, "the path '' has an empty part"),
        ({"a..b": 1}, "the path 'a..b' has an empty part"),
        ({".a": 1}, "the path '.a' has an empty part"),
        ({"a.": {"$gt": 1}}, "the path 'a.' has an empty part"),
        ({"a\0": 1}, "a path must not contain a NUL character"),
        ({"a": "x\0"}, "a value in the filter contains a NUL character"),
        ({"a": ["x\0"]}, "a value in the filter contains a NUL character"),
        ({"a": {"x\0": 1}}, "a value in the filter contains a NUL character"),
        ({"a": {"$gt": "\0"}}, "$gt in the filter contains a NUL character"),
        ({"a": {"$contains": "\0"}}, "$contains in the filter contains a NUL character"),
        ({"a": b"x"}, "a value in the filter is a blob; documents cannot contain blobs"),
        ({"a": {"$in": [1, b"x"]}}, "$in in the filter is a blob; documents cannot contain blobs"),
        ({"a": math.nan}, "a value in the filter is not a finite number"),
        ({"a": {"$lt": math.inf}}, "$lt in the filter is not a finite number"),
        ({"a": {"$nin": [-math.inf]}}, "$nin in the filter is not a finite number"),
        *(
            ({"a": {name: wrong}}, f"{name} takes a number or a string")
            for name in ("$gt", "$gte", "$lt", "$lte")
            for wrong in (None, True, [], {}, b"x")
        ),
        ({"a": {"$in": 1}}, "$in takes an array"),
        ({"a": {"$nin": "ab"}}, "$nin takes an array"),
        ({"a": {"$exists": 1}}, "$exists takes true or false"),
        ({"a": {"$contains": []}}, "$contains takes a string, a number, a bool or ()"),
        ({"$limit": 1001}, "$limit must be an integer from 0 to 1000"),
        ({"$limit": -1}, "$limit must be an integer from 0 to 1000"),
        ({"$limit": True}, "$limit must be an integer from 0 to 1000"),
        ({"$limit": 1.0}, "$limit must be an integer from 0 to 1000"),
        ({"$limit": None}, "$limit must be an integer from 0 to 1000"),
        ({"$skip": 1_000_001}, "$skip must be an integer from 0 to 1000000"),
        ({"$skip": "1"}, "$skip must be an integer from 0 to 1000000"),
        *(
            (
                {"$sort": wrong},
                "$sort takes a field or an array of up to 5 fields; a leading '-' sorts descending",
            )
            for wrong in (1, None, [1], {"a": 1}, ["a"] * 6)
        ),
        ({"$sort": "-"}, "the path '' has an empty part"),
        ({"$sort": "a\0"}, "a path must not contain a NUL character"),
        ({"a": nested(MAX_DEPTH + 1)}, "a value in the filter is nested deeper than 16 levels"),
        (deep(MAX_DEPTH), "the filter is nested deeper than 16 levels"),
        (operators(MAX_DEPTH), "$not of a field takes a map of operators"),
        ({str(n): n for n in range(MAX_CONDITIONS + 1)}, MANY),
        ({"a": {"$in": [1] * (MAX_CONDITIONS + 1)}}, MANY),
        ({"a": {"$nin": [1] * (MAX_CONDITIONS + 1)}}, MANY),
        ({"a": {"$not": {"$nin": [1] * 200}}, "b": {"$in": [1] * 57}}, MANY),
        ({"$or": [{}] * (MAX_CONDITIONS + 1)}, MANY),
        ({"$or": [{"$and": []}] * (MAX_CONDITIONS + 1)}, MANY),
        ({str(n): {"$in": []} for n in range(MAX_CONDITIONS + 1)}, MANY),
        ({str(n): {"$not": {}} for n in range(MAX_CONDITIONS + 1)}, MANY),
        ({"a": [1] * MAX_CONDITIONS}, MANY),
        ({"a": {"$ne": [[{"b": [1] * MAX_CONDITIONS}]]}}, MANY),
        ({"a": {"$in": [[1] * MAX_CONDITIONS]}}, MANY),
        ({str(n): {"$gt": n} for n in range(MAX_COMPARISONS + 1)}, ORDERED),
        ({"$or": [{"a": {"$not": {"$gt": n, "$lte": "b"}}} for n in range(17)]}, ORDERED),
        ({"a": {"$contains": "b" + "a" * MAX_CONTAINS}}, LONG),
        ({"$or": [{"a": {"$contains": "é" * 100}}, {"a": {"$not": {"$contains": "a" * 825}}}]}, LONG),
    ],
)
def test_an_invalid_filter_is_rejected_with_a_message(filter_: Any, said: str) -> None:
    with pytest.raises(ServiceError) as refused:
        parse_find(filter_)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "filter_",
    [
        {},
        {"$sort": []},
        {"$limit": 0, "$skip": 1_000_000},
        {"a": nested(MAX_DEPTH)},
        deep(MAX_DEPTH - 1),
        operators(MAX_DEPTH - 1),
        {str(n): n for n in range(MAX_CONDITIONS)},
        {"a": {"$nin": list(range(MAX_CONDITIONS))}},
        {"a": [1] * (MAX_CONDITIONS - 1)},
        {"a": {"$contains": "a" * MAX_CONTAINS}},
        {"a.b.c.d.e": {"$gt": 2**63 - 1, "$lt": -(2**63)}},
        {"-a": 1, "$sort": "--a"},
    ],
)
def test_the_limits_themselves_are_within_the_language(filter_: Any) -> None:
    assert len(statements(filter_)) == 2
