"""Documents for the admin API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import orjson

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest, write_cursor
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.services.collections import (
    MAX_PAGE_BYTES,
    as_api_error,
    check_collection,
    list_collections,
    require_valid_name,
)
from picloud.services.docs import documents, negative_zero
from picloud.services.docs.bare_names import check_bare_names
from picloud.services.docs.conditions import write_json
from picloud.services.docs.documents import TOO_DEEP, check_data
from picloud.services.docs.filter import Find, parse_find
from picloud.services.docs.sql import page_statement
from picloud.services.writes import Writes

_ORDERING = ("$sort", "$skip", "$limit")
_BROWSE = load("doc_browse")


@dataclass(frozen=True, slots=True)
class DocCollection:
    """A collection of documents.

    Attributes:
        name: name of the collection.
        documents: number of documents, counted up to 1,000.
        bytes: bytes of these as JSON.
        more: whether there are more documents than were counted.
    """

    name: str
    documents: int
    bytes: int
    more: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Attributes:
        id: the document.
        collection: collection of the document.
        data: the content.
        size: bytes of the data as JSON.
        created_at: when it was created.
        updated_at: last change.
    """

    id: UUID
    collection: str
    data: dict[str, Any]
    size: int
    created_at: datetime
    updated_at: datetime


class DocsAdmin:
    """Lists, reads and writes documents."""

    def __init__(self, database: Database, writes: Writes, searches: AppLimiter) -> None:
        """Create it. Args: writes: opens writes. searches: limits searches, shared with scripts."""
        self._database, self._writes, self._searches = database, writes, searches

    async def collections(self, app_id: UUID, limit: int, cursor: str | None) -> Page[DocCollection]:
        """List the collections of an app by name.

        Args:
            limit: maximum number.
            cursor: cursor of the previous page; None for the first page.

        Raises:
            Invalid: invalid cursor.
        """
        return await list_collections(
            self._database, self._searches, _BROWSE.doc_collections, DocCollection, app_id, limit, cursor
        )

    async def list(
        self, app_id: UUID, collection: str, filter_: str | None, page: PageRequest
    ) -> Page[Document]:
        """List documents of a collection, oldest first or in the order of the filter.

        Args:
            filter_: JSON of a filter (see `filter.parse_find`), or None for all. With `$sort`,
                `$skip` or `$limit` there is one page; continue with `$skip`.
            page: it can return fewer documents than its limit if they are large.

        Raises:
            NotFound: the collection does not exist.
            Invalid: invalid filter, or the single page exceeds `MAX_PAGE_BYTES`.
        """
        require_valid_name(collection)
        find, in_order = _read(filter_)
        if not in_order and page.after is not None:
            raise Invalid("cursor cannot be combined with $sort, $skip or $limit", field="cursor")
        limit = (
            page.limit + 1 if in_order else page.limit if find.limit is None else min(find.limit, page.limit)
        )
        sql, parameters = page_statement(
            replace(find, limit=limit), app_id, collection, page.after, MAX_PAGE_BYTES
        )
        async with self._searches.slot(app_id):
            with as_api_error("filter"):
                await check_bare_names(self._database, app_id, collection, find.bare)
            rows = await self._database.fetch(sql, *parameters)
        if not rows and page.after is None and not await self._exists(app_id, collection):
            raise NotFound("collection", collection)
        shown = rows[: page.limit]
        more = bool(shown) and shown[0]["asked"] > len(shown)
        if more and not in_order:
            raise Invalid(f"the result exceeds {MAX_PAGE_BYTES} bytes; use a lower limit", field="limit")
        return Page([_document(row) for row in shown], write_cursor(shown[-1]["id"]) if more else None)

    async def get(self, app_id: UUID, collection: str, id_: str) -> Document:
        """Find a document.

        Raises:
            NotFound: the document does not exist.
        """
        require_valid_name(collection)
        return await self._show(self._database, app_id, collection, _id(id_))

    async def create(self, app_id: UUID, collection: str, data: dict[str, Any], *, actor: Actor) -> Document:
        """Create a document.

        Args:
            collection: 1 to 128 bytes; it need not exist.
            data: the content, or the patch.

        Raises:
            Invalid: an argument is not valid.
            QuotaExceeded: the quota is exceeded.
            NotFound: the app was deleted in the meantime.
        """
        with as_api_error("collection"):
            check_collection(collection)
        text = _json(data)
        with as_api_error("data"):
            check_data(collection, text)
            async with self._writes.begin(actor, app_id, "docs", collection) as write:
                id_, _ = await documents.create(write, text)
                return await self._show(write.connection, app_id, collection, id_)

    async def update(
        self, app_id: UUID, collection: str, id_: str, data: dict[str, Any], *, merge: bool, actor: Actor
    ) -> Document:
        """Update a document.

        Args:
            data: the content, or the patch.
            merge: whether `data` is a JSON merge patch.

        Raises:
            NotFound: the document does not exist.
            Invalid: an argument is not valid.
            QuotaExceeded: the quota is exceeded.
        """
        require_valid_name(collection)
        text, document = _json(data), _id(id_)
        with as_api_error("data"):
            check_data(collection, text)
            async with self._writes.begin(actor, app_id, "docs", collection) as write:
                if await documents.change(write, document, text, merge=merge) is None:
                    raise NotFound("document", id_)
                return await self._show(write.connection, app_id, collection, document)

    async def delete(self, app_id: UUID, collection: str, id_: str, *, actor: Actor) -> None:
        """Delete a document.

        Raises:
            NotFound: the document does not exist.
        """
        require_valid_name(collection)
        document = _id(id_)
        async with self._writes.begin(actor, app_id, "docs", collection, adds=None) as write:
            if not await documents.delete(write, document):
                raise NotFound("document", id_)

    async def _show(
        self, source: Database | Connection, app_id: UUID, collection: str, id_: UUID
    ) -> Document:
        row = await source.fetchrow(_BROWSE.doc_show, app_id, collection, id_)
        if row is None:
            raise NotFound("document", id_)
        return _document(row)

    async def _exists(self, app_id: UUID, collection: str) -> bool:
        return bool(await self._database.fetchval(_BROWSE.doc_any, app_id, collection))


def _read(filter_: str | None) -> tuple[Find, bool]:
    """Parse a filter; return whether documents are sorted by id, so that there can be more pages."""
    if filter_ is None:
        return parse_find({}), True
    try:
        given = orjson.loads(filter_)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise Invalid("filter must be a JSON object", field="filter")
    with as_api_error("filter"):
        return parse_find(given), not any(name in given for name in _ORDERING)


def _json(data: dict[str, Any]) -> str:
    try:
        return write_json(data)
    except RecursionError:
        raise Invalid(TOO_DEEP, field="data") from None


def _id(text: str) -> UUID:
    found = parse_id(text)
    if found is None:
        raise NotFound("document", text)
    return found


def _document(row: asyncpg.Record) -> Document:
    # As PostgreSQL returns it: parsing would lose digits of numbers and take time.
    data = cast("dict[str, Any]", orjson.Fragment(negative_zero.restore(row["data"])))
    return Document(row["id"], row["collection"], data, row["size"], row["created_at"], row["updated_at"])
