"""Converts conditions to SQL: the text comes only from this file; all values are parameters.

Every piece is true or false, never null, so that `NOT` is exact. Indexed conditions have the form of the
index: `docs_scoped(...) @> $n` for equality, `docs_ordered(...) @@ $n` for ranges. A cheap check of the
document comes first: the same condition without the scope, or a more exact one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from picloud.services.docs import negative_zero
from picloud.services.docs.ranges import range_query
from picloud.services.docs.tree import (
    And,
    Comparison,
    Condition,
    Contains,
    Equals,
    Exists,
    Json,
    Not,
    Or,
    Own,
    Path,
)

Cast: TypeAlias = Literal["text", "jsonb", "int", "uuid", "timestamptz", "tsquery"]

SCOPE = "app_id = $1 AND collection = $2"
"""Joined by AND: a filter can only narrow."""

# Constant SQL text.
_OPERATORS = {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_COLUMNS: dict[str, tuple[str, Cast]] = {
    "id": ("id", "uuid"),
    "created_at": ("created_at", "timestamptz"),
    "updated_at": ("updated_at", "timestamptz"),
}
_CASTS: dict[Cast, str] = {
    "text": "text",
    "jsonb": "text::jsonb",
    "int": "bigint",
    "uuid": "uuid",
    "timestamptz": "timestamptz",
    "tsquery": "text::tsquery",
}


@dataclass(slots=True)
class Statement:
    """A statement being built.

    Attributes:
        parameters: values of `$1`, `$2`...; `$1` is the app and `$2` the collection.
    """

    parameters: list[object]
    _known: dict[tuple[str, object], str] = field(default_factory=dict)

    def bind(self, value: object, cast: Cast) -> str:
        """Add a parameter, or reuse an equal one.

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


def write(made: Statement, condition: Condition) -> str:
    """Convert a condition to SQL.

    Args:
        made: receives the parameters.
        condition: the condition.

    Returns:
        An expression in parentheses.
    """
    match condition:
        case And(conditions):
            return _joined(made, conditions, " AND ", "TRUE")
        case Or(conditions):
            return _joined(made, conditions, " OR ", "FALSE")
        case Not(inner):
            return f"NOT {write(made, inner)}"
        case Exists(path):
            return f"({value_of(made, path)} IS NOT NULL)"
        case Equals(path, value):
            return _equals(made, path, value)
        case Contains(path, value):
            return _contains(made, path, value)
        case Comparison():
            return _comparison(made, condition)
        case Own(column, operator, own):
            name, cast = _COLUMNS[column]
            return f"({name} {_OPERATORS[operator]} {made.bind(own, cast)})"


def column_of(name: str) -> str:
    """Return a column of the document itself as SQL."""
    return _COLUMNS[name][0]


def _joined(made: Statement, conditions: Sequence[Condition], word: str, empty: str) -> str:
    return f"({word.join([write(made, one) for one in conditions]) or empty})"


def value_of(made: Statement, path: Path) -> str:
    """Return the field as SQL, or null: `->` with text only enters objects, so "0" is not an array index."""
    return "(" + " -> ".join(["data", *(made.bind(name, "text") for name in path)]) + ")"


def write_json(value: Json) -> str:
    """Write JSON as guests do, with all digits of large floats, and -0.0 so that it stays.

    PostgreSQL compares decimals, and the shortest text of a float is a slightly different number.

    Args:
        value: a value of a document or a filter.

    Raises:
        RecursionError: it is nested hundreds of levels deep.
    """
    match value:
        case float() if abs(value) >= 1e16:
            return f"{value:.1f}"
        case float() if value == 0 and math.copysign(1, value) < 0:
            return negative_zero.STORED
        case list():
            return f"[{','.join(map(write_json, value))}]"
        case dict():
            return (
                f"{{{','.join([f'{write_json(name)}:{write_json(item)}' for name, item in value.items()])}}}"
            )
        case _:
            return orjson.dumps(value).decode()


def _has(made: Statement, path: Path, value: Json) -> str:
    return f"data @> {made.bind(write_json(_nested(path, value)), 'jsonb')} AND {_scoped(made, path, value)}"


def _scoped(made: Statement, path: Path, value: Json) -> str:
    scoped = {f"{made.parameters[0]}{made.parameters[1]}": _nested(path, value)}
    return f"docs_scoped(app_id, collection, data) @> {made.bind(write_json(scoped), 'jsonb')}"


def _nested(path: Path, value: Json) -> Json:
    for name in reversed(path):
        value = {name: value}
    return value


