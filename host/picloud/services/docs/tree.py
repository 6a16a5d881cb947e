"""The tree of conditions that a filter of `docs` is parsed into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

Path: TypeAlias = tuple[str, ...]
Json: TypeAlias = Any
"""A JSON value in Python."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The field exists and equals the value: same JSON type, numbers by value."""

    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class Comparison:
    """The field has the type of the value, number or string, and compares to it as given.

    Attributes:
        path: the field.
        operator: one of `<`, `<=`, `>`, `>=`.
        value: a number or a string.
    """

    path: Path
    operator: str
    value: int | float | str


@dataclass(frozen=True, slots=True)
class Own:
    """A column of the document itself compares to the value as given.

    Attributes:
        column: `id`, `created_at` or `updated_at`.
        operator: one of `=`, `<`, `<=`, `>`, `>=`.
        value: of the type of the column.
    """

    column: str
    operator: str
    value: UUID | datetime


@dataclass(frozen=True, slots=True)
class Exists:
    """The field exists; it can be null."""

    path: Path


@dataclass(frozen=True, slots=True)
class Contains:
    """The field is an array with this element, or a string with this substring."""

    path: Path
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class And:
    """Every condition is true; true if there are none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition is true; false if there are none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition is false."""

    condition: Condition


Condition: TypeAlias = "Equals | Comparison | Own | Exists | Contains | And | Or | Not"
