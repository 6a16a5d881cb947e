"""Records of executions in a real database: every ending has one, and none is lost on the way."""

from __future__ import annotations

import asyncio
import logging
import operator
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from picloud.control.executions import Executions
from picloud.core.generations import Generations
from picloud.core.pagination import PageRequest
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database, connect
from picloud.execution.admission import Admission
from picloud.execution.cause import CallCause, EventCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation
from picloud.execution.record import MAX_WAITING_BYTES, Recorder
from picloud.execution.record_row import MAX_BODY
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.outcome import LogLine, Outcome, Response, ScriptError
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.call_context import Call
from picloud.services.outbound_decisions import MAX_DECISIONS
from tests.workbench import NOBODY, computing, in_memory, invocation, script, until

ROWS = "SELECT * FROM execution_logs ORDER BY started_at, id"


@pytest.fixture(autouse=True)
async def app(database: Database) -> None:
    """The app all of them run in."""
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'nobody', 'Nobody')", NOBODY)


@pytest.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, Generations())
    recorder.start()
    yield recorder
    await recorder.close(grace=5)


@pytest.fixture
async def executor(engine: Engine, recorder: Recorder) -> AsyncIterator[Executor]:
    threads = Threads(2)
    yield Executor(Admission(16, 16), Sandbox(engine, ImageCache(16, 16), threads, in_memory()), recorder)
    threads.close()


async def test_a_finished_execution_is_recorded(
    executor: Executor, recorder: Recorder, database: Database
) -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer s3cr3t"}
    request = ScriptRequest("PUT", "/a", headers, {"q": "1"}, {}, "", b'{"n":2}', "application/json")
    made = invocation(script("#{ statusCode: 201, body: ctx.request.body.n + 1 }"), request)
    await executor.execute(made)
    again = invocation(made.script, request)
    await executor.execute(again)
    await recorder.close()
    rows = [dict(row) for row in await database.fetch(ROWS)]
    assert [row["cache"] for row in rows] == ["cold", "cached"]
    assert [row["id"] for row in rows] == [made.execution_id, again.execution_id]
    row = rows[0]
    assert (row["outcome"], row["status"], row["error"]) == ("ok", 201, None)
    assert row["request"] == {
        "method": "PUT",
        "path": "/a",
        "headers": {"content-type": "application/json", "authorization": "[redacted]"},
        "query": {"q": "1"},
        "body": '{"n":2}',
        "body_size": 7,
    }
    assert row["response"]["body"] == "3"
    assert row["fuel"] > 0
    assert row["operations"] > 0
    assert row["peak_memory_bytes"] > 0
    assert row["wall_ms"] >= row["host_call_ms"] >= 0
    assert row["root_execution_id"] == made.execution_id
    assert row["parent_execution_id"] is None
    assert (row["app_id"], row["script_id"]) == (made.script.app_id, made.script.script_id)


async def test_an_event_and_its_executions_are_recorded(
    executor: Executor, recorder: Recorder, database: Database
) -> None:
    at = datetime(2026, 1, 31, 8, tzinfo=UTC)
    event = EventCause(UUID(int=3), "kv", "insert", 2, at, {"key": "k"}, trigger_id=UUID(int=4))
    first = Invocation(uuid7(), script("1"), event)
    called = Invocation(
        uuid7(),
        script("2"),
        CallCause({"a": 1}),
        root=first.execution_id,
        parent=first.execution_id,
        depth=1,
    )
    await executor.execute(first)
    await executor.execute(called)
    await recorder.close()
    rows = {row["id"]: row for row in await database.fetch(ROWS)}
    row = rows[first.execution_id]
    assert (row["ingress"], row["request_id"], row["request"]) == ("event", None, None)
    assert row["event"] == {
        "source": "kv",
        "op": "insert",
        "id": str(UUID(int=3)),
        "attempt": 2,
        "occurred_at": "2026-01-31T08:00:00.000Z",
        "trigger_id": str(UUID(int=4)),
    }
    lineage = operator.itemgetter("root_execution_id", "parent_execution_id", "depth")
    assert lineage(row) == (first.execution_id, None, 0)
    row = rows[called.execution_id]
    assert (row["ingress"], row["request_id"], row["request"], row["event"]) == ("call", None, None, None)
    assert lineage(row) == (first.execution_id, first.execution_id, 1)
    executions = Executions(database, _at_once)
    shown = await executions.get(NOBODY, str(first.execution_id))
    assert (shown.ingress, shown.request, shown.event) == ("event", None, rows[first.execution_id]["event"])
    page = await executions.list(NOBODY, PageRequest())
    assert [(one.root_execution_id, one.depth) for one in page.items] == [
        (first.execution_id, 1),
        (first.execution_id, 0),
    ]


@pytest.mark.parametrize(
    ("source", "code", "status"),
    [
        ("let x = ;", "script_invalid", 422),
        ('\n  throw "no\\x00"', "script_error", 502),
        ("#{ statusCode: 99 }", "response_invalid", 422),
        ("loop { }", "operation_budget", 507),
    ],
)
async def test_an_execution_that_failed_is_on_record_with_its_place(
    source: str, code: str, status: int, executor: Executor, recorder: Recorder, database: Database
) -> None:
    await executor.execute(invocation(source))
    await recorder.close()
    (row,) = await database.fetch(ROWS)
    assert (row["outcome"], row["status"], row["response"]) == (code, status, None)
    assert row["error"]["message"]
    if code == "script_error":
        assert row["error"]["line"] == 2
        assert "\ufffd" in row["error"]["message"]


