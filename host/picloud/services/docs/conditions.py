"""Conditions to SQL: the text is made of the pieces in this file alone, all else is a parameter.

Every piece is true or false and never null, so that `NOT` means what it says. What an index can answer is
written bare, the way the index knows it: `docs_scoped(...) @> $n` for what a field equals, `docs_ordered(...)
@@ $n` for the range it lies in. What is cheap to decide for a document stands before it and says the same
without the scope, or more exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from picloud.services.docs.filter import (
    And,
    Comparison,
    Condition,
    Contains,
    Equals,
    Exists,
    Json,
    Not,
    Or,
    Path,
)
from picloud.services.docs.ranges import range_query

Cast: TypeAlias = Literal["text", "jsonb", "int", "uuid", "tsquery"]

_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}  # what goes into SQL is from here
_CASTS: dict[Cast, str] = {
    "text": "text",
    "jsonb": "text::jsonb",
    "int": "bigint",
    "uuid": "uuid",
    "tsquery": "text::tsquery",
}


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


def write(made: Statement, condition: Condition) -> str:
    """A condition as SQL.

    Args:
        made: gets the parameters.
        condition: what to write.

    Returns:
        One unit, in brackets.
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
            return _compares(made, condition)


def _joined(made: Statement, conditions: Sequence[Condition], word: str, empty: str) -> str:
    return f"({word.join([write(made, one) for one in conditions]) or empty})"


def value_of(made: Statement, path: Path) -> str:
    """The field as SQL, or null: `->` with a text enters objects only, so "0" is no index of an array."""
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
    return f"data @> {made.bind(write_json(_nested(path, value)), 'jsonb')} AND {_scoped(made, path, value)}"


def _scoped(made: Statement, path: Path, value: Json) -> str:
    scoped = {f"{made.parameters[0]}{made.parameters[1]}": _nested(path, value)}
    return f"docs_scoped(app_id, collection, data) @> {made.bind(write_json(scoped), 'jsonb')}"


def _nested(path: Path, value: Json) -> Json:
    for name in reversed(path):
        value = {name: value}
    return value


def _equals(made: Statement, path: Path, value: Json) -> str:
    holds = _holds(made, path, value)
    if not isinstance(value, list | dict):
        return f"({holds})"
    # An array or object holds what has less in it, too.
    return f"({holds} AND {value_of(made, path)} = {made.bind(write_json(value), 'jsonb')})"


def _contains(made: Statement, path: Path, value: str | float | bool | None) -> str:
    element = _holds(made, path, [value])
    if not isinstance(value, str):
        return f"({element})"
    field_ = value_of(made, path)
    part = f"strpos({field_} #>> '{{}}', {made.bind(value, 'text')}) > 0"
    return f"(({element}) OR coalesce(jsonb_typeof({field_}) = 'string' AND {part}, FALSE))"


def _compares(made: Statement, condition: Comparison) -> str:
    field_, operator, value = value_of(made, condition.path), _OPERATORS[condition.operator], condition.value
    if isinstance(value, str):
        text = f"({field_} #>> '{{}}') COLLATE \"C\" {operator} {made.bind(value, 'text')}"
        return f"coalesce(jsonb_typeof({field_}) = 'string' AND {text}, FALSE)"
    number = made.bind(write_json(value), "jsonb")
    return f"coalesce(jsonb_typeof({field_}) = 'number' AND {field_} {operator} {number}, FALSE)"


def needs_ranges(condition: Condition) -> bool:
    """Whether an index finds the documents by the ranges they lie in, and none does without these."""
    return _narrows(condition, by_ranges=True) and not _narrows(condition, by_ranges=False)


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
        case Comparison():
            return by_ranges
        case _:
            return False


def write_lookup(made: Statement, condition: Condition) -> str:
    """What indexes are asked for where ranges are needed: every document that meets the condition meets this.

    Args:
        made: gets the parameters.
        condition: for which `needs_ranges`.

    Returns:
        One unit, in brackets.
    """
    return _lookup(made, condition, _count_ranges(condition))


def _lookup(made: Statement, condition: Condition, ranges: int) -> str:
    match condition:
        case Equals(path, value):
            return _scoped(made, path, value)
        case Contains(path, value):
            return _scoped(made, path, [value])
        case Or(conditions):
            return f"({' OR '.join([_lookup(made, one, ranges) for one in conditions]) or 'FALSE'})"
    parts = list(_parts(condition))
    by_value = [one for one in parts if _narrows(one, by_ranges=False)]
    if by_value:
        found = [_lookup(made, one, ranges) for one in by_value]
    else:
        found = [_lookup(made, one, ranges) for one in parts if isinstance(one, Or) and needs_ranges(one)]
        found += _in_ranges(made, [one for one in parts if isinstance(one, Comparison)], ranges)
    return f"({' AND '.join(found)})"


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, And):
        for one in condition.conditions:
            yield from _parts(one)
    else:
        yield condition


def _in_ranges(made: Statement, comparisons: Sequence[Comparison], ranges: int) -> Iterator[str]:
    """One range for all comparisons of a field with values of one type."""
    fields: dict[tuple[Path, bool], list[Comparison]] = {}
    for one in comparisons:
        fields.setdefault((one.path, isinstance(one.value, str)), []).append(one)
    app_id, collection = made.parameters[0], str(made.parameters[1])
    for (path, _), ones in fields.items():
        query = made.bind(range_query(app_id, collection, path, ones, ranges), "tsquery")
        # As a subquery it is no constant to the planner, whose guess would be most of all documents.
        yield f"docs_ordered(app_id, collection, data) @@ (SELECT {query})"


def _count_ranges(condition: Condition) -> int:
    match condition:
        case And(conditions) | Or(conditions):
            return sum(map(_count_ranges, conditions))
        case Comparison():
            return 1
        case _:
            return 0
