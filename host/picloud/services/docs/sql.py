"""Converts filters to SQL. The text comes from here and `conditions`; all values are parameters."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from picloud.services.docs.conditions import (
    SCOPE,
    Statement,
    column_of,
    needs_ranges,
    value_of,
    write,
    write_lookup,
)
from picloud.services.docs.filter import Find, Sort

SORTED_BY = 256
"""Characters of a string that a sort uses, and keeps in memory for each document."""

# Constant SQL text.
# A lookup has the scope in its index: the primary key would add a bitmap of the whole collection.
_SCOPED = f"coalesce({SCOPE}, FALSE)"
_ENVELOPE_SIZE = "size + 133"  # size of the envelope; a test compares it with `docs_envelope`

# If many documents match, reading them in order up to the limit is faster than an index. PostgreSQL has no
# statistics for ranges, so a sample of 32 documents decides: more than 3 matches are many.
_MANY = "(SELECT many FROM sample)"


def find_statement(
    find: Find, app_id: object, collection: str, max_bytes: int
) -> tuple[str, Sequence[object]]:
    """Return the statement that finds documents.

    Args:
        find: the filter.
        collection: the collection.
        max_bytes: it ends with the document whose envelope exceeds this total.

    Returns:
        SQL with columns `envelope` and `asked` (the number of matches within the limit, ignoring sizes), and
        its parameters.
    """
    made = Statement([app_id, collection])
    found, cap = _found(made, find, None), made.bind(max_bytes, "int")
    counted = (
        f"SELECT id, {_ENVELOPE_SIZE} AS size, count(*) OVER () AS asked,"
        f" sum({_ENVELOPE_SIZE}) OVER (ROWS UNBOUNDED PRECEDING) AS total FROM ({found}) AS found"
    )
    envelope = f"(SELECT docs_envelope(doc) FROM docs doc WHERE {SCOPE} AND doc.id = counted.id)"
    sql = f"SELECT {envelope} AS envelope, asked FROM ({counted}) AS counted WHERE total - size <= {cap}"
    return sql, made.parameters


def page_statement(
    find: Find, app_id: object, collection: str, after: UUID | None, max_bytes: int
) -> tuple[str, Sequence[object]]:
    """Return the statement of a page of documents.

    Args:
        find: the filter.
        collection: the collection.
        after: last id of the previous page, if sorted by id; else None.
        max_bytes: it ends with the document that exceeds this total.

    Returns:
        SQL with all columns of a document and `asked` (the number of matches within the limit, ignoring
        sizes), and its parameters.
    """
    made = Statement([app_id, collection])
    found, cap = _found(made, find, after), made.bind(max_bytes, "int")
    counted = (
        "SELECT id, row_number() OVER () AS place, count(*) OVER () AS asked,"
        f" sum(size) OVER (ROWS UNBOUNDED PRECEDING) - size AS before FROM ({found}) AS found"
    )
    # The LIMIT forces a lookup by id: a join could read all documents.
    doc = f"SELECT * FROM docs WHERE {SCOPE} AND docs.id = counted.id LIMIT 1"
    sql = (
        "SELECT doc.id, collection, data::text AS data, size, created_at, updated_at, asked"
        f" FROM ({counted}) AS counted, LATERAL ({doc}) AS doc"
        f" WHERE before <= {cap} ORDER BY place"
    )
    return sql, made.parameters


def count_statement(find: Find, app_id: object, collection: str) -> tuple[str, Sequence[object]]:
    """Return the statement that counts documents; sort, limit and skip are ignored.

    Args:
        find: the filter.
        collection: the collection.

    Returns:
        SQL and its parameters.
    """
    made = Statement([app_id, collection])
    where = write(made, find.condition)
    if not needs_ranges(find.condition):
        return f"SELECT count(*) FROM docs WHERE {SCOPE} AND {where}", made.parameters
    lookup = write_lookup(made, find.condition)
    sql = (
        f"{_sample(where)} SELECT"
        f" (SELECT count(*) FROM docs WHERE {SCOPE} AND {_MANY} AND {where})"
        f" + (SELECT count(*) FROM docs WHERE {_SCOPED} AND NOT {_MANY} AND {where} AND {lookup})"
    )
    return sql, made.parameters


def _found(made: Statement, find: Find, after: UUID | None) -> str:
    """Select ids and sizes in order, so that sorted and skipped documents are not read whole."""
    where, sort = write(made, find.condition), [_order(made, sort) for sort in find.sort]
    if after is not None:
        where += f" AND id > {made.bind(after, 'uuid')}"
    limit = f"LIMIT {made.bind(find.limit, 'int')} OFFSET {made.bind(find.skip, 'int')}"
    select, order = "SELECT id, size FROM docs WHERE", ", ".join([*sort, "id"])
    if not needs_ranges(find.condition):
        return f"{select} {SCOPE} AND {where} ORDER BY {order} {limit}"
    # Sorted by the text of ids: for the order of the primary key the planner would scan it.
    few, by_text = write_lookup(made, find.condition), ", ".join([*sort, 'id::text COLLATE "C"'])
    return (
        f"{_sample(where)} ({select} {SCOPE} AND {_MANY} AND {where} ORDER BY {order} {limit})"
        f" UNION ALL ({select} {_SCOPED} AND NOT {_MANY} AND {where} AND {few} ORDER BY {by_text} {limit})"
    )


def _sample(where: str) -> str:
    return (
        "WITH sample AS MATERIALIZED"
        f" (SELECT count(*) > 3 AS many FROM docs_sample($1, $2) AS docs WHERE {where})"
    )


def _order(made: Statement, sort: Sort) -> str:
    direction = "DESC" if sort.descending else "ASC"
    if sort.column is not None:
        return f"{column_of(sort.column)} {direction}"
    field = value_of(made, sort.path)
    nulls = "NULLS LAST" if sort.descending else "NULLS FIRST"
    return (
        f"docs_type_rank({field}) {direction}, docs_number({field}) {direction} {nulls},"
        f' left(docs_text({field}), {SORTED_BY}) COLLATE "C" {direction} {nulls}'
    )