async def test_an_execution_whose_caller_left_is_on_record(
    executor: Executor, engine: Engine, recorder: Recorder, database: Database
) -> None:
    made = invocation("loop { }", max_operations=10_000_000, max_fuel=50_000_000_000)
    task = asyncio.create_task(executor.execute(made))
    await until(lambda: computing(engine) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert executor.admission.running == 0
    await recorder.close()
    (row,) = await database.fetch(ROWS)
    assert (row["outcome"], row["status"]) == ("cancelled", 499)


async def _at_once() -> bool:
    return True


def outcome(**changes: object) -> Outcome:
    made = Outcome("ok", Response(200, [("a", "b")], b"x"))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


ODD = [
    outcome(error=ScriptError("a\0\ud800", 1, 1, "m\0"), code="script_error", response=None),
    outcome(
        logs=[LogLine("in\0fo", "a\0\udfff", data, 1e12) for data in ('"\\u0000"', '"\\ud800"', "[" * 300)]
    ),
    outcome(logs=[LogLine("info", "m", "[" * 300 + "]" * 300, 1e12), LogLine("info", "m", "9" * 5000, 0)]),
    outcome(response=Response(200, [], b"\0" * 70_000)),
    outcome(response=Response(200, [("a", "\xff")], "é".encode() * MAX_BODY)),
]


@pytest.mark.parametrize("odd", ODD)
async def test_every_output_of_a_script_can_be_recorded(
    odd: Outcome, recorder: Recorder, database: Database
) -> None:
    recorder.record(invocation("1", ScriptRequest(path="/\0\udcff", body=b"\0")), odd, 1e9)
    await recorder.close()
    assert recorder.dropped == 0
    assert len(await database.fetch(ROWS)) == 1


async def test_decisions_about_outbound_calls_are_recorded(
    engine: Engine, recorder: Recorder, database: Database
) -> None:
    async def request(call: Call, *_: object) -> dict[str, object]:
        for number in range(MAX_DECISIONS + 3):
            decision = call.decisions.begin()
            decision.host, decision.bytes_out = "example.com", number
            decision.end()
        decision = call.decisions.kept[1]
        decision.category = "private address"
        return {}

    threads = Threads(2)
    functions = in_memory() | {"random_bytes": request}
    executor = Executor(Admission(1, 1), Sandbox(engine, ImageCache(1, 1), threads, functions), recorder)
    await executor.execute(invocation("random::uuid()"))
    await recorder.close()
    threads.close()
    row = (await database.fetch(ROWS))[0]
    assert (len(row["outbound"]), row["outbound_dropped"]) == (MAX_DECISIONS, 3)
    assert row["outbound"][1] | {"ms": 0} == {
        "method": "",
        "host": "example.com",
        "category": "private address",
        "status": None,
        "error": None,
        "hops": 0,
        "ms": 0,
        "bytes_out": 1,
        "bytes_in": 0,
    }


async def test_a_record_that_cannot_be_written_costs_no_other(
    recorder: Recorder, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(300):
        made = outcome()
        if number == 150:
            made.figures.fuel = 2**70  # more than the column holds
        recorder.record(invocation("1"), made, 1e9 + number)
    await recorder.close()
    assert len(await database.fetch(ROWS)) == 299
    assert recorder.dropped == 1
    assert "an execution record could not be written" in caplog.text


async def test_a_stop_writes_all_that_wait(recorder: Recorder, database: Database) -> None:
    for number in range(1_000):
        recorder.record(invocation("1"), outcome(), 1e9 + number)
    await recorder.close()
    assert await database.fetchval("SELECT count(*) FROM execution_logs") == 1_000


async def test_records_wait_for_a_database_that_is_away(
    database: Database,
    postgres: ConnectionParameters,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("picloud.execution.record.RETRY_SECONDS", 0)
    name = await database.fetchval("SELECT current_database()")
    superuser = await connect(postgres.of_database("postgres"))
    try:
        await superuser.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await superuser.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        with caplog.at_level(logging.WARNING):
            for number in range(5):
                recorder.record(invocation("1"), outcome(), 1e9 + number)
            await until(lambda: "the execution log waits for the database: 5 records" in caplog.text)
        for number in range(5, 10):
            recorder.record(invocation("1"), outcome(), 1e9 + number)
        await superuser.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
    finally:
        await superuser.close()
    await recorder.close()
    assert await database.fetchval("SELECT count(*) FROM execution_logs") == 10
    assert recorder.dropped == 0


async def test_waiting_records_are_limited_and_dropped_ones_counted(database: Database) -> None:
    stopped = Recorder(database, Generations())  # nobody writes
    large = ScriptRequest(body=bytes(MAX_BODY))
    for _ in range(MAX_WAITING_BYTES // MAX_BODY + 10):
        stopped.record(invocation("1", large), outcome(), 0.0)
    assert stopped.dropped >= 10
    assert stopped._bytes <= MAX_WAITING_BYTES


async def test_a_retry_writes_no_record_twice(database: Database) -> None:
    made = invocation("1")
    for _ in range(2):
        recorder = Recorder(database, Generations())
        recorder.start()
        recorder.record(made, outcome(), 1e9)
        await recorder.close()
    assert await database.fetchval("SELECT count(*) FROM execution_logs") == 1
    assert await database.fetchval("SELECT sum(rows) FROM usage_deltas WHERE store = 'executions'") == 1
    assert made.script.app_id == UUID(int=0)
