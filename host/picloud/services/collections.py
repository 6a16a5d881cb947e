"""Collections in the admin API: lists, names, and script errors as API errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import Invalid, NotFound, QuotaExceeded, ServiceError
from picloud.core.interface import LIMITS
from picloud.core.pagination import Page, page_of_names, read_name_cursor
from picloud.db.pool import Database
from picloud.sandbox.limits import MIB, Limits
from picloud.services.quotas import QuotaUsedUp

MAX_COUNTED = 1000
"""Entries counted per collection in a list of collections."""

MAX_COLLECTION, MAX_KEY = LIMITS.number("max_collection_name_bytes"), LIMITS.number("max_key_bytes")
"""Maximum bytes of a collection name, and of a key."""

MAX_PAGE_BYTES = 8 * MIB
"""Bytes of JSON that one call returns, whatever the limits of the script."""

T = TypeVar("T")


async def list_collections(
    database: Database,
    searches: AppLimiter,
    statement: str,
    make: Callable[..., T],
    app_id: UUID,
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """List the collections of an app by name, with counts.

    Args:
        searches: limits concurrent searches; counting reads entries.
        statement: selects collections of app `$1` after the name `$2`, at most `$3`, counted up to `$4`.
        make: makes a collection from the columns, by name.
        limit: maximum number.
        cursor: cursor of the previous page; None for the first page.

    Raises:
        Invalid: invalid cursor.
    """
    after = read_name_cursor(cursor)
    async with searches.slot(app_id):
        rows = await database.fetch(statement, app_id, after, limit + 1, MAX_COUNTED)
    return page_of_names(rows, limit, lambda row: make(**row))


def page_bytes(limits: Limits) -> int:
    """Return the bytes of JSON after which a page ends, because hardly more fits into the limits of a script.

    The guest ends the page exactly. JSON has more bytes than its strings: escapes, names of fields, numbers.
    """
    values = limits.max_array_size + limits.max_map_size
    return min(2 * limits.max_string_size + 64 * values, MAX_PAGE_BYTES)


def check_collection(name: str) -> None:
    """Check the name of a collection.

    Args:
        name: 1 to `MAX_COLLECTION` bytes of UTF-8 without NUL.

    Raises:
        ServiceError: it is not valid.
    """
    _check_text("collection", name, MAX_COLLECTION)


def check_key(key: str) -> None:
    """Check a key.

    Args:
        key: 1 to `MAX_KEY` bytes of UTF-8 without NUL.

    Raises:
        ServiceError: it is not valid.
    """
    _check_text("key", key, MAX_KEY)


def _check_text(what: str, text: str, max_bytes: int) -> None:
    if not 1 <= len(text.encode()) <= max_bytes:
        raise ServiceError(f"{what} must have 1 to {max_bytes} bytes")
    if "\0" in text:
        raise ServiceError(f"{what} must not contain a NUL character")


def require_valid_name(collection: str, key: str | None = None) -> None:
    """Check the name of a collection or key before a search.

    Raises:
        NotFound: the name is not valid, so that nothing can have it.
    """
    try:
        check_collection(collection)
        if key is not None:
            check_key(key)
    except ServiceError:
        raise NotFound from None


@contextmanager
def as_api_error(field: str) -> Iterator[None]:
    """Convert errors for scripts into errors of the API.

    Args:
        field: the field that causes the error.

    Raises:
        QuotaExceeded: the quota is exceeded.
        Invalid: any other error.
    """
    try:
        yield
    except QuotaUsedUp as error:
        raise QuotaExceeded(str(error)) from None
    except ServiceError as error:
        raise Invalid(str(error), field=field) from None
