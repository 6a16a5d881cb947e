"""Hourly jobs: delete expired sessions, links and keys, old login attempts and old log entries."""

from __future__ import annotations

import time
from datetime import timedelta

from picloud.core.ids import first_id_of
from picloud.db.queries import load
from picloud.db.results import row_count
from picloud.identity.login_sources import REMEMBER
from picloud.identity.throttle import FORGET
from picloud.server.jobs.job import Job, Resources

HOUR = 3600.0
EXPIRED_KEYS = timedelta(days=30)
"""How long expired keys are still listed."""

_SQL = load("retention")


async def delete_expired_sessions(resources: Resources, batch: int) -> int:
    """Delete expired sessions."""
    return row_count(await resources.database.execute(_SQL.sessions_delete_expired, batch))


async def delete_expired_setup_links(resources: Resources, batch: int) -> int:
    """Delete expired setup links."""
    return row_count(await resources.database.execute(_SQL.setup_links_delete_expired, batch))


async def delete_expired_keys(resources: Resources, batch: int) -> int:
    """Delete API keys that expired more than `EXPIRED_KEYS` ago."""
    return row_count(await resources.database.execute(_SQL.keys_delete_expired, EXPIRED_KEYS, batch))


async def delete_old_login_attempts(resources: Resources, batch: int) -> int:
    """Delete login attempts that no longer count towards throttling."""
    return row_count(await resources.database.execute(_SQL.login_attempts_delete_old, FORGET, batch))


async def delete_old_login_sources(resources: Resources, batch: int) -> int:
    """Delete addresses that accounts have not logged in from for a long time."""
    return row_count(await resources.database.execute(_SQL.login_sources_delete_old, REMEMBER, batch))


async def delete_old_audit_entries(resources: Resources, batch: int) -> int:
    """Delete entries of the audit log older than `PICLOUD_AUDIT_RETENTION_DAYS`."""
    return await _delete_older(resources, _SQL.audit_delete_old, resources.audit_days, batch)


async def delete_old_executions(resources: Resources, batch: int) -> int:
    """Delete executions older than `PICLOUD_EXECUTION_RETENTION_DAYS`; the batch size is per app."""
    return await _delete_older(resources, _SQL.executions_delete_old, resources.execution_days, batch)


async def _delete_older(resources: Resources, statement: str, days: int, batch: int) -> int:
    if not days:
        return 0
    oldest = first_id_of(time.time() - timedelta(days=days).total_seconds())
    return row_count(await resources.database.execute(statement, oldest, batch))


JOBS = (
    Job(name="delete_expired_sessions", seconds=HOUR, run=delete_expired_sessions),
    Job(name="delete_expired_setup_links", seconds=HOUR, run=delete_expired_setup_links),
    Job(name="delete_expired_keys", seconds=HOUR, run=delete_expired_keys),
    Job(name="delete_old_login_attempts", seconds=HOUR, run=delete_old_login_attempts),
    Job(name="delete_old_login_sources", seconds=HOUR, run=delete_old_login_sources),
    Job(name="delete_old_audit_entries", seconds=HOUR, run=delete_old_audit_entries),
    Job(name="delete_old_executions", seconds=HOUR, run=delete_old_executions),
)
