"""Keeps the execution log within its limits in bytes: the oldest executions go first."""

from __future__ import annotations

from collections.abc import Iterable

from picloud.db.queries import load
from picloud.db.results import row_count
from picloud.server.jobs.job import Job, Resources

_SQL = load("executions")


async def shorten_execution_logs(resources: Resources, batch: int) -> int:
    """Delete the oldest executions above `PICLOUD_QUOTA_LOG_MB` and `PICLOUD_QUOTA_LOG_TOTAL_MB`.

    The batch size is per app.
    """
    rows = await resources.database.fetch(_SQL.execution_bytes)
    limit = limit_of_each((row["bytes"] for row in rows), resources.log_bytes, resources.log_total_bytes)
    above = [(row["app_id"], int(row["bytes"] - limit)) for row in rows if row["bytes"] > limit]
    if not above:
        return 0
    apps, excess = zip(*above, strict=True)
    return row_count(
        await resources.database.execute(_SQL.executions_shorten, list(apps), list(excess), batch)
    )


def limit_of_each(sizes: Iterable[int], of_app: int, total: int) -> int:
    """Return how large the log of each app may be.

    If all logs together are too large, the largest are shortened to one size. So an app with a small log
    loses nothing to the others.

    Args:
        sizes: bytes of the log of each app.
        of_app: maximum bytes of one app.
        total: maximum bytes of all apps.
    """
    left, ascending = total, sorted(sizes)
    for index, size in enumerate(ascending):
        share = left // (len(ascending) - index)
        if min(size, of_app) > share:
            return share
        left -= min(size, of_app)
    return of_app


JOBS = (Job(name="shorten_execution_logs", seconds=2.0, run=shorten_execution_logs, batch=500),)
