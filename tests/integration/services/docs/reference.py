"""The filter language once more, in plain Python over plain documents: what the SQL is compared with."""

from __future__ import annotations

import functools
import json
from decimal import Decimal
from typing import Any

MISSING = object()


def look_up(document: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return MISSING
        document = document[name]
    return document


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def number(value: float) -> Decimal:
    return Decimal(written(value))


def written(value: Any) -> str:
    """JSON as guests write it: floats that have no decimals as the numbers they are."""
    if isinstance(value, float) and abs(value) >= 1e16:
        return f"{value:.1f}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {written(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def equal(a: Any, b: Any) -> bool:
    if a is MISSING or kind(a) != kind(b):
        return False
    if kind(a) == "number":
        return number(a) == number(b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(a == b)


def compare(a: Any, b: Any) -> int | None:
    """-1, 0 or 1, or None where they are not of one type that has an order."""
    if a is MISSING or kind(a) != kind(b) or kind(a) not in ("number", "str"):
        return None
    left, right = (number(a), number(b)) if kind(a) == "number" else (a, b)
    return (left > right) - (left < right)


def contains(field: Any, value: Any) -> bool:
    if isinstance(field, list):
        return any(equal(item, value) for item in field)
    return isinstance(field, str) and isinstance(value, str) and value in field


OPERATORS = {
    "$eq": equal,
    "$ne": lambda a, b: not equal(a, b),
    "$gt": lambda a, b: compare(a, b) == 1,
    "$gte": lambda a, b: compare(a, b) in (0, 1),
    "$lt": lambda a, b: compare(a, b) == -1,
    "$lte": lambda a, b: compare(a, b) in (-1, 0),
    "$in": lambda a, b: any(equal(a, item) for item in b),
    "$nin": lambda a, b: not any(equal(a, item) for item in b),
    "$exists": lambda a, b: (a is not MISSING) == b,
    "$contains": contains,
    "$not": lambda a, b: not holds_all(a, b),
}


def holds_all(field: Any, operators: dict[str, Any]) -> bool:
    return all(OPERATORS[name](field, operand) for name, operand in operators.items())


def matches(document: Any, filter_: dict[str, Any]) -> bool:
    for name, wanted in filter_.items():
        if name == "$and":
            good = all(matches(document, part) for part in wanted)
        elif name == "$or":
            good = any(matches(document, part) for part in wanted)
        elif name == "$not":
            good = not matches(document, wanted)
        elif isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
            good = holds_all(look_up(document, name), wanted)
        else:
            good = equal(look_up(document, name), wanted)
        if not good:
            return False
    return True


def in_order(documents: list[Any], sort: list[str]) -> list[Any]:
    """Sorted as `$sort` says; `documents` are in the order they were made."""

    def place(value: Any) -> tuple[int, Any]:
        match kind(value) if value is not MISSING else "missing":
            case "number":
                return 1, number(value)
            case "str":
                return 2, value
            case "bool":
                return 3, value
            case "list" | "dict":
                return 4, 0
        return 0, 0

    def by(a: Any, b: Any) -> int:
        for field in sort:
            path, direction = field.removeprefix("-"), -1 if field.startswith("-") else 1
            left, right = place(look_up(a, path)), place(look_up(b, path))
            if left != right:
                return direction if left > right else -direction
        return 0

    return sorted(documents, key=functools.cmp_to_key(by))


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
