"""The filter language of `docs`: parses the map of a script into a tree of conditions.

#{ kind: "a", "size.cm": #{ "$gte": 5, "$lt": 10 }, "$or": [#{ n: 1 }, #{ n: 2 }], "$sort": "-n" }
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS
from picloud.services.docs.own_fields import COLUMNS, OPERATORS, own_condition
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
    Path,
)

MAX_LEVELS = 5
MAX_LIMIT = LIMITS.number("max_page_items")
MAX_SKIP = 1_000_000
MAX_CONDITIONS = 256
MAX_COMPARISONS = 32
"""Maximum of `$gt`, `$gte`, `$lt` and `$lte` in total: each one reads a sample of documents first."""
MAX_CONTAINS = 1024
"""Total bytes of the strings of `$contains`: PostgreSQL compares each with every byte of a document, and
cannot be interrupted."""
MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Sort:
    """One field of a sort.

    Attributes:
        path: the field; empty for a column of the document itself.
        column: this column; None for a field.
        descending: whether the largest value is first.
    """

    path: Path
    column: str | None
    descending: bool


@dataclass(frozen=True, slots=True)
class Find:
    """A parsed filter.

    Attributes:
        condition: selects documents.
        sort: the order; then oldest first.
        limit: maximum number of documents, 0 to `MAX_LIMIT`; None if the filter has no `$limit`.
        skip: number of documents to skip.
        bare: fields of the filter that have the name of a column, such as `created_at`.
    """

    condition: Condition
    sort: tuple[Sort, ...]
    limit: int | None
    skip: int
    bare: frozenset[str] = frozenset()


def parse_find(filter_: Mapping[str, Any]) -> Find:
    """Parse a filter.

    Args:
        filter_: the map of the script: fields, `$and`, `$or`, `$not`, `$sort`, `$limit`, `$skip`.

    Raises:
        ServiceError: it is not valid; the message has the reason and the alternatives.
    """
    rest = dict(filter_)
    sort = _sort(rest.pop("$sort", []))
    limit = _integer("$limit", rest.pop("$limit"), MAX_LIMIT) if "$limit" in rest else None
    skip = _integer("$skip", rest.pop("$skip", 0), MAX_SKIP)
    reader = _Reader()
    condition = reader.filter(rest, 1)
    bare = reader.bare | {field.path[0] for field in sort if _is_bare(field.path)}
    return Find(condition, sort, limit, skip, frozenset(bare))


_COLUMN_NAMES = frozenset(COLUMNS.values())


def _is_bare(path: Path) -> bool:
    """Return whether a field has the name of a column."""
    return len(path) == 1 and path[0] in _COLUMN_NAMES


class _Reader:
    """Parses conditions and counts them, because each one is part of an SQL statement.

    An element of a value also counts: it is compared with the elements of an array.
    """

    def __init__(self) -> None:
        self._count = self._comparisons = self._contains_bytes = 0
        self.bare: set[str] = set()

    def filter(self, filter_: Any, depth: int) -> Condition:
        if not isinstance(filter_, Mapping):
            raise ServiceError("a filter must be a map")
        if depth > MAX_DEPTH:
            raise ServiceError(f"the filter is nested deeper than {MAX_DEPTH} levels")
        conditions: list[Condition] = []
        for name, value in filter_.items():
            if name in ("$and", "$or"):
                if not isinstance(value, list):
                    raise ServiceError(f"{name} takes an array of filters")
                if not value:
                    self._add(1)
                parts = tuple([self.filter(part, depth + 1) for part in value])
                conditions.append(And(parts) if name == "$and" else Or(parts))
            elif name == "$not":
                conditions.append(Not(self.filter(value, depth + 1)))
            elif name in COLUMNS:
                conditions += self._own(name, value, depth)
            elif name in ("$sort", "$limit", "$skip"):
                raise ServiceError(f"{name} is only allowed at the top level of the filter")
            elif name.startswith("$"):
                raise ServiceError(f"unknown operator {name}; use fields, {_TOP}")
            else:
                conditions += self._field(parse_path(name), value, depth)
        return conditions[0] if len(conditions) == 1 else self._of_all(conditions)

    def _of_all(self, conditions: list[Condition]) -> Condition:
        """Combine conditions; an empty list is part of the statement too, and counts as one."""
        if not conditions:
            self._add(1)
        return And(tuple(conditions))

    def _field(self, path: Path, value: Any, depth: int) -> list[Condition]:
        if not (isinstance(value, dict) and any(key.startswith("$") for key in value)):
            equals = Equals(path, _json("a value", value))
            self._add(_elements(value))
            self._note(path, value)
            return [equals]
        return [self._operator(path, name, operand, depth) for name, operand in value.items()]

    def _own(self, name: str, value: Any, depth: int) -> list[Condition]:
        """Parse the conditions on a field of the document itself."""
        operators = value if isinstance(value, dict) else {"$eq": value}
        return [self._own_operator(name, operator, operand, depth) for operator, operand in operators.items()]

    def _own_operator(self, name: str, operator: str, operand: Any, depth: int) -> Condition:
        if operator == "$not":
            if not isinstance(operand, dict) or depth >= MAX_DEPTH:
                raise ServiceError("$not of a field takes a map of operators")
            return Not(self._of_all(self._own(name, operand, depth + 1)))
        if operator not in OPERATORS:
            raise ServiceError(f"{operator} does not apply to {name}; use {', '.join([*OPERATORS, '$not'])}")
        self._add(len(operand) if isinstance(operand, list) and operand else 1)
        return own_condition(name, operator, operand)

    def _note(self, path: Path, value: Any) -> None:
        """Note a field that has the name of a column and is compared with what such a column could have."""
        if _is_bare(path) and value is not None and not isinstance(value, bool):
            self.bare.add(path[0])

    def _operator(self, path: Path, name: str, operand: Any, depth: int) -> Condition:
        if name == "$not":
            if not isinstance(operand, dict) or depth >= MAX_DEPTH:
                raise ServiceError("$not of a field takes a map of operators")
            return Not(
                self._of_all(
                    [self._operator(path, inner, value, depth + 1) for inner, value in operand.items()]
                )
            )
        make = _OPERATORS.get(name)
        if make is None:
            raise ServiceError(f"unknown operator {name}; use {_KNOWN}")
        condition = make(path, operand)
        self._note(path, operand)
        self._add(max(_elements(operand) - (name in ("$in", "$nin")), 1))
        if isinstance(condition, Comparison):
            self._comparisons += 1
            if self._comparisons > MAX_COMPARISONS:
                raise ServiceError(
                    f"the filter has more than {MAX_COMPARISONS} comparisons with $gt, $gte, $lt and $lte"
                )
        if name == "$contains" and isinstance(operand, str):
            self._contains_bytes += len(operand.encode())
            if self._contains_bytes > MAX_CONTAINS:
                raise ServiceError(f"the strings of $contains have more than {MAX_CONTAINS} bytes in total")
        return condition

    def _add(self, conditions: int) -> None:
        self._count += conditions
        if self._count > MAX_CONDITIONS:
            raise ServiceError(f"the filter has more than {MAX_CONDITIONS} conditions")


def _elements(value: Any) -> int:
    """Count a value and all values in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_elements, inner))


