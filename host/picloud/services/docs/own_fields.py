"""The fields of a document itself in filters and sorts: `$id`, `$created_at` and `$updated_at`.

Scripts see times in milliseconds, and the columns have microseconds. A comparison is of what scripts see; it
becomes a range of the column, so that an index finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from picloud.core.errors import ServiceError
from picloud.core.ids import parse_id
from picloud.services.docs.tree import And, Condition, Not, Or, Own

COLUMNS: Mapping[str, str] = {"$id": "id", "$created_at": "created_at", "$updated_at": "updated_at"}
"""Columns by the name in a filter."""
COMPARISONS: Mapping[str, str] = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin")

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339
_MILLISECOND = timedelta(milliseconds=1)
_NOTHING = Or(())
_LAST = datetime.max.replace(tzinfo=UTC)


def own_condition(name: str, operator: str, operand: Any) -> Condition:
    """Return a condition on a field of the document itself.

    Args:
        name: one of `COLUMNS`.
        operator: one of `OPERATORS`.
        operand: a string, or an array of them.

    Raises:
        ServiceError: the operand is not an id or a time.
    """
    match operator:
        case "$ne":
            return Not(own_condition(name, "$eq", operand))
        case "$in":
            if not isinstance(operand, list):
                raise ServiceError("$in takes an array")
            return Or(tuple([own_condition(name, "$eq", value) for value in operand]))
        case "$nin":
            if not isinstance(operand, list):
                raise ServiceError("$nin takes an array")
            return Not(own_condition(name, "$in", operand))
    return _of_id(operator, operand) if name == "$id" else _of_time(name, operator, operand)


def _of_id(operator: str, operand: Any) -> Condition:
    id_ = parse_id(operand) if isinstance(operand, str) else None
    if id_ is not None:
        return Own("id", COMPARISONS[operator], id_)
    if isinstance(operand, str) and operator == "$eq":
        return _NOTHING  # as for `get`
    raise ServiceError(f"{operator} of $id takes an id")


def _of_time(name: str, operator: str, operand: Any) -> Condition:
    column, time = COLUMNS[name], _read_time(name, operand)
    floor = time.replace(microsecond=time.microsecond // 1000 * 1000)
    exact = floor == time
    try:
        following = floor + _MILLISECOND
    except OverflowError:
        following = _LAST
    match operator:
        case "$gt":
            return Own(column, ">=", following)
        case "$gte":
            return Own(column, ">=", floor if exact else following)
        case "$lt":
            return Own(column, "<", floor if exact else following)
        case "$lte":
            return Own(column, "<", following)
    return And((Own(column, ">=", floor), Own(column, "<", following))) if exact else _NOTHING


def _read_time(name: str, text: Any) -> datetime:
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ServiceError(f"{name} takes a time in RFC 3339, such as 2026-01-31T08:00:00.000Z")
