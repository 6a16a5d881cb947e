"""docs: the documents of an app, in PostgreSQL.

The guest reads and writes documents as JSON text. The host parses filters, but never documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import ServiceError
from picloud.core.ids import parse_id
from picloud.core.interface import HostFunction
from picloud.core.pagination import page_for_script, position_for_script
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.call_context import Call
from picloud.services.collections import check_collection, page_bytes
from picloud.services.docs import documents
from picloud.services.docs.bare_names import check_bare_names
from picloud.services.docs.documents import check_data
from picloud.services.docs.filter import MAX_LIMIT, Find, parse_find
from picloud.services.docs.sql import count_statement, find_statement
from picloud.services.writes import Writes

SEARCHES_AT_ONCE = 4
"""Searches of one app per worker: one can read a whole collection, and all apps share the connections."""

_SQL = load("docs")


def host_functions(docs: DatabaseDocs) -> Mapping[str, HostFunction]:
    """The host functions of docs by import name."""
    return {
        "docs_create": docs.create,
        "docs_get": docs.get,
        "docs_find": docs.find,
        "docs_find_one": docs.find_one,
        "docs_count": docs.count,
        "docs_update": docs.update,
        "docs_patch": docs.patch,
        "docs_delete": docs.delete,
        "docs_list": docs.list,
    }


class DatabaseDocs:
    """Documents of apps. An envelope is the JSON of `{id, data, created_at, updated_at}`."""

    def __init__(
        self, database: Database, writes: Writes | None = None, limiter: AppLimiter | None = None
    ) -> None:
        """Create the service.

        Args:
            writes: opens writes; None for writes without quotas and triggers.
            limiter: limits concurrent searches; None for its own limit.
        """
        self._database = database
        self._writes = writes or Writes(database)
        self._searches = limiter or searches(database)

    async def create(self, call: Call, collection: str, data: str) -> str:
        """Create a document.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            data: JSON of an object, at most `documents.MAX_DATA` bytes.

        Returns:
            Its envelope.

        Raises:
            ServiceError: an argument is not valid, or the app's quota is exceeded.
        """
        check_data(collection, data)
        async with self._writes.begin(call, call.app_id, "docs", collection) as write:
            _, envelope = await documents.create(write, data)
            return envelope

    async def get(self, call: Call, collection: str, id_: str) -> str | None:
        """Return the envelope of a document, or None; an invalid id matches nothing."""
        check_collection(collection)
        document = parse_id(id_)
        if document is None:
            return None
        envelope: str | None = await self._database.fetchval(_SQL.doc_get, call.app_id, collection, document)
        return envelope

    async def find(self, call: Call, collection: str, filter_: Mapping[str, Any]) -> dict[str, Any]:
        """Find documents.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            filter_: see `filter.parse_find`.

        Returns:
            `docs`, their envelopes in order (of at most `page_bytes`, but at least one), and whether there
            are `more` within the limit of the filter.

        Raises:
            ServiceError: an argument is not valid.
        """
        check_collection(collection)
        docs, more = await self._find(call, collection, parse_find(filter_))
        return {"docs": docs, "more": more}

    async def find_one(self, call: Call, collection: str, filter_: Mapping[str, Any]) -> str | None:
        """Return the first document of `find`, or None."""
        check_collection(collection)
        docs, _ = await self._find(call, collection, parse_find({**filter_, "$limit": 1}))
        return next(iter(docs), None)

    async def count(self, call: Call, collection: str, filter_: Mapping[str, Any]) -> int:
        """Return how many documents match; `$sort`, `$limit` and `$skip` are ignored."""
        check_collection(collection)
        find = parse_find(filter_)
        sql, parameters = count_statement(find, call.app_id, collection)
        async with self._searches.slot(call.app_id):
            await check_bare_names(self._database, call.app_id, collection, find.bare)
            return int(await self._database.fetchval(sql, *parameters))

    async def update(self, call: Call, collection: str, id_: str, data: str) -> str:
        """Replace a document's data; return its envelope.

        Raises:
            ServiceError: an argument is not valid, the document does not exist, or the app's quota is
                exceeded.
        """
        return await self._change(call, collection, id_, data, merge=False)

    async def patch(self, call: Call, collection: str, id_: str, patch: str) -> str:
        """Apply a JSON merge patch (RFC 7396), atomically; return the envelope.

        Raises:
            ServiceError: see `update`; or the result exceeds what the script can read.
        """
        return await self._change(call, collection, id_, patch, merge=True)

    async def delete(self, call: Call, collection: str, id_: str) -> bool:
        """Delete a document; return whether it existed."""
        check_collection(collection)
        document = parse_id(id_)
        if document is None:
            return False
        async with self._writes.begin(call, call.app_id, "docs", collection, adds=None) as write:
            return await documents.delete(write, document)

    async def _find(self, call: Call, collection: str, find: Find) -> tuple[list[str], bool]:
        """Return the documents, and whether there are more."""
        # One more than a filter without $limit returns shows whether there are more.
        asked = MAX_LIMIT + 1 if find.limit is None else find.limit
        sql, parameters = find_statement(
            replace(find, limit=asked), call.app_id, collection, page_bytes(call.limits)
        )
        async with self._searches.slot(call.app_id):
            await check_bare_names(self._database, call.app_id, collection, find.bare)
            rows = await self._database.fetch(sql, *parameters)
        shown = rows[:MAX_LIMIT]
        return [row["envelope"] for row in shown], bool(shown) and shown[0]["asked"] > len(shown)

    async def _change(self, call: Call, collection: str, id_: str, data: str, *, merge: bool) -> str:
        check_data(collection, data)
        document = parse_id(id_)
        envelope = None
        if document is not None:
            async with self._writes.begin(call, call.app_id, "docs", collection) as write:
                limits = call.limits if merge else None  # the guest has checked whole documents
                envelope = await documents.change(write, document, data, merge=merge, limits=limits)
        if envelope is None:
            raise ServiceError("no such document")
        return envelope

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of documents, oldest first.

        Documents that exist during the whole listing are returned exactly once, despite concurrent writes.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            cursor: `next_cursor` of the previous page; "" or None for the first.
            limit: 1 to `MAX_LIMIT`.

        Returns:
            `docs`, envelopes of at most `page_bytes` (but at least one), each with the cursor after it, and
            whether there are `more`.

        Raises:
            ServiceError: an argument is not valid.
        """
        check_collection(collection)
        after = position_for_script(cursor, limit, MAX_LIMIT)
        async with self._searches.slot(call.app_id):  # a page can be as large as a result
            rows = await self._database.fetch(
                _SQL.docs_list, call.app_id, collection, after, limit + 1, page_bytes(call.limits)
            )
        return page_for_script(rows, limit, "docs", "envelope")


def searches(database: Database) -> AppLimiter:
    """Return a limiter that leaves half of the connections of a pool for other queries."""
    return AppLimiter(SEARCHES_AT_ONCE, max(1, database.max_size // 2))
