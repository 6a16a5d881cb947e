"""What scripts keep, as people look through it and change it: refusals in the API's words."""

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
from picloud.services.quotas import QuotaUsedUp

MAX_COUNTED = 1000
"""Of each collection in a list of them."""

MAX_COLLECTION, MAX_KEY = LIMITS.number("max_collection_name_bytes"), LIMITS.number("max_key_bytes")
"""Bytes of the name of a collection, and of a key."""

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
    """List the collections of an app by name, with what is in each counted.

    Args:
        searches: turns, for what is counted is read.
        statement: gives those of app `$1` after the name `$2`, at most `$3`, each counted up to `$4`.
        make: makes a collection of the columns, by their names.
        limit: maximum number.
        cursor: of the page before; None for the first.

    Returns:
        A page of them.

    Raises:
        Invalid: the cursor is not one that was given out.
    """
    after = read_name_cursor(cursor)
    async with searches.slot(app_id):
        rows = await database.fetch(statement, app_id, after, limit + 1, MAX_COUNTED)
    return page_of_names(rows, limit, lambda row: make(**row))


def check_collection(name: str) -> None:
    """Refuse a collection name that is empty, too long, or that PostgreSQL text cannot hold.

    Args:
        name: 1 to `MAX_COLLECTION` bytes of UTF-8 without NUL.

    Raises:
        ServiceError: it is something else.
    """
    _check_text("collection", name, MAX_COLLECTION)


def check_key(key: str) -> None:
    """Refuse a key as `check_collection` does a name.

    Args:
        key: 1 to `MAX_KEY` bytes of UTF-8 without NUL.

    Raises:
        ServiceError: it is something else.
    """
    _check_text("key", key, MAX_KEY)


def _check_text(what: str, text: str, max_bytes: int) -> None:
    if not 1 <= len(text.encode()) <= max_bytes:
        raise ServiceError(f"{what} must have 1 to {max_bytes} bytes")
    if "\0" in text:
        raise ServiceError(f"{what} must not hold a NUL character")


def require_valid_name(collection: str, key: str | None = None) -> None:
    """Refuse to look for a collection or key whose name is not valid.

    Raises:
        NotFound: nothing can have this name.
    """
    try:
        check_collection(collection)
        if key is not None:
            check_key(key)
    except ServiceError:
        raise NotFound from None


@contextmanager
def as_api_error(field: str) -> Iterator[None]:
    """What would be thrown in a script, as an error of the API.

    Args:
        field: what is to blame.

    Raises:
        QuotaExceeded: the quota is used up.
        Invalid: anything else is not valid.
    """
    try:
        yield
    except QuotaUsedUp as error:
        raise QuotaExceeded(str(error)) from None
    except ServiceError as error:
        raise Invalid(str(error), field=field) from None
