"""What is expired or too old is deleted, in batches, and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from picloud.core.ids import first_id_of
from picloud.db.pool import Database
from picloud.identity import audit
from picloud.identity.throttle import Throttle
from picloud.server.jobs import retention
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import Client, anyone, client
from tests.integration.jobs import run_job

__all__ = ["anyone", "client"]


async def _entries(database: Database, *days: float) -> None:
    """Entries of so many days ago."""
    for ago in days:
        await audit.write(database, CONSOLE, target=ago)
        then = first_id_of(time.time() - ago * 86_400)
        await database.execute("UPDATE audit_log SET id = $1 WHERE target = $2", then, str(ago))


async def _left(database: Database) -> Any:
    return await database.fetchval("SELECT array_agg(target ORDER BY id) FROM audit_log")


async def test_entries_are_deleted_by_their_age_and_none_where_it_is_0(database: Database) -> None:
    await _entries(database, 400, 50, 32, 31, 29, 1)
    await run_job("delete_old_audit_entries", database)
    assert len(await _left(database)) == 6
    assert await run_job("delete_old_audit_entries", database, batch=2, audit_days=30) == 4
    assert await _left(database) == ["29", "1"]


async def test_executions_are_deleted_by_their_age_in_every_app_and_none_where_it_is_0(
    client: Client, worker: Worker
) -> None:
    database = worker.database
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    for app in ("default", "shop"):
        script = await client.script("1", "s", app)
        for ago in (40, 35, 31, 29, 1):
            execution = (await client.execute(script)).headers["X-Execution-Id"]
            await client.admin("GET", f"/scripts/{script['id']}/logs")  # it is written
            then = UUID(int=first_id_of(time.time() - ago * 86_400).int + UUID(execution).int % 2**64)
            aged = "UPDATE execution_logs SET id = $1, request_id = $2 WHERE id = $3"
            await database.execute(aged, then, f"{app} {ago}", execution)
    left = "SELECT array_agg(request_id ORDER BY request_id) FROM execution_logs"
    await run_job("delete_old_executions", database)
    assert len(await database.fetchval(left)) == 10
    assert await run_job("delete_old_executions", database, batch=2, execution_days=30) == 6
    assert await database.fetchval(left) == ["default 1", "default 29", "shop 1", "shop 29"]


async def test_only_expired_rows_are_deleted(worker: Worker) -> None:
    database = worker.database
    ada = await worker.person("ada", "owner")
    for _ in range(2):
        await worker.session_of(ada)
    soon = datetime.now(UTC) + timedelta(days=1)
    for expires_at in (None, soon, soon, soon):
        await worker.key_of(ada, expires_at=expires_at)
    await database.execute(
        "UPDATE admin_sessions SET expires_at = now()"
        " WHERE id = (SELECT id FROM admin_sessions ORDER BY id LIMIT 1)"
    )
    sessions = await database.fetchval("SELECT count(*) FROM admin_sessions")
    old = (
        "UPDATE api_keys SET expires_at = now() - $1::interval"
        " WHERE id = (SELECT id FROM api_keys WHERE expires_at > now() ORDER BY id LIMIT 1)"
    )
    await database.execute(old, timedelta(days=31))
    await database.execute(old, timedelta(days=29))
    throttle = Throttle(database, "account", 5, 60)
    await throttle.attempt("old")
    await database.execute("UPDATE login_attempts SET last_at = now() - interval '2 hours'")
    await throttle.attempt("new")
    await database.execute(
        "INSERT INTO login_sources VALUES"
        " (sha256('a'), now() - interval '31 days'), (sha256('b'), now() - interval '29 days')"
    )
    await worker.database.execute("DELETE FROM setup_links")
    await database.execute(
        "INSERT INTO setup_links VALUES (sha256('a'), now()), (sha256('b'), now() + interval '1 hour')"
    )
    for job in retention.JOBS:
        await run_job(job.name, database, batch=1, audit_days=30)
    counts = {
        table: await database.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("admin_sessions", "api_keys", "login_attempts", "login_sources", "setup_links")
    }
    assert counts == {
        "admin_sessions": sessions - 1,
        "api_keys": 3,
        "login_attempts": 1,
        "login_sources": 1,
        "setup_links": 1,
    }


@given(st.floats(0, 4e9))
def test_ids_made_before_a_moment_are_less_than_its_first(seconds: float) -> None:
    first = first_id_of(seconds)
    assert first.int >> 80 == int(seconds * 1000)
    assert (first < uuid7()) == (seconds < time.time())
