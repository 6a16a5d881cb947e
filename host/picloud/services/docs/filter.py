"""The filter language of `docs`: from the map a script writes to a tree of conditions.

#{ kind: "a", "size.cm": #{ "$gte": 5, "$lt": 10 }, "$or": [#{ n: 1 }, #{ n: 2 }], "$sort": "-n" }
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS

MAX_LEVELS = 5
MAX_LIMIT = LIMITS.number("max_page_items")
MAX_SKIP = 1_000_000
MAX_CONDITIONS = 256
MAX_COMPARISONS = 32
"""Of `$gt`, `$gte`, `$lt` and `$lte`, together: each looks into a sample of documents before any is found."""
MAX_PARTS = 1024
"""Bytes of the texts of `$contains`, together: PostgreSQL may hold each against every byte of a document, and
does not stop before it is through."""
MAX_DEPTH = 16

Path: TypeAlias = tuple[str, ...]
Json: TypeAlias = Any
"""What JSON can carry, as Python values."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The field is there and equals the value: same JSON type, numbers by value."""

    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class Comparison:
    """The field has the value's type, number or string, and lies on that side of it.

    Attributes:
        path: the field.
        operator: one of `<`, `<=`, `>`, `>=`.
        value: a number or a string.
    """

    path: Path
    operator: str
    value: int | float | str


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, also where it is null."""

    path: Path


@dataclass(frozen=True, slots=True)
class Contains:
    """The field is an array with this element, or a string with this part."""

    path: Path
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class And:
    """Every condition holds; with none, always."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition holds; with none, never."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Condition


Condition: TypeAlias = "Equals | Comparison | Exists | Contains | And | Or | Not"


@dataclass(frozen=True, slots=True)
class Sort:
    """One field of the order.

    Attributes:
        path: the field.
        descending: largest first.
    """

    path: Path
    descending: bool


@dataclass(frozen=True, slots=True)
class Find:
    """A whole filter.

    Attributes:
        condition: which documents.
        sort: in which order; then, and without it, as they were made.
        limit: at most so many, 0 to `MAX_LIMIT`.
        skip: without the first so many.
    """

    condition: Condition
    sort: tuple[Sort, ...]
    limit: int
    skip: int


def parse_find(filter_: Mapping[str, Any]) -> Find:
    """Read a filter.

    Args:
        filter_: as the script wrote it: fields, `$and`, `$or`, `$not`, `$sort`, `$limit`, `$skip`.

    Returns:
        What to look for.

    Raises:
        ServiceError: it is not in the language; the text names what is wrong and what there is.
    """
    rest = dict(filter_)
    sort = _sort(rest.pop("$sort", []))
    limit = _whole("$limit", rest.pop("$limit", MAX_LIMIT), MAX_LIMIT)
    skip = _whole("$skip", rest.pop("$skip", 0), MAX_SKIP)
    return Find(_Reader().filter(rest, 1), sort, limit, skip)


class _Reader:
    """Reads conditions and counts them, for each is a part of an SQL statement.

    An element of a value counts as one, too: it is looked for among those of an array of a document.
    """

    def __init__(self) -> None:
        self._count = self._comparisons = self._parts = 0

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
            elif name in ("$sort", "$limit", "$skip"):
                raise ServiceError(f"{name} belongs at the top of the filter")
            elif name.startswith("$"):
                raise ServiceError(f"unknown operator {name}; beside fields there are {_TOP}")
            else:
                conditions += self._field(parse_path(name), value, depth)
        return conditions[0] if len(conditions) == 1 else self._of_all(conditions)

    def _of_all(self, conditions: list[Condition]) -> Condition:
        """Every one of them; none at all is a part of the statement as well, and counts as one."""
        if not conditions:
            self._add(1)
        return And(tuple(conditions))

    def _field(self, path: Path, value: Any, depth: int) -> list[Condition]:
        if not (isinstance(value, dict) and any(key.startswith("$") for key in value)):
            equals = Equals(path, _json("a value", value))
            self._add(_elements(value))
            return [equals]
        return [self._operator(path, name, operand, depth) for name, operand in value.items()]

    def _operator(self, path: Path, name: str, operand: Any, depth: int) -> Condition:
        if name == "$not":
            if not isinstance(operand, dict) or depth >= MAX_DEPTH:
                raise ServiceError("$not takes a map of operators here")
            return Not(
                self._of_all(
                    [self._operator(path, inner, value, depth + 1) for inner, value in operand.items()]
                )
            )
        make = _OPERATORS.get(name)
        if make is None:
            raise ServiceError(f"unknown operator {name}; there are {_KNOWN}")
        condition = make(path, operand)
        self._add(max(_elements(operand) - (name in ("$in", "$nin")), 1))
        if isinstance(condition, Comparison):
            self._comparisons += 1
            if self._comparisons > MAX_COMPARISONS:
                raise ServiceError(
                    f"the filter has more than {MAX_COMPARISONS} comparisons with $gt, $gte, $lt and $lte"
                )
        if name == "$contains" and isinstance(operand, str):
            self._parts += len(operand.encode())
            if self._parts > MAX_PARTS:
                raise ServiceError(f"the texts of $contains have more than {MAX_PARTS} bytes in all")
        return condition

    def _add(self, conditions: int) -> None:
        self._count += conditions
        if self._count > MAX_CONDITIONS:
            raise ServiceError(f"the filter has more than {MAX_CONDITIONS} conditions")


def _elements(value: Any) -> int:
    """How many values this is, with all that are in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_elements, inner))


def parse_path(name: str) -> Path:
    """Read a dotted path.

    Args:
        name: up to `MAX_LEVELS` names of fields, joined by dots.

    Raises:
        ServiceError: a name is empty or holds NUL, or there are more of them.
    """
    path = tuple(name.split("."))
    if len(path) > MAX_LEVELS:
        raise ServiceError(f"the path {name!r} goes deeper than {MAX_LEVELS} levels")
    if not all(path):
        raise ServiceError(f"the path {name!r} has an empty part")
    if "\0" in name:
        raise ServiceError("a path must not hold a NUL character")
    return path


def _sort(sort: Any) -> tuple[Sort, ...]:
    fields = sort if isinstance(sort, list) else [sort]
    if not all(isinstance(field, str) for field in fields) or len(fields) > MAX_LEVELS:
        raise ServiceError(
            f"$sort takes a field or an array of up to {MAX_LEVELS} fields, '-' in front to descend"
        )
    return tuple(Sort(parse_path(field.removeprefix("-")), field.startswith("-")) for field in fields)


def _whole(name: str, value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ServiceError(f"{name} must be an integer from 0 to {most}")
    return value


def _json(what: str, value: Any, depth: int = 0) -> Json:
    """Let through what JSON can carry and PostgreSQL can hold."""
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
                raise ServiceError(f"{what} in the filter holds a NUL character")
        case list():
            for item in value:
                _json(what, item, depth + 1)
        case dict():
            for key, item in value.items():
                _json(what, key)
                _json(what, item, depth + 1)
        case _:
            raise ServiceError(f"{what} in the filter is a blob, which no document can hold")
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
_TOP = "$and, $or, $not, $sort, $limit and $skip"
