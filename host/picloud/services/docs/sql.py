"""Filters to statements: the text is made of the pieces here and in `conditions`, all else is a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from picloud.services.docs.conditions import Statement, needs_ranges, value_of, write, write_lookup
from picloud.services.docs.filter import Find, Sort

SORTED_BY = 256
"""Characters of a text that an order goes by: a sort keeps them in memory, of each document it may give."""

# The text that goes into SQL is from here.
_SCOPE = "app_id = $1 AND collection = $2"  # joined by AND: a filter can only narrow
# In a lookup the scope is in the index: the primary key would only add a bitmap of the whole collection.
_SCOPED = f"coalesce({_SCOPE}, FALSE)"
_ENVELOPE_SIZE = "size + 133"  # what `docs_envelope` writes around the data; a test compares

# What meets many documents is found quicker by reading them in order, up to the limit, than by an index. Of
# ranges PostgreSQL has no statistics, so a sample of 32 documents decides: more than 3 that meet it are many.
_MANY = "(SELECT many FROM sample)"


def find_statement(
    find: Find, app_id: object, collection: str, most_bytes: int
) -> tuple[str, Sequence[object]]:
    """The statement that finds documents.

    Args:
        find: what to look for.
        collection: the collection.
        most_bytes: it gives no documents beyond the one whose envelope passes so many bytes in all.

    Returns:
        SQL with columns `envelope` and `total` (bytes of envelopes so far), and its parameters.
    """
    made = Statement([app_id, collection])
    found, cap = _found(made, find, None), made.bind(most_bytes, "int")
    counted = (
        f"SELECT id, {_ENVELOPE_SIZE} AS size, sum({_ENVELOPE_SIZE}) OVER (ROWS UNBOUNDED PRECEDING) AS total"
        f" FROM ({found}) AS found"
    )
    envelope = f"(SELECT docs_envelope(doc) FROM docs doc WHERE {_SCOPE} AND doc.id = counted.id)"
    sql = f"SELECT {envelope} AS envelope, total FROM ({counted}) AS counted WHERE total - size <= {cap}"
    return sql, made.parameters


def page_statement(
    find: Find, app_id: object, collection: str, after: UUID | None, most_bytes: int
) -> tuple[str, Sequence[object]]:
    """The statement that gives a page of documents.

    Args:
        find: what to look for.
        collection: the collection.
        after: the last id of the page before, where they are in the order of their ids; else None.
        most_bytes: it gives no documents beyond the one that passes so many bytes in all.

    Returns:
        SQL with all columns of a document and `asked` (how many there are within the limit, whatever
        their size), and its parameters.
    """
    made = Statement([app_id, collection])
    found, cap = _found(made, find, after), made.bind(most_bytes, "int")
    counted = (
        "SELECT id, row_number() OVER () AS place, count(*) OVER () AS asked,"
        f" sum(size) OVER (ROWS UNBOUNDED PRECEDING) - size AS before FROM ({found}) AS found"
    )
    # With its limit it is read by its id, one by one: a join might read all documents there are.
    doc = f"SELECT * FROM docs WHERE {_SCOPE} AND docs.id = counted.id LIMIT 1"
    sql = (
        "SELECT doc.id, collection, data::text AS data, size, created_at, updated_at, asked"
        f" FROM ({counted}) AS counted, LATERAL ({doc}) AS doc"
        f" WHERE before <= {cap} ORDER BY place"
    )
    return sql, made.parameters


def count_statement(find: Find, app_id: object, collection: str) -> tuple[str, Sequence[object]]:
    """The statement that counts documents; sort, limit and skip play no part.

    Args:
        find: what to count.
        collection: the collection.

    Returns:
        SQL and its parameters.
    """
    made = Statement([app_id, collection])
    where = write(made, find.condition)
    if not needs_ranges(find.condition):
        return f"SELECT count(*) FROM docs WHERE {_SCOPE} AND {where}", made.parameters
    lookup = write_lookup(made, find.condition)
    sql = (
        f"{_sample(where)} SELECT"
        f" (SELECT count(*) FROM docs WHERE {_SCOPE} AND {_MANY} AND {where})"
        f" + (SELECT count(*) FROM docs WHERE {_SCOPED} AND NOT {_MANY} AND {where} AND {lookup})"
    )
    return sql, made.parameters


def _found(made: Statement, find: Find, after: UUID | None) -> str:
    """Ids and sizes in order: what is sorted and skipped is not read whole."""
    where, sort = write(made, find.condition), [_order(made, sort) for sort in find.sort]
    if after is not None:
        where += f" AND id > {made.bind(after, 'uuid')}"
    limit = f"LIMIT {made.bind(find.limit, 'int')} OFFSET {made.bind(find.skip, 'int')}"
    select, order = "SELECT id, size FROM docs WHERE", ", ".join([*sort, "id"])
    if not needs_ranges(find.condition):
        return f"{select} {_SCOPE} AND {where} ORDER BY {order} {limit}"
    # By the ids' text: an order that the primary key has would tempt the planner to walk along it.
    few, by_text = write_lookup(made, find.condition), ", ".join([*sort, 'id::text COLLATE "C"'])
    return (
        f"{_sample(where)} ({select} {_SCOPE} AND {_MANY} AND {where} ORDER BY {order} {limit})"
        f" UNION ALL ({select} {_SCOPED} AND NOT {_MANY} AND {where} AND {few} ORDER BY {by_text} {limit})"
    )


def _sample(where: str) -> str:
    return (
        "WITH sample AS MATERIALIZED"
        f" (SELECT count(*) > 3 AS many FROM docs_sample($1, $2) AS docs WHERE {where})"
    )


def _order(made: Statement, sort: Sort) -> str:
    field, direction = value_of(made, sort.path), "DESC" if sort.descending else "ASC"
    nulls = "NULLS LAST" if sort.descending else "NULLS FIRST"
    return (
        f"docs_type_rank({field}) {direction}, docs_number({field}) {direction} {nulls},"
        f' left(docs_text({field}), {SORTED_BY}) COLLATE "C" {direction} {nulls}'
    )