def parse_path(name: str) -> Path:
    """Parse a dotted path.

    Args:
        name: up to `MAX_LEVELS` names of fields, joined by dots.

    Raises:
        ServiceError: a name is empty or contains NUL, or there are too many names.
    """
    path = tuple(name.split("."))
    if len(path) > MAX_LEVELS:
        raise ServiceError(f"the path {name!r} has more than {MAX_LEVELS} levels")
    if not all(path):
        raise ServiceError(f"the path {name!r} has an empty part")
    if "\0" in name:
        raise ServiceError("a path must not contain a NUL character")
    return path


def _sort(sort: Any) -> tuple[Sort, ...]:
    fields = sort if isinstance(sort, list) else [sort]
    if not all(isinstance(field, str) for field in fields) or len(fields) > MAX_LEVELS:
        raise ServiceError(
            f"$sort takes a field or an array of up to {MAX_LEVELS} fields; a leading '-' sorts descending"
        )
    return tuple(_sort_field(field.removeprefix("-"), field.startswith("-")) for field in fields)


def _sort_field(name: str, descending: bool) -> Sort:
    if name in COLUMNS:
        return Sort((), COLUMNS[name], descending)
    if name.startswith("$"):
        raise ServiceError(f"unknown field {name} in $sort; use a path, or {', '.join(COLUMNS)}")
    return Sort(parse_path(name), None, descending)


def _integer(name: str, value: Any, maximum: int) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise ServiceError(f"{name} must be an integer from 0 to {maximum}")
    return value


def _json(what: str, value: Any, depth: int = 0) -> Json:
    """Check that JSON and PostgreSQL can represent a value."""
    if depth > MAX_DEPTH:
        raise ServiceError(f"{what} in the filter is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool() | int():
            pass
        case float():
            if not math.isfinite(value):
                raise ServiceError(f"{what} in the filter is not a finite number")
        case str():
            if "\0" in value:
                raise ServiceError(f"{what} in the filter contains a NUL character")
        case list():
            for item in value:
                _json(what, item, depth + 1)
        case dict():
            for key, item in value.items():
                _json(what, key)
                _json(what, item, depth + 1)
        case _:
            raise ServiceError(f"{what} in the filter is a blob; documents cannot contain blobs")
    return value


def _compares(name: str, operator: str) -> Callable[[Path, Any], Condition]:
    def make(path: Path, value: Any) -> Condition:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ServiceError(f"{name} takes a number or a string")
        return Comparison(path, operator, _json(name, value))

    return make


def _in(name: str) -> Callable[[Path, Any], Or]:
    def make(path: Path, values: Any) -> Or:
        if not isinstance(values, list):
            raise ServiceError(f"{name} takes an array")
        return Or(tuple([Equals(path, _json(name, value)) for value in values]))

    return make


def _exists(path: Path, wanted: Any) -> Condition:
    if not isinstance(wanted, bool):
        raise ServiceError("$exists takes true or false")
    return Exists(path) if wanted else Not(Exists(path))


def _contains(path: Path, value: Any) -> Condition:
    if isinstance(value, list | dict):
        raise ServiceError("$contains takes a string, a number, a bool or ()")
    return Contains(path, _json("$contains", value))


_OPERATORS: Mapping[str, Callable[[Path, Any], Condition]] = {
    "$eq": lambda path, value: Equals(path, _json("$eq", value)),
    "$ne": lambda path, value: Not(Equals(path, _json("$ne", value))),
    "$gt": _compares("$gt", ">"),
    "$gte": _compares("$gte", ">="),
    "$lt": _compares("$lt", "<"),
    "$lte": _compares("$lte", "<="),
    "$in": _in("$in"),
    "$nin": lambda path, values: Not(_in("$nin")(path, values)),
    "$exists": _exists,
    "$contains": _contains,
}
_KNOWN = ", ".join([*_OPERATORS, "$not"])
_TOP = f"{', '.join(COLUMNS)}, $and, $or, $not, $sort, $limit and $skip"
