"""Records executions in the execution log, in batches and in the background.

A record that cannot be written never changes a response. While the database is not reachable, records wait in
memory up to `MAX_WAITING_BYTES`; further ones are dropped and counted. `close` writes the waiting records.
"""

from __future__ import annotations

import asyncio
import logging
import operator
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from picloud.core.errors import Unavailable
from picloud.core.generations import Generations
from picloud.core.metrics import Family, Metrics
from picloud.core.text import clean
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.execution.cause import EventCause, HttpCause, ScriptRequest, rfc3339
from picloud.execution.delivery import Delivered
from picloud.execution.invocation import Invocation
from picloud.sandbox.outcome import LogLine, Outcome
from picloud.services.outbound_decisions import Decisions

logger = logging.getLogger(__name__)

BATCH = 200
BATCH_BYTES = 4 * 1024 * 1024
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_BODY = 64 * 1024
_REDACTED = frozenset(("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"))
_STATUS = 8  # index of the status in a row; the response follows
_MAX_UNCHECKED_BRACKETS = 200  # fewer brackets cannot exceed the depth that orjson writes, which is 254
_sql = load("execution_logs")

QUEUED = Family("picloud_execution_records_queued_total", "Records for the execution log.")
FINISHED = Family(
    "picloud_execution_records_finished_total",
    "Records that were written, dropped or lost with their worker.",
    labels={"result": ("written", "dropped", "lost")},
)
METRICS = (QUEUED, FINISHED)

Row = tuple[object, ...]


