"""Conditions to SQL: the text is made of the pieces in this file alone, all else is a parameter.

Every piece is true or false and never null, so that `NOT` means what it says. What an index can answer
is written as `docs_scoped(...) @> $n`, bare, for that is what the GIN index knows: each app's values by
themselves. The same without the scope stands before it, where it is cheap to decide for a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

import orjson

from picloud.services.docs.filter import (
    All,
    Compares,
    Condition,
    Contains,
    Equals,
    Exists,
    Find,
    Json,
    Not,
    Path,
    Some,
    Sort,
)

Cast: TypeAlias = Literal["text", "jsonb", "int", "uuid"]

SORTED_BY = 256
"""Characters of a text that an order goes by: a sort keeps them in memory, of each document it may give."""

# The text that goes into SQL is from here.
_SCOPE = "app_id = $1 AND collection = $2"  # joined by AND: a filter can only narrow
_ENVELOPE_SIZE = "size + 133"  # what `docs_envelope` writes around the data; a test compares
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CASTS: dict[Cast, str] = {"text": "text", "jsonb": "text::jsonb", "int": "bigint", "uuid": "uuid"}


@dataclass(slots=True)
class Statement:
    """A statement in the making.

    Attributes:
        parameters: what `$1`, `$2`... stand for; `$1` is the app and `$2` the collection.
    """

    parameters: list[object]
    _known: dict[tuple[str, object], str] = field(default_factory=dict)

    def bind(self, value: object, cast: Cast) -> str:
        """Add a parameter; one that is there already is used again.

        Args:
            value: the parameter.
            cast: its type in SQL.

        Returns:
            Its placeholder.
        """
        key = (cast, value)
        if key not in self._known:
            self.parameters.append(value)
            self._known[key] = f"${len(self.parameters)}::{_CASTS[cast]}"
        return self._known[key]


def find_statement(
    find: Find, app_id: object, collection: str, most_bytes: int
) -> tuple[str, Sequence[object]]:
    """The statement that finds documents.

    Args:
        find: what to look for.
        app_id: the app.
        collection: the collection.
        most_bytes: it gives no documents beyond the one whose envelope passes so many bytes in all.

    Returns:
        SQL with columns `envelope` and `total` (bytes of envelopes so far), and its parameters.
    """
    made = Statement([app_id, collection])
    where = _where(made, find.condition)
    order = ", ".join([*(_order(made, sort) for sort in find.sort), "id"])
    limit, skip = made.bind(find.limit, "int"), made.bind(find.skip, "int")
    cap = made.bind(most_bytes, "int")
    # Sorted and skipped are ids: only the documents that are given are read whole.
    found = (
        f"SELECT id, {_ENVELOPE_SIZE} AS size FROM docs WHERE {_SCOPE} AND {where}"
        f" ORDER BY {order} LIMIT {limit} OFFSET {skip}"
    )
    counted = f"SELECT id, size, sum(size) OVER (ROWS UNBOUNDED PRECEDING) AS total FROM ({found}) AS found"
    envelope = f"(SELECT docs_envelope(doc) FROM docs doc WHERE {_SCOPE} AND doc.id = counted.id)"
    sql = f"SELECT {envelope} AS envelope, total FROM ({counted}) AS counted WHERE total - size <= {cap}"
    return sql, made.parameters


def page_statement(
    find: Find, app_id: object, collection: str, after: UUID | None, most_bytes: int
) -> tuple[str, Sequence[object]]:
    """The statement that gives a page of documents.

    Args:
        find: what to look for.
        app_id: the app.
        collection: the collection.
        after: the last id of the page before, where they are in the order of their ids; else None.
        most_bytes: it gives no documents beyond the one that passes so many bytes in all.

    Returns:
        SQL with all columns of a document and `asked` (how many there are within the limit, whatever
        their size), and its parameters.
    """
    made = Statement([app_id, collection])
    where = _where(made, find.condition)
    if after is not None:
        where += f" AND id > {made.bind(after, 'uuid')}"
    order = ", ".join([*(_order(made, sort) for sort in find.sort), "id"])
    limit, skip = made.bind(find.limit, "int"), made.bind(find.skip, "int")
    cap = made.bind(most_bytes, "int")
    found = (
        f"SELECT id, size FROM docs WHERE {_SCOPE} AND {where} ORDER BY {order} LIMIT {limit} OFFSET {skip}"
    )
    counted = (
        "SELECT id, row_number() OVER () AS place, count(*) OVER () AS asked,"
        f" sum(size) OVER (ROWS UNBOUNDED PRECEDING) - size AS before FROM ({found}) AS found"
    )
    sql = (
        "SELECT doc.id, collection, data::text AS data, size, created_at, updated_at, asked"
        f" FROM ({counted}) AS counted JOIN docs doc ON {_SCOPE} AND doc.id = counted.id"
        f" WHERE before <= {cap} ORDER BY place"
    )
    return sql, made.parameters


def count_statement(find: Find, app_id: object, collection: str) -> tuple[str, Sequence[object]]:
    """The statement that counts documents; sort, limit and skip play no part.

    Args:
        find: what to count.
        app_id: the app.
        collection: the collection.

    Returns:
        SQL and its parameters.
    """
    made = Statement([app_id, collection])
    where = _where(made, find.condition)
    return f"SELECT count(*) FROM docs WHERE {_SCOPE} AND {where}", made.parameters


def _where(made: Statement, condition: Condition) -> str:
    match condition:
        case All(conditions):
            return _joined(made, conditions, " AND ", "TRUE")
        case Some(conditions):
            return _joined(made, conditions, " OR ", "FALSE")
        case Not(inner):
            return f"NOT {_where(made, inner)}"
        case Exists(path):
            return f"({_value(made, path)} IS NOT NULL)"
        case Equals(path, value):
            return _equals(made, path, value)
        case Contains(path, value):
            return _contains(made, path, value)
        case Compares():
            return _compares(made, condition)


def _joined(made: Statement, conditions: Sequence[Condition], word: str, empty: str) -> str:
    return f"({word.join([_where(made, one) for one in conditions]) or empty})"


def _value(made: Statement, path: Path) -> str:
    """The field, or null: `->` with a text enters objects only, so "0" is no index of an array."""
    return "(" + " -> ".join(["data", *(made.bind(name, "text") for name in path)]) + ")"


def write_json(value: Json) -> str:
    """JSON as guests write it into documents, large floats with all their digits.

    PostgreSQL compares decimals, and the shortest text of a float is not quite the same number.

    Args:
        value: of a document, or one to find there.

    Raises:
        RecursionError: it is nested some hundred levels deep.
    """
    match value:
        case float() if abs(value) >= 1e16:
            return f"{value:.1f}"
        case list():
            return f"[{','.join(map(write_json, value))}]"
        case dict():
            return (
                f"{{{','.join([f'{write_json(name)}:{write_json(item)}' for name, item in value.items()])}}}"
            )
        case _:
            return orjson.dumps(value).decode()


def _holds(made: Statement, path: Path, value: Json) -> str:
    for name in reversed(path):
        value = {name: value}
    scoped = {f"{made.parameters[0]}{made.parameters[1]}": value}
    return (
        f"data @> {made.bind(write_json(value), 'jsonb')}"
        f" AND docs_scoped(app_id, collection, data) @> {made.bind(write_json(scoped), 'jsonb')}"
    )


def _equals(made: Statement, path: Path, value: Json) -> str:
    holds = _holds(made, path, value)
    if not isinstance(value, list | dict):
        return f"({holds})"
    # An array or object holds what has less in it, too.
    return f"({holds} AND {_value(made, path)} = {made.bind(write_json(value), 'jsonb')})"


def _contains(made: Statement, path: Path, value: str | float | bool | None) -> str:
    element = _holds(made, path, [value])
    if not isinstance(value, str):
        return f"({element})"
    field_ = _value(made, path)
    part = f"strpos({field_} #>> '{{}}', {made.bind(value, 'text')}) > 0"
    return f"(({element}) OR coalesce(jsonb_typeof({field_}) = 'string' AND {part}, FALSE))"


def _compares(made: Statement, condition: Compares) -> str:
    field_, operator, value = _value(made, condition.path), _OPERATORS[condition.operator], condition.value
    if isinstance(value, str):
        text = f"({field_} #>> '{{}}') COLLATE \"C\" {operator} {made.bind(value, 'text')}"
        return f"coalesce(jsonb_typeof({field_}) = 'string' AND {text}, FALSE)"
    number = made.bind(write_json(value), "jsonb")
    return f"coalesce(jsonb_typeof({field_}) = 'number' AND {field_} {operator} {number}, FALSE)"


def _order(made: Statement, sort: Sort) -> str:
    field_, direction = _value(made, sort.path), "DESC" if sort.descending else "ASC"
    nulls = "NULLS LAST" if sort.descending else "NULLS FIRST"
    return (
        f"docs_type_rank({field_}) {direction}, docs_number({field_}) {direction} {nulls},"
        f' left(docs_text({field_}), {SORTED_BY}) COLLATE "C" {direction} {nulls}'
    )
