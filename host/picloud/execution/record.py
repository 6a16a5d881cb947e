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

from picloud.config.secret_names import SECRET_NAMES
from picloud.core.disk_space import DiskSpace
from picloud.core.errors import Unavailable
from picloud.core.generations import Generations
from picloud.core.metrics import Family, Metrics
from picloud.core.repeated_log import RepeatedLog
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.execution.delivery import Delivered
from picloud.execution.invocation import Invocation
from picloud.execution.log_rate import LogRate
from picloud.execution.record_row import Omitted, Row, bytes_of, make_row, with_sent
from picloud.execution.redaction import Redaction
from picloud.sandbox.outcome import Outcome
from picloud.services.outbound_decisions import Decisions

logger = logging.getLogger(__name__)
_log_waiting = RepeatedLog(logger)

BATCH = 200
BATCH_BYTES = 4 * 1024 * 1024
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
MAX_WAITING_BYTES = 64 * 1024 * 1024
ROW_MEMORY = 4096
"""Bytes of memory of a waiting record, in addition to its text."""
_sql = load("execution_logs")

QUEUED = Family("picloud_execution_records_queued_total", "Records for the execution log.")
FINISHED = Family(
    "picloud_execution_records_finished_total",
    "Records that were written, dropped or lost with their worker.",
    labels={"result": ("written", "dropped", "lost")},
)
METRICS = (QUEUED, FINISHED)


class Recorder:
    """Writes records of executions to the database, in the background."""

    def __init__(
        self,
        database: Database,
        generations: Generations,
        metrics: Metrics | None = None,
        redaction: Redaction | None = None,
        rate: LogRate | None = None,
        space: DiskSpace | None = None,
    ) -> None:
        """Create a recorder; call `start` in its event loop.

        Args:
            database: the pool.
            generations: wake the readers that follow executions.
            metrics: shares its progress with other workers; None for a single worker.
            redaction: removes secrets; None for that of the default configuration.
            rate: limits how fast the log of an app grows; None for no limit.
            space: of the disk of the database, which records do not fill; None if it is never full.
        """
        metrics = metrics or Metrics(METRICS)
        self._redaction, self._rate = redaction or Redaction(SECRET_NAMES), rate or LogRate()
        self._database, self._generations = database, generations
        self._space = space or DiskSpace()
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
        app_id = invocation.script.app_id
        omitted: Omitted | None = "private" if outcome.private else None
        if omitted is None and not self._rate.has_room(app_id):
            omitted = "rate"
        row = make_row(invocation, outcome, started_at, decisions, self._redaction, omitted)
        self._rate.spend(app_id, bytes_of(row))
        size = ROW_MEMORY + bytes_of(row)

        def record(sent: Delivered | None) -> None:
            self._keep(row if sent is None else with_sent(row, sent, self._redaction), size)

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
            self._space.require()
            await self._database.execute(_sql.execution_logs_insert, *map(list, zip(*rows, strict=True)))
        except Unavailable:
            _log_waiting("the execution log waits for the database: %d records", len(self._waiting))
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
