"""The execution log has a size, and the job keeps it within its limits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from picloud.core.generations import Generations
from picloud.db.pool import Database
from picloud.execution.cause import ScriptRequest
from picloud.execution.record import Recorder
from picloud.sandbox.outcome import Outcome, Response
from picloud.server.jobs.execution_log import limit_of_each
from tests.integration.jobs import run_job
from tests.workbench import invocation, script

KIB = 1024


async def _record(database: Database, app: UUID, *sizes: int) -> None:
    recorder = Recorder(database, Generations())
    recorder.start()
    for size in sizes:
        made = invocation(script("1", app=app), ScriptRequest(body=b"x" * size))
        recorder.record(made, Outcome("ok", Response(200, [], b"")), 1e9)
    await recorder.close()


async def _apps(database: Database, count: int) -> list[UUID]:
    apps = [uuid7() for _ in range(count)]
    for app in apps:
        await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'a')", app, f"a{app.hex}")
    return apps


async def _counted(database: Database, app: UUID) -> Any:
    row = await database.fetchrow(
        "SELECT sum(rows)::int AS rows, sum(bytes)::int AS bytes FROM ("
        " SELECT rows, bytes FROM app_usage WHERE app_id = $1 AND store = 'executions' UNION ALL"
        " SELECT rows, bytes FROM usage_deltas WHERE app_id = $1 AND store = 'executions') AS counted",
        app,
    )
    stored = await database.fetchrow(
        "SELECT count(*)::int AS rows, coalesce(sum(size), 0)::int AS bytes"
        " FROM execution_logs WHERE app_id = $1",
        app,
    )
    assert row is not None
    assert stored is not None
    assert (row["rows"] or 0, row["bytes"] or 0) == (stored["rows"], stored["bytes"])
    return stored["bytes"]


async def test_the_oldest_executions_of_an_app_are_deleted_above_its_quota(database: Database) -> None:
    loud, quiet = await _apps(database, 2)
    await _record(database, loud, *[20 * KIB] * 12)
    await _record(database, quiet, 20 * KIB)
    newest = await database.fetch(
        "SELECT id FROM execution_logs WHERE app_id = $1 ORDER BY id DESC LIMIT 4", loud
    )
    await run_job("compact_usage", database)
    assert await run_job("shorten_execution_logs", database, log_bytes=100 * KIB) == 8
    kept = await database.fetch("SELECT id FROM execution_logs WHERE app_id = $1 ORDER BY id DESC", loud)
    assert kept == newest
    assert 60 * KIB < await _counted(database, loud) <= 100 * KIB
    assert await _counted(database, quiet) > 20 * KIB
    assert await run_job("shorten_execution_logs", database, log_bytes=100 * KIB) == 0


async def test_small_batches_come_to_the_same_end(database: Database) -> None:
    (app,) = await _apps(database, 1)
    await _record(database, app, *[5 * KIB] * 30)
    assert await run_job("shorten_execution_logs", database, batch=4, log_bytes=50 * KIB) >= 20
    assert 40 * KIB < await _counted(database, app) <= 50 * KIB


async def test_all_logs_together_have_a_limit_and_small_ones_stay(database: Database) -> None:
    large, larger, small = await _apps(database, 3)
    await _record(database, large, *[10 * KIB] * 10)
    await _record(database, larger, *[10 * KIB] * 20)
    await _record(database, small, 10 * KIB)
    await run_job("shorten_execution_logs", database, log_total_bytes=120 * KIB)
    sizes = [await _counted(database, app) for app in (large, larger, small)]
    assert 100 * KIB < sum(sizes) <= 120 * KIB
    assert sizes[0] == pytest.approx(sizes[1], abs=12 * KIB)
    assert sizes[2] > 10 * KIB


async def test_what_others_delete_is_no_longer_counted(
    database: Database,
) -> None:
    (app,) = await _apps(database, 1)
    await _record(database, app, KIB, KIB)
    await database.execute("DELETE FROM execution_logs WHERE app_id = $1", app)
    assert await _counted(database, app) == 0


@given(st.lists(st.integers(0, 1000)), st.integers(0, 1000), st.integers(0, 10_000))
def test_the_limit_of_each_keeps_the_sum_and_shortens_only_the_largest(
    sizes: list[int], of_app: int, total: int
) -> None:
    limit = limit_of_each(sizes, of_app, total)
    assert 0 <= limit <= of_app
    assert sum(min(size, limit) for size in sizes) <= max(total, 0)
    if sum(min(size, of_app) for size in sizes) <= total:
        assert limit == of_app
