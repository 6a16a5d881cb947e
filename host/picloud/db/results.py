"""What PostgreSQL says a statement did."""

from __future__ import annotations


def row_count(status: str) -> int:
    """How many rows a statement changed.

    Args:
        status: the command tag that `Database.execute` returns, as "DELETE 12" or "INSERT 0 1".
    """
    return int(status.rpartition(" ")[2])
