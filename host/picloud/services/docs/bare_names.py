"""A field `id`, `created_at` or `updated_at` in a filter that no document has: `$created_at` was meant."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from picloud.core.errors import ServiceError
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.docs.ranges import field_query

_SQL = load("docs")


async def check_bare_names(database: Database, app_id: UUID, collection: str, names: Iterable[str]) -> None:
    """Reject fields that are named like a column, if there are documents and none has the field.

    A collection without documents accepts any field, so that a script works before its first document.

    Args:
        names: fields of a filter (`Find.bare`).

    Raises:
        ServiceError: no document has such a field; the message has the name of the column.
    """
    for name in names:
        query = field_query(app_id, collection, (name,))
        if await database.fetchval(_SQL.docs_lack_field, app_id, collection, name, query):
            raise ServiceError(f"no document has the field {name!r}; use '${name}' for {_MEANING[name]}")


_MEANING = {
    "id": "the id of a document",
    "created_at": "the time at which it was created",
    "updated_at": "the time of its last change",
}
