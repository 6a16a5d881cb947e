"""Output of API responses: tables for users, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from picloud.cli.remote.client import Json
from picloud.cli.terminal import json_text, paint, plain, table


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: its heading.
        field: the field of the item.
        shown: formats the value of the field.
    """

    title: str
    field: str
    shown: Callable[[Any], str]


def column(field: str, title: str = "", shown: Callable[[Any], str] | None = None) -> Column:
    """Create a column for a field; by default with the field's name as title, formatted by `cell`."""
    return Column(title or field, field, shown or cell)


def cell(value: object) -> str:
    """Format a value on one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return plain(", ".join(value)) or "-"
    if isinstance(value, dict | list):
        return json_text(value) if value else "-"
    return plain(str(value))


def moment(value: str | None) -> str:
    """Format a time in the local time zone, to the minute."""
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M") if value else "-"


def print_json(value: object) -> None:
    """Print the API's JSON."""
    print(json_text(value, indent=2))


def print_table(columns: Sequence[Column], items: Iterable[Json], nothing: str) -> None:
    """Print items as a table, or the text `nothing` if there are none."""
    rows = [[one.shown(item.get(one.field)) for one in columns] for item in items]
    print(table([one.title for one in columns], rows) if rows else paint(nothing, "2"))


def print_fields(item: Json, leave_out: Sequence[str] = ()) -> None:
    """Print an object, one field per line, without the fields in `leave_out`."""
    shown = {plain(name): value for name, value in item.items() if name not in leave_out}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        text = moment(value) if name.endswith("_at") else cell(value)
        print(f"{paint(name.ljust(width), '2')}  {text}")