def _equals(made: Statement, path: Path, value: Json) -> str:
    holds = _has(made, path, value)
    if not isinstance(value, list | dict):
        return f"({holds})"
    # `@>` also matches larger arrays and objects.
    return f"({holds} AND {value_of(made, path)} = {made.bind(write_json(value), 'jsonb')})"


def _contains(made: Statement, path: Path, value: str | float | bool | None) -> str:
    element = _has(made, path, [value])
    if not isinstance(value, str):
        return f"({element})"
    field_ = value_of(made, path)
    part = f"strpos({field_} #>> '{{}}', {made.bind(value, 'text')}) > 0"
    return f"(({element}) OR coalesce(jsonb_typeof({field_}) = 'string' AND {part}, FALSE))"


def _comparison(made: Statement, condition: Comparison) -> str:
    field_, operator, value = value_of(made, condition.path), _OPERATORS[condition.operator], condition.value
    if isinstance(value, str):
        text = f"({field_} #>> '{{}}') COLLATE \"C\" {operator} {made.bind(value, 'text')}"
        return f"coalesce(jsonb_typeof({field_}) = 'string' AND {text}, FALSE)"
    number = made.bind(write_json(value), "jsonb")
    return f"coalesce(jsonb_typeof({field_}) = 'number' AND {field_} {operator} {number}, FALSE)"


def needs_ranges(condition: Condition) -> bool:
    """Return whether only ranges of fields let an index find the documents."""
    return (
        _count_ranges(condition) > 0
        and _narrows(condition, by_ranges=True)
        and not _narrows(condition, by_ranges=False)
    )


def _narrows(condition: Condition, *, by_ranges: bool) -> bool:
    match condition:
        case And(conditions):
            return any(_narrows(one, by_ranges=by_ranges) for one in conditions)
        case Or(conditions):
            return all(_narrows(one, by_ranges=by_ranges) for one in conditions)
        case Equals():
            return True
        case Contains(_, value):
            return not isinstance(value, str)
        case Own(column, operator, _):
            return by_ranges or (column == "id" and operator == "=")
        case Comparison():
            return by_ranges
        case _:
            return False


def write_lookup(made: Statement, condition: Condition) -> str:
    """Convert a condition to an index lookup with ranges, which every matching document satisfies.

    Args:
        made: receives the parameters.
        condition: one with `needs_ranges`.

    Returns:
        An expression in parentheses.
    """
    return _lookup(made, condition, _count_ranges(condition))


def _lookup(made: Statement, condition: Condition, ranges: int) -> str:
    match condition:
        case Equals(path, value):
            return _scoped(made, path, value)
        case Contains(path, value):
            return _scoped(made, path, [value])
        case Own():
            return f"({SCOPE} AND {write(made, condition)})"  # for its own index
        case Or(conditions):
            return f"({' OR '.join([_lookup(made, one, ranges) for one in conditions]) or 'FALSE'})"
    parts = list(_parts(condition))
    by_value = [one for one in parts if _narrows(one, by_ranges=False)]
    if by_value:
        found = [_lookup(made, one, ranges) for one in by_value]
    else:
        found = [
            _lookup(made, one, ranges)
            for one in parts
            if isinstance(one, Own) or (isinstance(one, Or) and _narrows(one, by_ranges=True))
        ]
        found += _in_ranges(made, [one for one in parts if isinstance(one, Comparison)], ranges)
    return f"({' AND '.join(found)})"


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, And):
        for one in condition.conditions:
            yield from _parts(one)
    else:
        yield condition


def _in_ranges(made: Statement, comparisons: Sequence[Comparison], ranges: int) -> Iterator[str]:
    """Yield one range for all comparisons of a field with values of one type."""
    fields: dict[tuple[Path, bool], list[Comparison]] = {}
    for one in comparisons:
        fields.setdefault((one.path, isinstance(one.value, str)), []).append(one)
    app_id, collection = made.parameters[0], str(made.parameters[1])
    for (path, _), ones in fields.items():
        query = made.bind(range_query(app_id, collection, path, ones, ranges), "tsquery")
        # A subquery hides the constant from the planner, which would expect most documents to match.
        yield f"docs_ordered(app_id, collection, data) @@ (SELECT {query})"


def _count_ranges(condition: Condition) -> int:
    match condition:
        case And(conditions) | Or(conditions):
            return sum(map(_count_ranges, conditions))
        case Comparison():
            return 1
        case _:
            return 0
