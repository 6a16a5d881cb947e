"""Lists in pages: every list of the API is cut the same way."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar
from uuid import UUID

from asyncpg import Record

from picloud.core.errors import Invalid, ServiceError

DEFAULT_LIMIT, MAX_LIMIT = 50, 200

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted.

    Attributes:
        limit: maximum number of items, 1 to `MAX_LIMIT`.
        after: id (or what else the list is ordered by) of the last item of the page before, or None for
            the first page.
    """

    limit: int = DEFAULT_LIMIT
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list.

    Attributes:
        items: the items, in the list's order.
        next_cursor: where the next page begins, or None after the last one.
    """

    items: list[Item]
    next_cursor: str | None

    @classmethod
    def of(
        cls,
        rows: Sequence[Record],
        limit: int,
        make: Callable[[Record], Item],
        position: Callable[[Record], UUID] = itemgetter("id"),
    ) -> Page[Item]:
        """Cut a page from rows that were asked for with one more than the limit.

        Args:
            rows: at most limit + 1 of them.
            limit: the page's size.
            make: turns a row into an item.
            position: what the list is ordered by, of a row.

        Returns:
            The page; the extra row only shows that there is a next page.
        """
        shown, more = rows[:limit], len(rows) > limit
        return cls([make(row) for row in shown], write_cursor(position(shown[-1])) if more else None)

    def of_list(self, name: str) -> Page[Item]:
        """The page with a cursor that no other list takes. Args: name: of the list."""
        if self.next_cursor is None:
            return self
        return Page(self.items, _mark(name) + self.next_cursor)


def write_cursor(last: UUID) -> str:
    """Write the position after an item as opaque text."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def read_cursor(cursor: str) -> UUID:
    """Read what `write_cursor` wrote.

    Args:
        cursor: any text.

    Returns:
        The id of the last item of the page before.

    Raises:
        Invalid: it is invalid.
    """
    try:
        raw = base64.b64decode(cursor + "==", altchars=b"-_", validate=True)
        if len(raw) == 16 and write_cursor(UUID(bytes=raw)) == cursor:
            return UUID(bytes=raw)
    except (binascii.Error, ValueError):
        pass
    raise Invalid("invalid cursor", field="cursor")


def write_name_cursor(last: str) -> str:
    """Write the position after a name as opaque text."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def read_name_cursor(cursor: str | None) -> str:
    """Read what `write_name_cursor` wrote.

    Args:
        cursor: any text; None for the first page.

    Returns:
        The last name of the page before; "" for the first page.

    Raises:
        Invalid: it is invalid.
    """
    if cursor is None:
        return ""
    try:
        name = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        name = ""
    if not name or "\0" in name:
        raise Invalid("invalid cursor", field="cursor")
    return name


def page_of_names(rows: Sequence[Record], limit: int, make: Callable[[Record], Item]) -> Page[Item]:
    """Cut a page as `Page.of` does, of rows in the order of their column `name`."""
    shown, more = rows[:limit], len(rows) > limit
    return Page([make(row) for row in shown], write_name_cursor(shown[-1]["name"]) if more else None)


def unmark_cursor(cursor: str, name: str) -> str:
    """Undo what `Page.of_list` did.

    Args:
        cursor: any text.
        name: of the list.

    Returns:
        A cursor for `read_cursor`.

    Raises:
        Invalid: it belongs to another list.
    """
    mark = _mark(name)
    if not cursor.startswith(mark):
        raise Invalid("invalid cursor: it belongs to another list", field="cursor")
    return cursor.removeprefix(mark)


def _mark(name: str) -> str:
    return f"{zlib.crc32(name.encode()):08x}"


def position_for_script(cursor: str | None, limit: int, most: int) -> UUID | None:
    """Where a page of a script's list begins.

    Args:
        cursor: `next_cursor` of the page before; "" or None for the first.
        limit: how many it asks for.
        most: how many it may.

    Returns:
        The id of the last item of the page before, or None.

    Raises:
        ServiceError: one of them is not valid.
    """
    if not 1 <= limit <= most:
        raise ServiceError(f"limit must be from 1 to {most}")
    try:
        return read_cursor(cursor) if cursor else None
    except Invalid:
        raise ServiceError("invalid cursor") from None


def page_for_script(rows: Sequence[Record], limit: int, items: str, column: str) -> dict[str, object]:
    """A page of a script's list. The guest ends it earlier if it exceeds the script's limits.

    Args:
        rows: at most limit + 1, each with `id` and `asked`, how many were there before bytes were counted.
        limit: the page's size.
        items: what its items are called in the page.
        column: what of a row is an item.

    Returns:
        The items, each with the cursor after it, and whether there are `more`.
    """
    shown = rows[:limit]
    return {
        items: [(row[column], write_cursor(row["id"])) for row in shown],
        "more": bool(shown) and shown[0]["asked"] > len(shown),
    }
