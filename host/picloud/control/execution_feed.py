"""Follows the execution log: every execution that any worker of any node records, once.

Every record has a position in the log of its app. Positions become visible in their order (see the migration
`execution_positions`), so a reader that remembers its position misses nothing and reads nothing twice.

A worker reads the last positions only while it has readers, once for all of them: when a worker of this node
has written records, and once a second for records of other nodes. The database is the queue: a reader has one
batch in memory, however far behind it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from picloud.control.executions import Execution, make_execution
from picloud.core.errors import Invalid, NotFound, Unavailable
from picloud.core.numbers import NotAnInteger, read_integer
from picloud.core.single_flight import SingleFlight
from picloud.core.wakeup import Subscription, WakeUp
from picloud.db.pool import Database
from picloud.db.queries import load

POLL_SECONDS = 1.0
"""The longest delay of an execution of another node."""
PAUSE_SECONDS = 0.02
"""The pause between two reads, which merges small batches."""
BATCH = 10
"""Executions in memory per reader; each has up to two bodies and its log lines."""

_SQL = load("executions")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """Which executions a reader follows.

    Attributes:
        app_id: only executions of this app.
        script_id: only executions of this script.
        outcome: only with this outcome, one of `executions.OUTCOMES`.
    """

    app_id: UUID
    script_id: UUID | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class FeedStep:
    """One step of a reader.

    Attributes:
        position: the new position of the reader.
        execution: the execution at that position; None when none up to there matches.
    """

    position: int
    execution: Execution | None


@dataclass(slots=True)
class _Tail:
    """The end of an app's log, shared by its readers.

    Attributes:
        readers: number of readers.
        last: the last position.
        gone: whether the app was deleted.
        moved: set when one of these changes, and replaced.
        steps: of each reading, where it began and what it found, for other readers at the same position.
    """

    readers: int = 0
    last: int = 0
    gone: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    steps: dict[Followed, tuple[int, list[FeedStep]]] = field(default_factory=dict)

    def move(self, last: int | None) -> None:
        """Wake the readers. Args: last: the last position of the log; None if the app was deleted."""
        if last is not None and last <= self.last:
            return
        self.gone, self.last = last is None, last or self.last
        self.moved.set()
        self.moved = asyncio.Event()

    async def wait_beyond(self, position: int) -> int:
        """Wait for a later position.

        Args:
            position: position of the reader.

        Returns:
            The last position.

        Raises:
            NotFound: the app was deleted.
        """
        while self.last <= position:
            if self.gone:
                raise NotFound("app")
            await self.moved.wait()
        return self.last


class ExecutionFeed:
    """Follows the execution logs of apps for all readers of one worker."""

    def __init__(
        self, database: Database, wake_up: WakeUp, all_written: Callable[[], Awaitable[bool]]
    ) -> None:
        """Create a feed.

        Args:
            wake_up: wakes when a worker of this node has written records.
            all_written: waits until the records made so far are written.
        """
        self._database, self._wake_up, self._all_written = database, wake_up, all_written
        self._tails: dict[UUID, _Tail] = {}
        self._written: Subscription | None = None
        self._watching: asyncio.Task[None] | None = None
        self._reads: SingleFlight[tuple[Followed, int]] = SingleFlight()

    async def close(self) -> None:
        """Stop. End the readers first; remaining ones wait forever."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def start(self, app_id: UUID, last_event_id: str | None) -> int:
        """Find the position where a reader begins.

        Args:
            app_id: the app to follow.
            last_event_id: the last position it has seen, as text; None to begin with what is recorded next.

        Returns:
            The position; the end of the log if it is shorter, as after a restore.

        Raises:
            Invalid: it is not a position.
            NotFound: the app was deleted.
        """
        try:
            position = None if last_event_id is None else read_integer(last_event_id, exact=True)
        except NotAnInteger:
            raise Invalid(
                "invalid Last-Event-ID; send the id of an event of this stream", field="Last-Event-ID"
            ) from None
        await self._all_written()
        rows = await self._database.fetch(_SQL.execution_positions, [app_id])
        if not rows:
            raise NotFound("app")
        last = int(rows[0]["last"])
        return last if position is None else min(position, last)

    async def follow(self, followed: Followed, position: int) -> AsyncGenerator[FeedStep, None]:
        """Read the executions recorded after a position, then each new one, in order.

        Args:
            followed: which executions.
            position: from `start` or a step.

        Yields:
            A step without an execution first. The caller must close the generator.

        Raises:
            NotFound: the app was deleted.
            Unavailable: the database cannot be reached.
        """
        yield FeedStep(position, None)
        with self._reading(followed.app_id) as tail:
            while True:
                last = await tail.wait_beyond(position)
                for step in await self._read(tail, followed, position, last):
                    yield step
                    position = step.position

    @contextmanager
    def _reading(self, app_id: UUID) -> Iterator[_Tail]:
        tail = self._tails.setdefault(app_id, _Tail())
        tail.readers += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        elif self._written is not None:
            self._written.wake()  # look at this app too
        try:
            yield tail
        finally:
            tail.readers -= 1
            if not tail.readers:
                del self._tails[app_id]

    async def _watch(self) -> None:
        """Read the last positions again and again, while there are readers."""
        with self._wake_up.subscribe("executions") as self._written:
            while self._tails:
                await self._look()
                await asyncio.sleep(PAUSE_SECONDS)
                await self._written.wait(POLL_SECONDS)

    async def _look(self) -> None:
        asked = list(self._tails)
        try:
            rows = await self._database.fetch(_SQL.execution_positions, asked)
        except Unavailable:
            _log.warning("the execution log cannot be followed: the database is not reachable")
            return
        except Exception:
            _log.exception("the execution log cannot be followed")
            return
        last = {row["app_id"]: int(row["last"]) for row in rows}
        for app_id in asked:
            if app_id in self._tails:
                self._tails[app_id].move(last.get(app_id))

    async def _read(self, tail: _Tail, followed: Followed, position: int, last: int) -> list[FeedStep]:
        """Read a batch, once for all readers with the same filter and position."""

        def known() -> list[FeedStep] | None:
            began, steps = tail.steps.get(followed, (-1, []))
            return steps if began == position else None

        async def read() -> list[FeedStep]:
            rows = await self._database.fetch(
                _SQL.executions_recorded,
                followed.app_id,
                position,
                last,
                followed.script_id,
                followed.outcome,
                BATCH,
            )
            steps = [FeedStep(row["position"], make_execution(row)) for row in rows]
            if len(steps) < BATCH and (not steps or steps[-1].position < last):
                steps.append(FeedStep(last, None))
            tail.steps[followed] = position, steps
            return steps

        return await self._reads.get((followed, position), known, read)