class Recorder:
    """Writes records of executions to the database, in the background."""

    def __init__(self, database: Database, generations: Generations, metrics: Metrics | None = None) -> None:
        """Create a recorder; call `start` in its event loop.

        Args:
            database: the pool.
            generations: wake the readers that follow executions.
            metrics: shares its progress with other workers; None for a single worker.
        """
        metrics = metrics or Metrics(METRICS)
        self._database, self._generations = database, generations
        self._waiting: deque[tuple[Row, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._queued, self._finished = metrics.series(QUEUED), metrics.by_value(FINISHED)
        # Records that a previous worker in this slot did not write.
        finished = sum(series.value for series in self._finished.values())
        self._finished["lost"].inc(self._queued.value - finished)

    @property
    def dropped(self) -> int:
        """Records that this worker dropped."""
        return int(self._finished["dropped"].value)

    def start(self) -> None:
        """Begin writing."""
        self._writer = asyncio.create_task(self._write_batches())

    def record(
        self, invocation: Invocation, outcome: Outcome, started_at: float, decisions: Decisions | None = None
    ) -> None:
        """Record an execution; returns at once.

        Args:
            invocation: the invocation.
            outcome: its outcome.
            started_at: seconds since 1970-01-01 UTC.
            decisions: decisions about its outbound calls, if any.
        """
        self.prepare(invocation, outcome, started_at, decisions or Decisions())(None)

    def prepare(
        self, invocation: Invocation, outcome: Outcome, started_at: float, decisions: Decisions
    ) -> Callable[[Delivered | None], None]:
        """Prepare a record without references to its execution, because sending a file can take long.

        Args:
            invocation: the invocation.
            outcome: its outcome.
            started_at: seconds since 1970-01-01 UTC.
            decisions: decisions about its outbound calls.

        Returns:
            A function that records; call it once, with the sent response if it is not that of the script.
        """
        row = _row(invocation, outcome, started_at, decisions)
        size = _weight(invocation, outcome, decisions)

        def record(sent: Delivered | None) -> None:
            self._keep(row if sent is None else _with_sent(row, sent), size)

        return record

    def _keep(self, row: Row, size: int) -> None:
        self._queued.inc()
        if self._bytes + size > MAX_WAITING_BYTES:
            self._finished["dropped"].inc()
            return
        self._bytes += size
        self._waiting.append((row, size))
        self._arrived.set()

    async def close(self, grace: float = 10.0) -> None:
        """Write all waiting records, then stop.

        Args:
            grace: maximum seconds to wait.
        """
        self._closing = True
        self._arrived.set()
        if self._writer is not None:
            done, _ = await asyncio.wait([self._writer], timeout=grace)
            if not done:
                logger.error("%d execution records were not written before the stop", len(self._waiting))
                self._writer.cancel()

    async def _write_batches(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._closing:
                await asyncio.sleep(GATHER_SECONDS)
            while self._waiting:
                batch = self._batch()
                dropped = await self._write([row for row, _ in batch])
                if dropped is None:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                for _, size in batch:
                    self._waiting.popleft()
                    self._bytes -= size
                self._finished["written"].inc(len(batch) - dropped)
                self._finished["dropped"].inc(dropped)
                self._generations.bump(
                    "executions"
                )  # other nodes poll once a second, without a NOTIFY per batch
            self._arrived.clear()
            if self._closing:
                return

    def _batch(self) -> list[tuple[Row, int]]:
        """Return the oldest waiting records, few enough to encode without blocking the event loop."""
        batch: list[tuple[Row, int]] = []
        room = BATCH_BYTES
        for record in self._waiting:
            room -= record[1]
            if batch and (room < 0 or len(batch) == BATCH):
                break
            batch.append(record)
        return batch

    async def _write(self, rows: list[Row]) -> int | None:
        """Write a batch. Returns: the number of failed records; None to try again."""
        try:
            await self._database.execute(_sql.execution_logs_insert, *map(list, zip(*rows, strict=True)))
        except Unavailable:
            logger.warning("the execution log waits for the database: %d records", len(self._waiting))
            return None
        except Exception:
            if len(rows) == 1:
                logger.exception("an execution record could not be written")
                return 1
            dropped = 0
            for row in rows:  # one bad record must not lose the others
                failed = await self._write([row])
                if failed is None:
                    return None
                dropped += failed
            return dropped
        return 0


async def all_written(metrics: Metrics, patience: float = 1.0) -> bool:
    """Wait until every record so far, of any worker of this node, is in the database.

    Readers of the execution log call this first, so that the log contains every completed execution.

    Args:
        metrics: metrics of the node.
        patience: maximum seconds to wait.

    Returns:
        Whether all records are written.
    """
    until = time.monotonic() + patience
    queued = metrics.by_process(QUEUED)
    while any(map(operator.lt, _finished(metrics), queued)):
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(0.005)
    return True


def _finished(metrics: Metrics) -> list[float]:
    """Return the number of finished records of each worker."""
    results = [metrics.by_process(FINISHED, result) for result in FINISHED.labels["result"]]
    return [sum(of_one) for of_one in zip(*results, strict=True)]


def _row(invocation: Invocation, outcome: Outcome, started_at: float, decisions: Decisions) -> Row:
    script, figures, response = invocation.script, outcome.figures, outcome.response
    cause, error = invocation.cause, outcome.error
    return (
        script.app_id,
        invocation.execution_id,
        script.script_id,
        script.version,
        cause.ingress,
        cause.request_id,
        _request(cause.request) if isinstance(cause, HttpCause) else None,
        outcome.code,
        outcome.status,
        response and {"headers": redact(response.headers), **body_summary(response.body)},
        error
        and {
            "message": clean(error.message),
            "line": error.line,
            "column": error.column,
            "module": error.module and clean(error.module),
        },
        figures.cache,
        figures.fuel,
        figures.operations,
        figures.peak_memory_bytes,
        figures.wall_ms,
        figures.host_call_ms,
        figures.host_calls,
        # Not a list: asyncpg would encode a list of lists as a two-dimensional array.
        orjson.Fragment(orjson.dumps([_line(line) for line in outcome.logs])),
        outcome.logs_dropped,
        invocation.root_execution_id,
        datetime.fromtimestamp(started_at, UTC),
        orjson.Fragment(orjson.dumps([decision.facts() for decision in decisions.kept])),
        decisions.dropped,
        invocation.parent,
        invocation.depth,
        _event(cause) if isinstance(cause, EventCause) else None,
    )


def _request(request: ScriptRequest) -> dict[str, object]:
    return {
        "method": request.method,
        "path": clean(request.path),
        "headers": redact(request.headers.items()),
        "query": {clean(name): clean(value) for name, value in request.query.items()},
        **body_summary(request.body),
    }


def _event(event: EventCause) -> dict[str, object]:
    """An event for the log, without its data, which can be large."""
    return {
        "source": event.source,
        "op": event.op,
        "id": str(event.id),
        "attempt": event.attempt,
        "occurred_at": rfc3339(event.occurred_at),
        "trigger_id": event.trigger_id and str(event.trigger_id),
    }


def _with_sent(row: Row, sent: Delivered) -> Row:
    """Replace status and response of the script in a row with what was sent."""
    answer = {"headers": redact(sent.headers), "body": None, "body_size": sent.size}
    return (*row[:_STATUS], sent.status, answer, *row[_STATUS + 2 :])


def _weight(invocation: Invocation, outcome: Outcome, decisions: Decisions) -> int:
    """Approximate bytes of memory of a waiting record."""
    bodies = [invocation.cause.input.data, outcome.response.body if outcome.response else b""]
    lines = sum(256 + len(line.message) + len(line.data or "") for line in outcome.logs)
    return 4096 + sum(min(len(body), MAX_BODY) for body in bodies) + lines + 512 * len(decisions.kept)


def _line(line: LogLine) -> dict[str, object]:
    data: object = None
    if line.data is not None:
        try:
            data = orjson.loads(clean_json(line.data))
            if line.data.count("[") + line.data.count("{") > _MAX_UNCHECKED_BRACKETS:
                orjson.dumps(data)  # orjson reads deeper nesting than it writes
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            data = clean(line.data)
    at = datetime.fromtimestamp(line.at / 1000, UTC).isoformat(timespec="milliseconds")
    return {"level": clean(line.level), "message": clean(line.message), "data": data, "at": at}


def clean_json(text: str) -> str:
    """Make JSON text safe for PostgreSQL: an escaped NUL becomes U+FFFD."""
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else clean(text)


def redact(headers: object) -> dict[str, str]:
    """Return headers for the log, without credentials.

    Args:
        headers: pairs of lower-case name and value; repeated names are joined by ", ".
    """
    kept: dict[str, str] = {}
    for name, value in headers:  # type: ignore[attr-defined]  # any iterable of pairs
        shown = "[redacted]" if name in _REDACTED else clean(value)
        kept[name] = f"{kept[name]}, {shown}" if name in kept else shown
    return kept


def body_summary(body: bytes) -> dict[str, object]:
    """Return a body for the log: its size, and its first `MAX_BODY` bytes if it is text."""
    text = (
        body[:MAX_BODY].decode("utf-8", errors="ignore" if len(body) > MAX_BODY else "strict")
        if _is_text(body)
        else None
    )
    return {"body": clean(text) if text is not None else None, "body_size": len(body)}


def _is_text(body: bytes) -> bool:
    try:
        body[:MAX_BODY].decode()
    except UnicodeDecodeError as error:
        return len(body) > MAX_BODY and error.start >= MAX_BODY - 3  # cut inside a character
    return True
